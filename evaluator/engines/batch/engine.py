"""The batch engine: the cases are gone through as far as their answers are known; what is missing goes out together.

Each run goes one step: it collects what is done, scores what it can, sends what is asked next, and ends. Answers come
first, then their judgements, then further repeats where the gate wants them.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from evaluator.engines.batch.office import Office
from evaluator.engines.interface import Progress, Schedule, Work
from evaluator.engines.units import Unit, run_unit, units_of
from evaluator.gateway.interface import Deferred
from evaluator.journal.batches import BatchLog
from evaluator.journal.journal import Journal
from evaluator.wiring.prepare import Prepared, RunRequest


@asynccontextmanager
async def open_batch_engine(
    request: RunRequest, ready: Prepared, journal: Journal, *, now: Callable[[], float] = time.time
) -> AsyncIterator["BatchEngine"]:
    """Collect what earlier runs have sent, and give the engine.

    Raises:
        RunSubmitted: A batch is not done yet.
        EvalGateError: A batch failed as a whole, or a provider does not work.
    """
    outbox = ready.gateway.outbox
    if outbox is None:
        raise RuntimeError("the gateway was set up for another engine")
    async with AsyncExitStack() as stack:
        log = BatchLog(journal)
        office = Office(ready.gateway, outbox, log, request.scratch, stack, now)
        await office.collect_all()
        yield BatchEngine(office)
        # The run has come to its end; if that was for an outage, the next one asks again.
        log.forget_outages()


class BatchEngine:
    """Runs what can be run by what is known, and sends the rest."""

    def __init__(self, office: Office) -> None:
        """Take the way to the batches."""
        self._office = office

    async def run(self, schedule: Schedule, work: Work, journal: Journal, progress: Progress) -> None:
        """Run a schedule; see `Engine.run`.

        Raises:
            RunSubmitted: Some of it comes with a batch.
        """
        outbox = self._office.outbox
        # Asked before any case was: the judges' trials. No verdict without them.
        owed = len(outbox) > 0
        waiting: set[tuple[int, int]] = set()
        progress.start(total=schedule.answers)
        try:
            while units := units_of(work.ask(sys.maxsize), waiting):
                waiting |= await _go_through(units, schedule, work, journal, progress)
        finally:
            progress.stop()
        self._office.log.keep_fresh(outbox.fresh)
        if owed or work.ask(sys.maxsize):
            await self._office.send_all()
        outbox.clear()  # what was asked and is not needed any more


async def _go_through(
    units: list[Unit], schedule: Schedule, work: Work, journal: Journal, progress: Progress
) -> set[tuple[int, int]]:
    """Run units as far as they go; gives the (case, repeat) of those that wait for a batch."""
    left = iter(units)
    waiting: set[tuple[int, int]] = set()

    async def some() -> None:
        for unit in left:  # shared: each takes the next one
            try:
                values = await run_unit(unit, schedule, journal, progress)
            except Deferred:
                waiting.add((unit.case, unit.repeat))
                continue
            for side, known in values.items():
                work.tell(side, unit.case, unit.repeat, known)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(schedule.concurrency, len(units))):
                group.create_task(some())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return waiting
