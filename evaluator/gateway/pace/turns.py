"""Who may ask a provider next: calls wait here for their turn, in the order in which they came, fairly among sides.

What is waited here is our queue. It comes before a call is sent, so it is never part of a latency.
"""

import asyncio
import heapq
import itertools
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from evaluator.gateway.pace.lane import Call, Ending, Lane, Limits
from evaluator.gateway.pace.told import NOTHING, Told

_MOST_LINES = 1000
"""Lines that are kept: an app under test may name any model."""


class PatienceSpent(Exception):
    """A provider has said `wait` for too long."""


@dataclass(slots=True)
class _Waiter:
    future: asyncio.Future[Call]
    size: int
    limit: int | None
    patient: bool
    """Whether it waits as long as it takes."""


@dataclass(slots=True)
class Turn:
    """A call that has its turn; say how it ended before the context is left."""

    ending: Ending = Ending.FAILED
    told: Told = NOTHING
    used: tuple[int, int] | None = None


@dataclass(slots=True)
class Line:
    """The queue before one provider and model."""

    lane: Lane
    now: Callable[[], float] = time.monotonic
    _tickets: "itertools.count[int]" = field(default_factory=itertools.count)
    _waiting: dict[str, list[tuple[int, _Waiter]]] = field(default_factory=dict)
    """By who asks: a heap by ticket. Nobody is kept who does not wait."""
    _served: dict[str, float] = field(default_factory=dict)
    """Start-time fair queueing (P. Goyal et al., 1996): the side that has had the least part of the limits is next."""
    _last_served: float = 0.0
    _alarm: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether nobody waits and nothing is under way."""
        return not self._waiting and not any(window.in_flight for window in self.lane.windows.values())

    def ticket(self) -> int:
        """A place in the queue; a call that asks again keeps its own."""
        return next(self._tickets)

    def enter(self, size: int, limit: int | None, who: str = "") -> Call | None:
        """A turn at once; None if `wait` has to be awaited.

        Args:
            size: Bytes of the call's body.
            limit: Most tokens that it lets the model make; None if it does not say.
            who: The side that asks: each has a fair part.
        """
        lane = self.lane
        if self._waiting:
            return None
        window = lane.windows.get(who) or lane.window(who)
        now = self.now()
        if window.size < math.inf and window.wait_s(now) > 0:
            return None
        given, made = lane.estimate(size, limit)
        if (lane.allowances or lane.held_until > now) and lane.wait_s(now, given, made) > 0:
            return None
        return lane.send(now, window, size, given, made)

    async def wait(
        self, ticket: int, size: int, limit: int | None, who: str = "", *, longest_s: float | None = None
    ) -> Call:
        """Wait for a turn.

        Args:
            ticket: From `ticket`.
            size: As for `enter`.
            limit: As for `enter`.
            who: As for `enter`.
            longest_s: After that the call goes ahead all the same; None waits as long as it takes.

        Raises:
            PatienceSpent: The provider asks for a longer wait than the config allows.
        """
        if why := self._hopeless():
            if longest_s is not None:
                return self._send(who, size, limit)
            raise PatienceSpent(why)
        future: asyncio.Future[Call] = asyncio.get_running_loop().create_future()
        if who not in self._waiting:
            self._waiting[who] = []
            self._served[who] = max(self._served.get(who, 0.0), self._last_served)
        heapq.heappush(self._waiting[who], (ticket, _Waiter(future, size, limit, longest_s is None)))
        self._admit()
        try:
            if longest_s is None:
                return await future
            return await asyncio.wait_for(asyncio.shield(future), longest_s)
        except TimeoutError:
            if not future.cancel():
                return future.result()
            self._admit()
            return self._send(who, size, limit)
        except asyncio.CancelledError:
            if not future.cancel() and not future.cancelled() and future.exception() is None:
                self.lane.unsend(self.now(), future.result())
            self._admit()
            raise

    def leave(
        self, call: Call, ending: Ending, told: Told = NOTHING, used: tuple[int, int] | None = None
    ) -> str | None:
        """Take in how a call ended, and let others have their turn.

        Returns:
            Why waiting for this provider is of no use any more; None as long as it is.
        """
        now = self.now()
        self.lane.end(now, call, ending, told, used)
        why = self.lane.given_up(now) if ending is Ending.TURNED_AWAY else None
        if self._waiting:
            self._admit()
        return why

    @asynccontextmanager
    async def turn(
        self, size: int, limit: int | None, who: str = "", *, longest_s: float | None = None
    ) -> AsyncIterator[Turn]:
        """Wait for a turn and hold it; the same as `enter`, `wait` and `leave`."""
        call = self.enter(size, limit, who)
        if call is None:
            call = await self.wait(self.ticket(), size, limit, who, longest_s=longest_s)
        turn = Turn()
        try:
            yield turn
        finally:
            self.leave(call, turn.ending, turn.told, turn.used)

    def _send(self, who: str, size: int, limit: int | None) -> Call:
        return self.lane.send(self.now(), self.lane.window(who), size, *self.lane.estimate(size, limit))

    def _hopeless(self) -> str | None:
        now = self.now()
        return self.lane.given_up(now) if self.lane.held_until - now > self.lane.limits.patience_s else None

    def _admit(self) -> None:
        """Give turns to those who wait, as far as the limits go, and come back when they go further."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        why = self._hopeless()
        wait = 0.0
        while wait == 0.0 and self._waiting:
            wait = self._admit_one(why)
        if self._waiting and wait < math.inf:
            self._alarm = asyncio.get_running_loop().call_later(wait, self._admit)

    def _admit_one(self, why: str | None) -> float:
        """0 if there is something more to do now; else seconds until there is, infinity if a call has to end first."""
        now, soonest = self.now(), math.inf
        for who in sorted(self._waiting, key=lambda who: self._served[who]):
            queue = self._waiting[who]
            while queue and queue[0][1].future.done():
                heapq.heappop(queue)
            if not queue:
                del self._waiting[who]
                return 0.0
            waiter = queue[0][1]
            if why is not None and waiter.patient:
                waiter.future.set_exception(PatienceSpent(why))
                return 0.0
            ready = self.lane.window(who).wait_s(now)
            limits = self.lane.wait_s(now, *self.lane.estimate(waiter.size, waiter.limit))
            if ready <= 0 and limits <= 0:
                self._last_served = self._served[who]
                self._served[who] += self.lane.share(*self.lane.estimate(waiter.size, waiter.limit))
                waiter.future.set_result(self._send(who, waiter.size, waiter.limit))
                return 0.0
            soonest = min(soonest, max(ready, limits))
            if limits > 0:  # the limits are everybody's: nobody goes ahead of who is next
                break
        return max(soonest, 0.001)


class Pace:
    """The lines before all providers and models of a run."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        """Begin without knowing anything.

        Args:
            now: Seconds of a clock that only goes forward.
        """
        self._now = now
        self._lines: dict[tuple[str, str], Line] = {}

    def line(self, provider: str, model: str, limits: Limits) -> Line:
        """The line before a provider's model."""
        found = self._lines.get((provider, model))
        if found is None:
            if len(self._lines) >= _MOST_LINES:
                self._lines = {key: line for key, line in self._lines.items() if not line.idle}
            found = self._lines[(provider, model)] = Line(Lane(limits), self._now)
        return found
