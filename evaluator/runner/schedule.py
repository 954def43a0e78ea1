"""Runs what is asked for, base and head of a case side by side in time; what the journal holds is not run again."""

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluator.errors import BudgetError
from evaluator.gateway.budget import BUDGET_HINT
from evaluator.journal.journal import Journal
from evaluator.records import Case, FailureKind, Output, Score, Side
from evaluator.results.values import values_of
from evaluator.runner.progress import Progress
from evaluator.runner.work import Work
from evaluator.scoring.interface import Pair, Scorer
from evaluator.target.interface import Target


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is run, and how."""

    cases: Sequence[Case]
    targets: Mapping[Side, Target]
    scorers: Sequence[Scorer]
    concurrency: int = 8
    seed: int = 0


@dataclass(frozen=True, slots=True)
class _Unit:
    """One repeat of one case, on the sides that are wanted."""

    case: int
    repeat: int
    sides: tuple[Side, ...]


_Task = asyncio.Task[dict[Side, dict[str, float]]]


async def run(schedule: Schedule, work: Work, journal: Journal, progress: Progress) -> None:
    """Run what `work` asks for until it asks for nothing more.

    Raises:
        EvalGateError: The run cannot go on: a provider is down, the budget is spent, the journal cannot be written.
    """
    progress.start(total=len(schedule.cases) * len(schedule.targets))
    running: dict[_Task, _Unit] = {}
    # Not `asyncio.wait`, which goes through all that is running each time that one of them ends.
    ended: asyncio.Queue[_Task] = asyncio.Queue()
    dice = random.Random(schedule.seed)  # noqa: S311  an order, not a secret
    try:
        while True:
            busy = {(unit.case, unit.repeat) for unit in running.values()}
            for unit in _units(work.ask(schedule.concurrency * len(schedule.targets)), busy):
                if len(running) >= schedule.concurrency:
                    break
                # Which side is asked first alternates at random, so that a drift of the provider hits both alike.
                sides = tuple(dice.sample(unit.sides, len(unit.sides)))
                task = asyncio.create_task(_run(unit, sides, schedule, journal, progress))
                task.add_done_callback(ended.put_nowait)
                running[task] = unit
            if not running:
                return
            done = [await ended.get()]
            while not ended.empty():
                done.append(ended.get_nowait())
            for task in done:
                unit = running.pop(task)
                for side, values in task.result().items():
                    work.tell(side, unit.case, unit.repeat, values)
    finally:
        await _cancel(running)
        progress.stop()


async def _cancel(tasks: Mapping[_Task, _Unit]) -> None:
    """End what is still running: it is not needed any more, or the run has failed."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _units(requests: Sequence[tuple[Side, int, int]], busy: set[tuple[int, int]]) -> list[_Unit]:
    """Requests grouped by case and repeat, in their order, without those that are being run."""
    sides: dict[tuple[int, int], list[Side]] = {}
    for side, case, repeat in requests:
        if (case, repeat) not in busy:
            sides.setdefault((case, repeat), []).append(side)
    return [_Unit(case, repeat, tuple(wanted)) for (case, repeat), wanted in sides.items()]


async def _run(
    unit: _Unit, sides: Sequence[Side], schedule: Schedule, journal: Journal, progress: Progress
) -> dict[Side, dict[str, float]]:
    """Answer and score a unit; gives the values of each side by column."""
    case = schedule.cases[unit.case]
    outputs: dict[Side, Output] = {}
    for side in sides:
        output = journal.output(case.id, side, unit.repeat)
        fresh = output is None
        if output is None:
            output = await schedule.targets[side].answer(case, repeat=unit.repeat)
            if output.failure is not None and output.failure.kind is FailureKind.BUDGET:
                raise BudgetError(output.failure.message, hint=BUDGET_HINT)
            journal.put_output(case.id, side, unit.repeat, output)
        outputs[side] = output
        progress.advance(failed=output.failure is not None, fresh=fresh)
    scores = await _score(case, unit.repeat, outputs, schedule.scorers, journal)
    values = {
        side: values_of(case, output, list(scores[side].values()), schedule.scorers) for side, output in outputs.items()
    }
    # An answer without calls was measured by us, just now.
    if len({output.measured_in for output in outputs.values() if output.calls}) > 1 and "base" in values:
        # Measured on different days: head's latency still counts by itself, but the pair is not compared.
        values["base"].pop("latency", None)
    return values


async def _score(
    case: Case, repeat: int, outputs: Mapping[Side, Output], scorers: Sequence[Scorer], journal: Journal
) -> dict[Side, dict[str, Score]]:
    """The scores of every side by scorer: from the journal, or made now and kept there."""
    scores: dict[Side, dict[str, Score]] = {
        side: {} if output.failure else journal.scores(case.id, side, repeat) for side, output in outputs.items()
    }
    answered = {side: output for side, output in outputs.items() if output.failure is None}

    def keep(side: Side, score: Score) -> None:
        if score.failure is not None and score.failure.kind is FailureKind.BUDGET:
            raise BudgetError(score.failure.message, hint=BUDGET_HINT)
        journal.put_score(case.id, side, repeat, score)
        scores[side][score.scorer] = score

    async def one(scorer: Scorer, side: Side) -> None:
        keep(side, await scorer.score(case, answered[side], repeat=repeat))

    async def pair(scorer: Scorer) -> None:
        base, head = await scorer.score_pair(case, Pair(answered["base"], answered["head"]), repeat=repeat)
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
    return scores
