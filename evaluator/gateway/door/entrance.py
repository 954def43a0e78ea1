"""One side's own way to the door: a port, its tokens, and limits that hold for this side alone.

Base and head never share a limit: whatever head's app holds, base's finds its own connections, memory and turns free.
A caged app reaches its own side's port only. Where the kernel has no rule for that, it can still connect to the other
side's, but has no token there: such strangers are few at a time, and the oldest goes when a new one comes.
"""

import asyncio
import logging
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from aiohttp import web

from evaluator.errors import InfrastructureError
from evaluator.gateway.door.free import OwnResponses
from evaluator.gateway.door.large import LargeReader
from evaluator.gateway.door.refusal import Refused
from evaluator.gateway.door.routes import Route
from evaluator.gateway.door.settings import DoorSettings
from evaluator.gateway.door.slot import Slot
from evaluator.gateway.door.turned_away import TurnedAway
from evaluator.gateway.door.visitor import Visitor
from evaluator.gateway.providers import Provider

ADDRESS = "127.0.0.1"
STRANGERS = 256
"""Most connections of one side that have not shown a token yet."""
_BODIES_AT_ONCE = 2
_ACCEPTED_AT_ONCE = 32
"""Connections that are let in before anything else gets its turn: asyncio accepts as many as the backlog in one go."""
_BACKLOG = 1024
_SWEEP_S = 0.5
_SHUTDOWN_S = 0.2
_LINGER_S = 2.0
_TURNS_OF_A_GREETING = 3
"""Of the loop, from the kernel's accept to a connection's protocol."""
_FILES = 16_384
_OTHER_FILES = 256
_FEWEST = 32
_LOGGER = logging.getLogger(__name__)
_LOGGER.setLevel(logging.WARNING)  # below, aiohttp quotes what apps send

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Entrance:
    """A side's way to the door; made by `opened`."""

    name: str
    routes: tuple[Route, ...]
    settings: DoorSettings
    large: LargeReader
    """Reads this side's large JSON texts."""
    connections: int
    """Most connections that have shown a token."""
    port: int = 0
    slots: dict[str, Slot] = field(default_factory=dict)
    """By token."""
    own: OwnResponses = field(default_factory=OwnResponses)
    turned_away: TurnedAway = field(default_factory=TurnedAway)
    held_bytes: int = 0
    """What the bodies of requests under way hold, or were promised."""
    _guests: dict[Visitor, None] = field(default_factory=dict)
    _strangers: dict[Visitor, None] = field(default_factory=dict)
    _turns: dict[str, asyncio.Semaphore] = field(default_factory=dict)
    _waiting: list[asyncio.Future[None]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://{ADDRESS}:{self.port}"

    def slot(self, name: str) -> Slot:
        """A new token for what the name says, e.g. `head-3`."""
        slot = Slot(name, url=self.url, routes=self.routes, settings=self.settings)
        self.slots[slot.token] = slot
        return slot

    def admit(self, visitor: Visitor) -> None:
        """Let a connection in; where too many are without a token, the oldest of them has to go."""
        self._strangers[visitor] = None
        if len(self._strangers) > STRANGERS:
            self.forget(oldest := next(iter(self._strangers)))
            oldest.end()

    def welcome(self, visitor: Visitor) -> None:
        """Note that a connection has shown a token.

        Raises:
            Refused: There are too many, and none of them is idle.
        """
        if visitor.known:
            return
        if len(self._guests) >= self.connections:
            idle = min((guest for guest in self._guests if guest.idle), key=lambda guest: guest.until, default=None)
            if idle is None:
                message = f"more than {self.connections} connections at once"
                raise Refused(503, message, code="too_many_connections", again=True)
            self.forget(idle)
            idle.end()
        visitor.known = True
        self._strangers.pop(visitor, None)
        self._guests[visitor] = None

    def forget(self, visitor: Visitor) -> None:
        """A connection has ended."""
        self._strangers.pop(visitor, None)
        self._guests.pop(visitor, None)

    @asynccontextmanager
    async def turn(self, provider: Provider) -> AsyncIterator[None]:
        """Wait for this side's turn at a server that answers one call at a time: so the other's waits for one alone."""
        if not provider.exclusive:
            yield
            return
        turns = self._turns.setdefault(provider.name, asyncio.Semaphore(len(provider.base_urls)))
        async with turns:
            yield

    async def hold(self, size: int) -> None:
        """Wait until there is memory for a body of a size, and take it."""
        while not self._fits(size):
            future = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future
        self.held_bytes += size

    def hold_more(self, size: int) -> None:
        """Take memory for a piece of a body whose size was not told.

        Raises:
            Refused: There is none: who holds some already must not wait for more.
        """
        if not self._fits(size):
            raise Refused(503, "too many large requests at once", code="too_large", again=True)
        self.held_bytes += size

    def release(self, size: int) -> None:
        """Give memory back."""
        self.held_bytes -= size
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def end_overdue(self, now: float) -> None:
        """Cut off every connection whose time is over."""
        for visitor in [*self._strangers, *self._guests]:
            if visitor.until < now:
                visitor.end()

    def _fits(self, size: int) -> bool:
        return self.held_bytes + size <= _BODIES_AT_ONCE * self.settings.max_body_bytes or not self.held_bytes


class _Server(web.Server):
    """aiohttp's server, with connections that are ours."""

    def __init__(self, handle: Handle, entrance: Entrance) -> None:
        super().__init__(handle, handler_cancellation=True)
        self._entrance = entrance

    def __call__(self) -> Visitor:
        """A new connection's protocol."""
        return Visitor(
            self, porter=self._entrance, patience=(patience := self._entrance.settings.patience), access_log=None,
            logger=_LOGGER, lingering_time=_LINGER_S, keepalive_timeout=patience.idle_s,
        )  # fmt: skip


@asynccontextmanager
async def opened(entrance: Entrance, handle: Handle) -> AsyncIterator[None]:
    """Listen on a free port of the loopback address for as long as the context lasts.

    Args:
        entrance: Is told its port.
        handle: Answers a request.

    Raises:
        InfrastructureError: No port can be had.
    """
    runner = web.ServerRunner(_Server(handle, entrance), shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    sweeper = asyncio.create_task(_sweep(entrance))
    try:
        try:
            listener = socket.create_server((ADDRESS, 0))
            await web.SockSite(runner, listener, backlog=_ACCEPTED_AT_ONCE).start()
            listener.listen(_BACKLOG)  # what the kernel holds for us may well be more than what we take at once
        except OSError as error:
            raise InfrastructureError(f"the gateway cannot listen on {ADDRESS}: {error.strerror}") from None
        entrance.port = int(listener.getsockname()[1])
        try:
            yield
        finally:
            # What is accepted while asyncio closes its server (Python 3.11), nobody closes any more: so nothing is.
            asyncio.get_running_loop().remove_reader(listener)
            for _ in range(_TURNS_OF_A_GREETING):
                await asyncio.sleep(0)
    finally:
        sweeper.cancel()
        await asyncio.gather(sweeper, return_exceptions=True)
        await runner.cleanup()
        await entrance.large.close()


async def _sweep(entrance: Entrance) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(_SWEEP_S)
        entrance.end_overdue(loop.time())


@contextmanager
def enough_files(wanted: int, sides: int) -> Iterator[int]:
    """Raise how many files this process may open, as far as it may; how many connections a side may then have.

    Each may need another to the provider, and strangers, databases and pipes need some too.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    raised = soft
    if soft != resource.RLIM_INFINITY and soft < _FILES:
        raised = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
    try:
        free = raised - _OTHER_FILES - sides * STRANGERS
        yield wanted if raised == resource.RLIM_INFINITY else min(wanted, max(_FEWEST, free // (2 * sides)))
    finally:
        if raised != soft:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
