"""The local engine: one event loop, base and head of a case side by side in time."""

import asyncio
import random
from collections.abc import Mapping

from evaluator.engines.interface import Progress, Schedule, Work
from evaluator.engines.units import Unit, run_unit, units_of
from evaluator.errors import BudgetError
from evaluator.journal.journal import Journal
from evaluator.records import Side

_Task = asyncio.Task[dict[Side, dict[str, float]]]
_LAST_ANSWERS_S = 5.0
"""Past the budget: nothing is in flight then, and what was answered is kept within moments."""


class LocalEngine:
    """Runs everything in this process, `concurrency` units at a time."""

    async def run(self, schedule: Schedule, work: Work, journal: Journal, progress: Progress) -> None:
        """Run a schedule; see `Engine.run`."""
        progress.start(total=schedule.answers)
        running: dict[_Task, Unit] = {}
        # Not `asyncio.wait`, which goes through all that is running each time that one of them ends.
        ended: asyncio.Queue[_Task] = asyncio.Queue()
        dice = random.Random(schedule.seed)  # noqa: S311  an order, not a secret
        try:
            while True:
                busy = {(unit.case, unit.repeat) for unit in running.values()}
                for unit in units_of(work.ask(schedule.concurrency * len(schedule.targets)), busy):
                    if len(running) >= schedule.concurrency:
                        break
                    turned = unit.turned(dice)
                    task = asyncio.create_task(run_unit(turned, schedule, journal, progress))
                    task.add_done_callback(ended.put_nowait)
                    running[task] = turned
                if not running:
                    return
                done = [await ended.get()]
                while not ended.empty():
                    done.append(ended.get_nowait())
                for task in done:
                    unit = running.pop(task)
                    for side, values in task.result().items():
                        work.tell(side, unit.case, unit.repeat, values)
        except BudgetError:  # no call is begun any more; whose last one has just been paid for is let end
            if running:
                await asyncio.wait(running, timeout=_LAST_ANSWERS_S)
            raise
        finally:
            await _cancel(running)
            progress.stop()


async def _cancel(tasks: Mapping[_Task, Unit]) -> None:
    """End what is still running: it is not needed any more, or the run has failed."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
