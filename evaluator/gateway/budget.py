"""The spending cap: money is reserved before a call and settled after it, so that the cap holds at any concurrency."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from evaluator.errors import BudgetError

BUDGET_HINT = (
    "raise `budget:` in the config at base, or use fewer cases; what is answered is kept and will not be paid again"
)


@dataclass(slots=True)
class Reservation:
    """Money set aside for one call in flight."""

    worst_usd: float
    spent_usd: float = 0.0
    """What the call cost, set by the caller before the reservation ends; the worst where it was sent and is unknown."""


@dataclass(slots=True)
class Budget:
    """A cap on money and calls, with what is spent and what is in flight."""

    max_usd: float | None = None
    max_calls: int | None = None
    spent_usd: float = 0.0
    calls: int = 0
    name: str = "the budget"
    """How messages call it."""
    hint: str = BUDGET_HINT
    on_settled: Callable[[float, int], None] | None = None
    """Told dollars and calls so far after each settlement, so that they can be stored; must not raise."""
    _reserved_usd: float = 0.0
    _in_flight: int = 0
    _waiting: list[asyncio.Future[None]] = field(default_factory=list)

    @asynccontextmanager
    async def reserve(self, worst_usd: float) -> AsyncIterator[Reservation]:
        """Set aside the most that a call can cost; wait for calls in flight to settle if that could make room.

        Nothing is awaited once the call has ended: a call that is cancelled settles too.

        Raises:
            BudgetError: The call could pass a cap even after all calls in flight have settled.
        """
        while not self._fits(worst_usd):
            if self._in_flight == 0 or self._never_fits(worst_usd):
                raise BudgetError(self._why(worst_usd), hint=self.hint)
            await self._next_settlement()
        reservation = Reservation(worst_usd)
        self._reserved_usd += worst_usd
        self._in_flight += 1
        self.calls += 1
        try:
            yield reservation
        finally:
            self._in_flight -= 1
            # With nothing in flight nothing is reserved: rounding must not add up.
            self._reserved_usd = self._reserved_usd - worst_usd if self._in_flight else 0.0
            self.spent_usd += reservation.spent_usd
            waiting, self._waiting = self._waiting, []
            for future in waiting:
                if not future.done():
                    future.set_result(None)
            if self.on_settled is not None:
                self.on_settled(self.spent_usd, self.calls)

    def require(self, worst_usd: float, calls: int) -> None:
        """See that many calls, made together elsewhere, cannot pass a cap.

        Raises:
            BudgetError: They could.
        """
        if self.max_calls is not None and self.calls + calls > self.max_calls:
            raise BudgetError(
                f"{calls} calls would pass {self.name} of {self.max_calls} calls ({self.calls} made)", hint=self.hint
            )
        if self.max_usd is not None and self.spent_usd + self._reserved_usd + worst_usd > self.max_usd:
            raise BudgetError(
                f"{calls} calls could cost ${worst_usd:.4f}, which would pass {self.name} of ${self.max_usd:.2f}"
                f" (${self.spent_usd:.4f} spent in {self.calls} calls)",
                hint=f"{self.hint}; a limit on each answer (`max_tokens`) lowers what calls could cost",
            )

    async def _next_settlement(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def _never_fits(self, worst_usd: float) -> bool:
        """Whether no settlement can make room: who asks for what cannot be must not be let wait."""
        return self.max_usd is not None and self.spent_usd + worst_usd > self.max_usd

    def _fits(self, worst_usd: float) -> bool:
        money = self.max_usd is None or self.spent_usd + self._reserved_usd + worst_usd <= self.max_usd
        return money and (self.max_calls is None or self.calls < self.max_calls)

    def _why(self, worst_usd: float) -> str:
        if self.max_calls is not None and self.calls >= self.max_calls:
            return f"{self.name} of {self.max_calls} calls is used up"
        return (
            f"the next call could cost ${worst_usd:.4f}, which would pass {self.name} of ${self.max_usd:.2f}"
            f" (${self.spent_usd:.4f} spent in {self.calls} calls)"
        )
