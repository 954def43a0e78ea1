"""The places of a target at which cases are answered: each a process of its own with a meter of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

Seat = TypeVar("Seat")


class Seats(Generic[Seat]):
    """A fixed number of places; a case takes the first that is free.

    Args:
        make: Makes the place of a number, from 0.
        count: How many; at least 1.
    """

    def __init__(self, make: Callable[[int], Seat], count: int) -> None:
        """Make all places; see the class."""
        if count < 1:
            raise ValueError(f"a target needs at least one place, not {count}")
        self.all = [make(number) for number in range(count)]
        # The last one given back is the next one taken, so that few cases start few processes.
        self._free: asyncio.LifoQueue[Seat] = asyncio.LifoQueue()
        for seat in reversed(self.all):
            self._free.put_nowait(seat)

    @asynccontextmanager
    async def take(self) -> AsyncIterator[Seat]:
        """Wait for a free place and hold it."""
        seat = await self._free.get()
        try:
            yield seat
        finally:
            self._free.put_nowait(seat)
