"""A worker's share of the run's budget: calls are reserved and settled here, out of what the treasury has granted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from evaluator.engines.ray.lending import (
    NOTHING,
    Grant,
    Lender,
    Notice,
    Standing,
    Sum,
    Wish,
    whole,
    whole_grains,
)  # fmt: skip
from evaluator.engines.ray.pacing import SharedPace
from evaluator.errors import BudgetError, InfrastructureError
from evaluator.gateway.budget import Budget, Reservation

_CALLS_AHEAD = 2
"""How many calls are asked for at once, for each that may be under way: if a worker dies, its share is lost."""


@dataclass(slots=True)
class _Part:
    """What one party has of the share."""

    granted: Sum = NOTHING
    returned: Sum = NOTHING
    spent: Sum = NOTHING
    reserved_usd: float = 0.0


@dataclass(slots=True)
class _Waiting:
    party: str
    worst_usd: float
    room: asyncio.Future[Grant | None]
    """Done with None when it is worth to look again, or with a refusal."""


@dataclass(slots=True)
class SharedBudget(Budget):
    """A part of a budget; `max_usd` and `max_calls` are those of the whole, what is spent is this worker's.

    Use as an async context manager, within which it talks with the treasury.
    """

    lender: Lender | None = None
    worker: int = 0
    at_once: int = 1
    """How many calls the worker makes at once, about."""
    pace: SharedPace | None = None
    """Told when another worker was asked to wait."""
    _parts: dict[str, _Part] = field(default_factory=dict)
    _under_way: int = 0
    _grants: int = 0
    _messages: int = 0
    _recall: int = 0
    _line: list[_Waiting] = field(default_factory=list)
    _somebody: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _question: asyncio.Task[Grant] | None = None
    """What the treasury was asked and has not answered."""
    _telling: set[asyncio.Task[None]] = field(default_factory=set)
    _broken: InfrastructureError | None = None

    async def __aenter__(self) -> "SharedBudget":
        """Begin to listen to the treasury."""
        if self.lender is not None:
            self._tasks = [
                asyncio.create_task(self._fetch(self.lender)),
                asyncio.create_task(self._listen(self.lender)),
            ]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop listening."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task

    @asynccontextmanager
    async def reserve(self, worst_usd: float, *, party: str = "", outside: bool = False) -> AsyncIterator[Reservation]:
        """Set aside the most that a call can cost, out of this worker's share; see `Budget.reserve`.

        Raises:
            BudgetError: The call could pass the cap of the whole, or its party's share.
            InfrastructureError: Whoever shares the budget out has died.
        """
        self.dearest[party] = max(worst_usd, self.dearest.get(party, 0.0))
        part, worst = self._parts.setdefault(party, _Part()), whole_grains(worst_usd)
        while not self._has_room(part, worst):
            if self._broken is not None:
                raise self._broken
            waiting = _Waiting(party, worst, asyncio.get_running_loop().create_future())
            self._line.append(waiting)
            self._somebody.set()
            try:
                refused = await waiting.room
            finally:
                self._line.remove(waiting)
            if refused is not None:
                await self._refuse(refused, party, worst_usd)
        reservation, account = Reservation(worst_usd), self._begun(party)
        part.reserved_usd += worst
        part.spent += Sum(0.0, 1)
        self._under_way += 1
        try:
            yield reservation
        finally:
            self._under_way -= 1
            part.reserved_usd -= worst
            part.spent += Sum(whole_grains(reservation.spent_usd))
            self._settled(account, reservation, outside=outside)
            if self._recall:
                self.give_back()
            else:
                self._look_again()

    def give_back(self) -> None:
        """Return what is not needed at this moment, and tell of it."""
        if not self._tasks or self.lender is None:
            return
        for part in self._parts.values():
            held = part.granted - part.returned
            idle = held - part.spent - Sum(part.reserved_usd)
            part.returned += Sum(max(0.0, idle.usd), max(0, idle.calls))
        telling = asyncio.create_task(self._tell(self.lender, self._standing()))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def settle(self) -> None:
        """Give all back while nothing is under way, and wait until the treasury has it."""
        if self._question is not None:
            await asyncio.wait([self._question])
            await asyncio.sleep(0)  # `_fetch` takes the answer in
        self.give_back()
        await asyncio.gather(*self._telling)

    async def _asked(self, lender: Lender, wish: Wish) -> Grant:
        return await lender.ask(self.worker, self._standing(), wish)

    async def _tell(self, lender: Lender, standing: Standing) -> None:
        try:
            await lender.tell(self.worker, standing)
        except InfrastructureError as error:
            self._broken = error

    def _standing(self) -> Standing:
        self._messages += 1
        return Standing(
            number=self._messages,
            spent={party: part.spent for party, part in self._parts.items()},
            returned={party: part.returned for party, part in self._parts.items()},
            in_flight=self._under_way,
            grants=self._grants,
            recall=self._recall,
        )

    def _has_room(self, part: _Part, worst_usd: float) -> bool:
        held = part.granted - part.returned
        money = self.max_usd is None or part.spent.usd + part.reserved_usd + worst_usd <= held.usd
        return money and (self.max_calls is None or part.spent.calls < held.calls)

    def _look_again(self) -> None:
        for waiting in self._line:
            if not waiting.room.done():
                waiting.room.set_result(None)

    async def _fetch(self, lender: Lender) -> None:
        """Ask the treasury for more whenever somebody waits; one question at a time."""
        while True:
            first = next((waiting for waiting in self._line if not waiting.room.done()), None)
            if first is None:
                self._somebody.clear()
                await self._somebody.wait()
                continue
            ahead = _CALLS_AHEAD * self.at_once
            wish = Wish(first.party, first.worst_usd, Sum(first.worst_usd * ahead, ahead))
            try:
                self._question = asyncio.create_task(self._asked(lender, wish))
                grant = await self._question
            except InfrastructureError as error:
                self._broken = error
                self._look_again()
                return
            if grant.refused:
                if not first.room.done():
                    first.room.set_result(grant)
                continue
            self._parts[first.party].granted += grant.more
            self._grants += 1
            self._look_again()
            # Whoever waits takes it first; what nobody takes goes back.
            asyncio.get_running_loop().call_soon(self._return_untaken)

    def _return_untaken(self) -> None:
        if self._recall and self._under_way == 0:
            self.give_back()

    async def _listen(self, lender: Lender) -> None:
        """Hear of recalls, and of providers that ask to wait."""
        seen = Notice()
        while True:
            try:
                seen = await lender.notices(seen)
            except InfrastructureError as error:
                self._broken = error
                self._look_again()
                return
            self._recall = seen.recall
            for key, seconds in seen.held.items():
                if self.pace is not None:
                    self.pace.hold(key, seconds)
            if seen.recall:
                self.give_back()

    def tell_hold(self, key: tuple[str, str], seconds: float) -> None:
        """Tell all others that a provider has asked this worker to wait."""
        if self.lender is not None:
            telling = asyncio.create_task(self._tell_hold(self.lender, key, seconds))
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)

    async def _tell_hold(self, lender: Lender, key: tuple[str, str], seconds: float) -> None:
        with suppress(InfrastructureError):  # `_listen` learns that the treasury has died, too
            await lender.hold(*key, seconds)

    async def _refuse(self, refused: Grant, party: str, worst_usd: float) -> None:
        """Refuse in the words of a budget that one process spends alone.

        Raises:
            BudgetError: Always.
        """
        ended = refused.ended_by or Wish(party, worst_usd, NOTHING)
        async with whole(refused.caps, refused.spent).reserve(ended.need_usd, party=ended.party):
            raise BudgetError(f"{self.name} is used up", hint=self.hint)
