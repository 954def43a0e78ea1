"""Several workers that share the questions."""

import asyncio
from collections.abc import Callable

from evaluator.records import JsonValue
from evaluator.worker.json_lines import Answered, JsonLinesWorker


class WorkerPool:
    """As many workers as questions may be open at once; a question takes the first that is free.

    Args:
        make: Makes the worker of a slot, numbered from 0.
        size: How many; at least 1.
    """

    def __init__(self, make: Callable[[int], JsonLinesWorker], size: int) -> None:
        """Make the workers without starting them; see the class."""
        if size < 1:
            raise ValueError(f"a pool needs at least one worker, not {size}")
        self._workers = [make(slot) for slot in range(size)]
        # The last one given back is the next one taken, so that few questions start few processes.
        self._free: asyncio.LifoQueue[JsonLinesWorker] = asyncio.LifoQueue()
        for worker in reversed(self._workers):
            self._free.put_nowait(worker)

    async def start(self) -> None:
        """Start all processes now rather than at their first question.

        Raises:
            WorkerFailure: CRASH, if one cannot be started; the others are closed again.
        """
        try:
            for worker in self._workers:
                await worker.start()
        except BaseException:
            await self.close()
            raise

    async def ask(self, message: JsonValue) -> JsonValue:
        """Ask one question of a free worker; see `JsonLinesWorker.ask`."""
        return dict((await self.ask_timed(message)).value)

    async def ask_timed(self, message: JsonValue) -> Answered:
        """Ask one question of a free worker; the wait for it is not in the latency."""
        worker = await self._free.get()
        try:
            return await worker.ask_timed(message)
        finally:
            self._free.put_nowait(worker)

    async def close(self) -> None:
        """Close all workers; none of their processes is left running."""
        await asyncio.gather(*(worker.close() for worker in self._workers))
