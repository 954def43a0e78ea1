"""One unit of work: a repeat of a case on the sides that are wanted, answered and scored, and kept in the journal."""

import asyncio
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from evaluator.engines.interface import Kept, Progress, Schedule
from evaluator.errors import BudgetError
from evaluator.gate import Request
from evaluator.gateway.budget import BUDGET_HINT
from evaluator.gateway.interface import Deferred
from evaluator.records import Case, FailureKind, Output, Score, Side
from evaluator.results.values import values_of
from evaluator.scoring.interface import Pair, Scorer


@dataclass(frozen=True, slots=True)
class Unit:
    """One repeat of one case, on the sides that are wanted."""

    case: int
    repeat: int
    sides: tuple[Side, ...]

    def turned(self, dice: random.Random) -> "Unit":
        """The same, its sides in another order: a drift of the provider must hit both alike."""
        return Unit(self.case, self.repeat, tuple(dice.sample(self.sides, len(self.sides))))


def units_of(requests: Sequence[Request], busy: Collection[tuple[int, int]] = ()) -> list[Unit]:
    """Requests grouped by case and repeat, in their order, without those that are being run.

    Args:
        requests: What is asked for.
        busy: (case, repeat) of what is being run.
    """
    sides: dict[tuple[int, int], list[Side]] = {}
    for side, case, repeat in requests:
        if (case, repeat) not in busy:
            sides.setdefault((case, repeat), []).append(side)
    return [Unit(case, repeat, tuple(wanted)) for (case, repeat), wanted in sides.items()]


async def run_unit(unit: Unit, schedule: Schedule, journal: Kept, progress: Progress) -> dict[Side, dict[str, float]]:
    """Answer and score a unit, its sides in their order; gives the values of each side by column.

    Raises:
        EvalGateError: The run cannot go on.
        Deferred: Some answer comes later; all that can be asked by now has been asked.
    """
    case = schedule.cases[unit.case]
    outputs: dict[Side, Output] = {}
    later: Deferred | None = None
    for side in unit.sides:
        output = journal.output(case.id, side, unit.repeat)
        fresh = output is None
        if output is None:
            try:
                output = await schedule.targets[side].answer(case, repeat=unit.repeat)
            except Deferred as deferred:
                later = deferred
                continue
            if output.failure is not None and output.failure.kind is FailureKind.BUDGET:
                raise BudgetError(output.failure.message, hint=BUDGET_HINT)
            journal.put_output(case.id, side, unit.repeat, output)
        outputs[side] = output
        progress.advance(failed=output.failure is not None, fresh=fresh)
    if later is not None:
        raise later
    scores = await score_unit(case, unit.repeat, outputs, schedule.scorers, journal)
    return values_by_side(case, outputs, scores, schedule.scorers)


def values_by_side(
    case: Case,
    outputs: Mapping[Side, Output],
    scores: Mapping[Side, Mapping[str, Score]],
    scorers: Sequence[Scorer],
) -> dict[Side, dict[str, float]]:
    """The values of a unit by side and column, as `Work` is told them."""
    values = {
        side: values_of(case, output, list(scores[side].values()), scorers, side) for side, output in outputs.items()
    }
    # An answer without calls was measured by us, just now.
    if len({output.measured_in for output in outputs.values() if output.calls}) > 1 and "base" in values:
        # Measured on different days: head's latency still counts by itself, but the pair is not compared.
        values["base"].pop("latency", None)
    return values


async def score_unit(
    case: Case, repeat: int, outputs: Mapping[Side, Output], scorers: Sequence[Scorer], journal: Kept
) -> dict[Side, dict[str, Score]]:
    """The scores of every side by scorer: from the journal, or made now and kept there.

    Raises:
        EvalGateError: The run cannot go on.
        Deferred: Some score comes later; all that can be asked by now has been asked.
    """
    later: list[Deferred] = []
    scores: dict[Side, dict[str, Score]] = {
        side: {} if output.failure else journal.scores(case.id, side, repeat) for side, output in outputs.items()
    }
    answered = {side: output for side, output in outputs.items() if output.failure is None}

    def keep(side: Side, score: Score) -> None:
        """Keep a score, unless there was no money for it."""
        if score.failure is not None and score.failure.kind is FailureKind.BUDGET:
            raise BudgetError(score.failure.message, hint=BUDGET_HINT)
        journal.put_score(case.id, side, repeat, score)
        scores[side][score.scorer] = score

    async def one(scorer: Scorer, side: Side) -> None:
        """Score one side."""
        try:
            keep(side, await scorer.score(case, answered[side], repeat=repeat))
        except Deferred as deferred:
            later.append(deferred)

    async def pair(scorer: Scorer) -> None:
        """Score both sides together."""
        try:
            base, head = await scorer.score_pair(case, Pair(answered["base"], answered["head"]), repeat=repeat)
        except Deferred as deferred:
            later.append(deferred)
            return
        keep("base", base)
        keep("head", head)

    try:
        async with asyncio.TaskGroup() as group:
            for scorer in scorers:
                missing = [side for side in answered if scorer.name not in scores[side]]
                if not scorer.pairwise:
                    for side in missing:
                        group.create_task(one(scorer, side))
                elif missing and len(answered) == 2:
                    group.create_task(pair(scorer))
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    if later:
        raise later[0]
    return scores
