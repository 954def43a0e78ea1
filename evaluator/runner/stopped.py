"""What people are told of a run that stops before it has a result: what is kept, and what it takes to go on."""

from collections.abc import Sequence
from contextlib import suppress

from evaluator.config.overrides import Overrides
from evaluator.errors import BudgetError, InfrastructureError
from evaluator.gateway.budget import EVALUATION, SHORTER_HINT, Budget
from evaluator.gateway.needed import Answered, needed
from evaluator.journal.journal import Journal
from evaluator.journal.ledger import Ledger
from evaluator.records import SIDES, Call, Side


def told_of_kept(journal: Journal, ledger: Ledger, error: BaseException, *, resume: str, overrides: Overrides) -> str:
    """How far a run came, and how it goes on; nothing, if it has come to nothing.

    Args:
        journal: The run's.
        ledger: What it has spent.
        error: What it stopped on.
        resume: The command that goes on with it; empty where that cannot be said.
        overrides: What was set outside of the config.
    """
    with suppress(InfrastructureError):  # a journal that fails has told why
        answers = journal.answers()
        if answers or ledger.calls:
            first = ""
            if isinstance(error, BudgetError):  # the same command alone would stop at once
                first = f", raise {error.needs or 'the cap'} {_where(error.needs, overrides)}, then"
            go_on = f" To go on from there{first}: {resume}" if resume else ""
            # Nothing spent may mean that no price is known: then it is no figure to tell.
            spent = f"spent: ${ledger.spent_usd:.4f} in" if ledger.spent_usd else "made:"
            return f"kept: {answers} answers; {spent} {ledger.calls} calls.{go_on}"
    return ""


def with_needs(
    error: BudgetError, budget: Budget, journal: Journal, cases: int, *, each: int, ahead: int = 0, overrides: Overrides
) -> BudgetError:
    """The same error, with what the caps would have to be.

    Args:
        error: What the run stopped on.
        budget: The run's.
        journal: Likewise.
        cases: How many cases it has.
        each: How many answers of each side a case are wanted at first.
        ahead: How many answers of other runs the same cap must pay afterwards.
        overrides: What was set outside of the config.
    """
    answered = dict.fromkeys((*SIDES, EVALUATION), Answered())
    for _, side, _, output in journal.all_outputs():
        answered[side] = _more(answered[side], output.calls, output.cost_usd, answers=1)
    judged: set[tuple[str, Side, int]] = set()
    for case_id, side, repeat, score in journal.all_scores():
        if score.calls:
            new = (case_id, side, repeat) not in judged
            judged.add((case_id, side, repeat))
            cost = sum(call.counted_usd or 0.0 for call in score.calls)
            answered[EVALUATION] = _more(answered[EVALUATION], score.calls, cost, answers=int(new))
    found = needed(budget, answered, cases, each=each, ahead=ahead)
    if found is None:
        return error
    kept = "what is answered is kept and will not be paid again"
    hint = f"raise {found.caps} {_where(found.caps, overrides)}, or use fewer cases; {kept}"
    hint += f"; {SHORTER_HINT}" if found.usd else ""
    return BudgetError(f"{error.message}; {found}", hint=hint, needs=found.caps)


def _more(one: Answered, calls: Sequence[Call], usd: float | None, *, answers: int) -> Answered:
    return Answered(one.answers + answers, one.usd + (usd or 0.0), one.calls + len(calls))


def _where(caps: str, overrides: Overrides) -> str:
    """Where whoever runs this has set what is to be raised."""
    from_outside = overrides.max_usd is not None and "`max_usd`" in caps
    return "with the input `max-cost-usd`" if from_outside else "in the config at base"
