"""What a cap that was reached would have to be: told from what a run has spent until then."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from evaluator.gateway.budget import EVALUATION, KEPT_FOR_EVALUATION, Account, Budget, rounded_up
from evaluator.records import SIDES

MARGIN = 1.1
"""On what is still to be asked: answers differ, and a cap that is reached again just before the end is no help."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Answers of a side that are kept, or that are kept and judged."""

    answers: int = 0
    usd: float = 0.0
    """What they, or their judges, cost; or had cost where that came from the cache."""
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Needed:
    """The caps with which the run could go on to its end."""

    usd: float | None
    """None if dollars are not capped, or are enough."""
    calls: int | None
    """Likewise."""
    answers_a_case: int
    """How many answers a case they are for."""

    def __str__(self) -> str:
        """As a part of a message."""
        caps = [*([rounded_up(self.usd)] if self.usd else []), *([f"{self.calls} calls"] if self.calls else [])]
        answers = "one answer" if self.answers_a_case == 1 else f"{self.answers_a_case} answers"
        return f"about {' and '.join(caps)} would have been needed for {answers} a case"

    @property
    def caps(self) -> str:
        """What to raise, and to how much."""
        caps = [f"`max_usd` to at least {rounded_up(self.usd)}"] if self.usd else []
        caps += [f"`max_calls` to at least {self.calls}"] if self.calls else []
        return " and ".join(caps)


def needed(
    budget: Budget, answered: Mapping[str, Answered], cases: int, *, each: int = 1, ahead: int = 0
) -> Needed | None:
    """The caps with which the run that reached one would come to its end; None if it cannot be told.

    A side needs what it has spent, what its other answers will cost, and room for the most that one more call can cost,
    as that is set aside before it is sent. The sides' shares are equal, so the dearer one decides.

    Args:
        budget: The run's, with its accounts.
        answered: What is kept of each side; for EVALUATION, what is kept of answers that were judged.
        cases: How many cases there are.
        each: How many answers of each side a case are wanted at first.
        ahead: How many answers of other runs are to be paid from the same cap afterwards; as dear as these.
    """
    sides = budget.sides or tuple(side for side in SIDES if side in budget.accounts)
    if not cases or not any(side in budget.accounts or side in budget.dearest for side in sides):
        return None  # batches are charged to nobody in particular
    done = {party: answered.get(party, Answered()) for party in (*sides, EVALUATION)}
    accounts = {party: budget.accounts.get(party, Account()) for party in done}
    # Close cases are asked again: who is in the middle of a later round needs what that takes.
    rounds = max(each, math.ceil(max(done[side].answers for side in sides) / cases))
    wanted = {party: rounds * cases * (len(sides) if party == EVALUATION else 1) for party in done}

    def at_the_end(spent: Mapping[str, float], kept: Mapping[str, float], *, least: float = 0.0) -> dict[str, float]:
        """What each party will have used, where an answer takes that at least."""
        took = {party: max(spent[party], kept[party]) / max(1, one.answers) for party, one in done.items()}
        for side in sides:  # of one that has not answered yet, nothing is known but the other
            took[side] = max(took[side] or max(took[other] for other in sides), least)
        left = {party: max(0, wanted[party] - one.answers) + ahead for party, one in done.items()}
        return {party: spent[party] + MARGIN * left[party] * took[party] for party in done}

    usd = calls = None
    if budget.max_usd is not None:
        ends = at_the_end(
            {party: one.spent_usd for party, one in accounts.items()}, {party: one.usd for party, one in done.items()}
        )
        room = {party: budget.dearest.get(party, 0.0) for party in done}
        most = max(ends[side] for side in sides) + max(room[side] for side in sides)
        others = budget.spent_usd - sum(one.spent_usd for one in budget.accounts.values())
        judges = ends[EVALUATION] + room[EVALUATION]
        usd = _cap(budget, len(sides), most, judges, max(0.0, others), shared=ahead > 0)
        usd = usd if usd > budget.max_usd else None
    if budget.max_calls is not None:
        ends = at_the_end(
            {party: one.calls for party, one in accounts.items()},
            {party: one.calls for party, one in done.items()},
            least=1.0,
        )
        most = math.ceil(max(ends[side] for side in sides))
        others = budget.calls - sum(one.calls for one in budget.accounts.values())
        judges = math.ceil(ends[EVALUATION])
        calls = math.ceil(_cap(budget, len(sides), most, judges, max(0, others), shared=ahead > 0) - 1e-6)
        calls = calls if calls > budget.max_calls else None
    return Needed(usd, calls, rounds) if usd is not None or calls is not None else None


def _cap(budget: Budget, sides: int, most: float, judges: float, others: float, *, shared: bool) -> float:
    """The cap with which shares of so much, what is kept for judges and what others have spent all fit.

    Args:
        budget: The run's.
        sides: How many sides need that much.
        most: What each needs.
        judges: What judges need.
        others: What others have spent.
        shared: Whether the cap will have shares, though this run has none.
    """
    kept = (sides * most + others) / (1.0 - KEPT_FOR_EVALUATION) if budget.judged and (budget.sides or shared) else 0.0
    return max(sides * most + others + judges, kept)
