"""A target whose answers are given by other processes, which have it set up and started."""

from typing import Protocol

from evaluator.records import Case, Output, Side
from evaluator.target.interface import Target


class There(Protocol):
    """The processes that have the target; an engine is one while it is open."""

    async def answer(self, side: Side, case: Case, repeat: int) -> Output:
        """Answer a case outside of a schedule."""
        ...

    async def end(self, side: Side) -> None:
        """End a side's apps everywhere."""
        ...


class TargetElsewhere(Target):
    """Stands for a side here."""

    def __init__(self, side: Side) -> None:
        """Nothing is told yet, and nobody is there to be asked."""
        self.side = side
        self.there: There | None = None
        self.told: tuple[str, ...] = ()
        """What the processes that have the target tell people of it."""

    def notes(self) -> tuple[str, ...]:
        """What people should be told of it."""
        return self.told

    async def close(self) -> None:
        """End it where it is; afterwards those processes end by themselves."""
        if self.there is not None:
            await self.there.end(self.side)

    async def answer(self, case: Case, *, repeat: int = 0) -> Output:
        """Have it answered there."""
        if self.there is None:
            raise RuntimeError("a target that is elsewhere was asked while nobody was there")
        return await self.there.answer(self.side, case, repeat)
