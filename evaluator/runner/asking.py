"""Has an engine ask for answers, and says what it would have taken where the budget does not do."""

from collections.abc import Sequence

from evaluator.engines.interface import Progress, Schedule, Work
from evaluator.errors import BudgetError
from evaluator.records import SIDES, Case
from evaluator.runner.opening import OpenRun, seed_of
from evaluator.runner.stopped import with_needs


async def run_all(
    opened: OpenRun, cases: Sequence[Case], work: Work, progress: Progress, *, answers_a_case: int = len(SIDES),
    ahead: int = 0,
) -> None:  # fmt: skip
    """Run what `work` asks for.

    Args:
        opened: The run.
        cases: What `work` asks for the answers of.
        work: Asks, and is told.
        progress: Shows how far it is.
        answers_a_case: How many answers are expected at first.
        ahead: How many answers of other runs the same budget must pay afterwards.

    Raises:
        BudgetError: A cap or a side's share of it is reached; says what was spent, and what it would have taken.
        EvalGateError: Anything else that keeps the run from its end.
    """
    ready, journal = opened.ready, opened.journal
    schedule = Schedule(cases, ready.targets, ready.scorers, ready.concurrency, seed_of(journal), answers_a_case)
    try:
        await opened.engine.run(schedule, work, journal, progress)
    except BudgetError as error:
        raise with_needs(
            error, ready.gateway.budget, journal, len(opened.golden.cases),
            each=max(1, answers_a_case // len(ready.targets)), ahead=ahead, overrides=opened.job.overrides,
        ) from None  # fmt: skip
