"""What several workers share: the budget of the run, who may spend how much of it, and who asks all to wait.

Pure: no Ray, no network; the clock is handed in.

A worker reserves and settles its calls by itself, out of what was granted to it; so a call costs no round trip. What is
granted to all of them together never passes the cap, nor a side's share of it. When somebody asks for more than is
left, all are asked to give back what they do not need at the moment (a *recall*); who cannot be served once nothing is
under way anywhere is refused. Who can never be served ends the run: nobody is granted anything any more.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from evaluator.engines.ray.lending import (
    GRAIN_USD,
    NOTHING,
    Caps,
    Grant,
    Notice,
    Parties,
    Standing,
    Sum,
    Wish,
    added,
    whole,
)  # fmt: skip

_MOST_HELD = 1_000
"""Models whose providers ask to wait: an app under test may name any."""


@dataclass(slots=True)
class _Worker:
    granted: dict[str, Sum] = field(default_factory=dict)
    grants: int = 0
    told: Standing = field(default_factory=Standing)

    @property
    def held(self) -> dict[str, Sum]:
        """What it may spend or has spent."""
        return {party: sum_ - self.told.returned.get(party, NOTHING) for party, sum_ in self.granted.items()}


@dataclass(slots=True)
class _Asked:
    worker: int
    wish: Wish
    answer: asyncio.Future[Grant]
    number: int = 0
    """Of the grant."""


@dataclass(slots=True, repr=False)  # Ray writes what an actor looks like into its log
class Treasury:
    """Grants shares of a budget; the methods are asynchronous because some answers must wait for others."""

    caps: Caps
    outside: dict[str, Sum] = field(default_factory=dict)
    """Spent by others than the workers: earlier processes, the driver, workers that died."""
    _workers: dict[int, _Worker] = field(default_factory=dict)
    _queue: deque[_Asked] = field(default_factory=deque)
    _recall: int = 0
    _recalling: bool = False
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _ended_by: Wish | None = None
    _holds: int = 0
    _held: dict[tuple[str, str], float] = field(default_factory=dict)
    now: Callable[[], float] = time.monotonic
    keeps: bool = False
    """Whether a grant is given out only after `held` has told of it, and who asked that has kept it."""
    _granted: int = 0
    """How many grants there are."""
    _kept: int = 0
    """How many of them are kept."""

    async def begin(self, outside: Parties, caps: Caps) -> None:
        """Say what others have spent so far, dead workers' shares included, and who shares the cap from now on."""
        self.outside, self.caps, self._ended_by = dict(outside), caps, None

    async def live(self) -> None:
        """Never answer: whoever asks learns it when this process dies."""
        await asyncio.Event().wait()

    async def ask(self, worker: int, standing: Standing, wish: Wish) -> Grant:
        """Ask for more; answered when it can be granted, or never can.

        Args:
            worker: Who asks.
            standing: Its share as it is.
            wish: What it asks for.
        """
        answer: asyncio.Future[Grant] = asyncio.get_running_loop().create_future()
        self._note(worker, standing)
        self._queue.append(asked := _Asked(worker, wish, answer))
        self._serve()
        grant = await answer
        while self.keeps and self._kept < asked.number:
            await self._changed.wait()
        return grant

    async def held(self, kept: int) -> tuple[int, Parties]:
        """What all workers may spend or have spent, as soon as there are other grants than the caller has kept.

        Args:
            kept: How many grants were told of by the last answer, which is kept now; 0 before there is one.
        """
        if kept > self._kept:
            self._kept = kept
            self._wake()
        while self._granted == kept:
            await self._changed.wait()
        return self._granted, await self.holdings()

    async def holdings(self) -> Parties:
        """What all workers may spend or have spent by now."""
        return added(worker.held for worker in self._workers.values())

    async def tell(self, worker: int, standing: Standing) -> None:
        """Hear what a worker has spent and given back."""
        self._note(worker, standing)
        self._serve()

    async def notices(self, seen: Notice) -> Notice:
        """What all must know, as soon as it differs from what the caller has seen."""
        while self._notice() == seen:
            await self._changed.wait()
        return self._notice()

    async def hold(self, provider: str, model: str, seconds: float) -> None:
        """Hear that a provider has asked a worker to wait; all others are told.

        Args:
            provider: Its name.
            model: Of which limit it spoke.
            seconds: For how long.
        """
        now = self.now()
        self._held = {key: until for key, until in self._held.items() if until > now}
        if len(self._held) < _MOST_HELD and now + seconds > self._held.get((provider, model), now):
            self._held[(provider, model)] = now + seconds
            self._holds += 1
            self._wake()

    async def forget(self, worker: int) -> Parties:
        """A worker has died: its whole share counts as spent, as nobody knows what of it was; gives that share."""
        gone = self._workers.pop(worker, _Worker())
        for asked in [asked for asked in self._queue if asked.worker == worker]:
            self._queue.remove(asked)
            asked.answer.cancel()
        lost = gone.held if self.caps.any else dict(gone.told.spent)
        self.outside = added([self.outside, lost])
        self._serve()
        return lost

    def _note(self, worker: int, standing: Standing) -> None:
        known = self._workers.setdefault(worker, _Worker())
        if standing.number > known.told.number:
            known.told = standing

    def _notice(self) -> Notice:
        now = self.now()
        held = {key: until - now for key, until in self._held.items() if until > now}
        return Notice(self._recall if self._recalling else 0, self._holds, held)

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _serve(self) -> None:
        """Answer whom it can, in the order in which they asked."""
        while self._queue:
            first = self._queue[0]
            free, left = (self._free(first.wish.party, used) for used in (self._workers_hold(), self._spent()))
            need_usd = first.wish.need_usd - GRAIN_USD  # which may have been added by rounding
            if left.usd < need_usd or left.calls < 1:  # as in `Budget`: nobody's call is begun any more, and then lost
                self._ended_by = self._ended_by or first.wish
            if self._ended_by is None and free.usd >= need_usd and free.calls >= 1:
                self._grant(first, free)
            elif self._recalling and self._quiet():
                first.answer.set_result(
                    Grant(refused=True, spent=self._spent(), caps=self.caps, ended_by=self._ended_by)
                )
            else:
                break
            self._queue.popleft()
        if bool(self._queue) != self._recalling:
            self._recalling = bool(self._queue)
            self._recall += self._recalling
            self._wake()

    def _grant(self, asked: _Asked, free: Sum) -> None:
        """Grant what is needed; more of it only while nobody else waits, and never more than a fair part."""
        worker, wish = self._workers[asked.worker], asked.wish
        usd, calls = wish.need_usd, 1
        if len(self._queue) == 1:
            parts = 2 * max(1, len(self._workers))
            usd = max(usd, min(wish.want.usd, free.usd / parts) // GRAIN_USD * GRAIN_USD)
            calls = max(calls, min(wish.want.calls, free.calls // parts))
        worker.granted[wish.party] = worker.granted.get(wish.party, NOTHING) + Sum(usd, calls)
        worker.grants += 1
        self._granted += 1
        asked.number = self._granted
        self._wake()
        asked.answer.set_result(Grant(Sum(usd, calls)))

    def _free(self, party: str, used: Parties) -> Sum:
        """What is left for a party beside what is used; a great deal where there is no cap."""
        budget = whole(self.caps, used)
        mine = used.get(party, NOTHING)
        usd, calls = float("inf"), 1 << 62
        if budget.max_usd is not None:
            share = budget.share_usd() if party in self.caps.sides else None
            left = budget.max_usd - budget.spent_usd
            usd = left if share is None else min(left, share - mine.usd)
        if budget.max_calls is not None:
            most = budget.share_calls() if party in self.caps.sides else None
            still = budget.max_calls - budget.calls
            calls = still if most is None else min(still, most - mine.calls)
        return Sum(usd, calls)

    def _workers_hold(self) -> Parties:
        """What is spent or may be, by anybody."""
        return added([self.outside, *(worker.held for worker in self._workers.values())])

    def _spent(self) -> Parties:
        return added([self.outside, *(worker.told.spent for worker in self._workers.values())])

    def _quiet(self) -> bool:
        """Whether all have obeyed the recall, and nothing is under way that could make room."""
        return all(
            worker.told.recall == self._recall and worker.told.in_flight == 0 and worker.told.grants == worker.grants
            for worker in self._workers.values()
        )
