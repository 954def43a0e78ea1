"""One connection of an app: what it is doing at the moment, and until when it may.

A subclass of aiohttp's connection, which has a limit on idle connections and on pipelined requests, and none on how
slowly headers, a body or an answer may pass.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Any, Protocol, cast

from aiohttp import web
from aiohttp.http import HttpProcessingError

from evaluator.gateway.door.settings import Patience

_BYTES_A_SECOND = 1_000_000
"""The slowest pace of a large body: loopback is a thousand times faster."""
_NO_LIMIT = math.inf


class Porter(Protocol):
    """Who lets connections in; `entrance.Entrance` is one."""

    def admit(self, visitor: "Visitor") -> None:
        """Let one in, or cut one off."""
        ...

    def forget(self, visitor: "Visitor") -> None:
        """Note that one has ended."""
        ...


class Visitor(web.RequestHandler):
    """A connection with a time limit on whatever it does; its entrance ends it when that is over."""

    __slots__ = ("_idle", "_now", "_patience", "_porter", "known", "until")

    def __init__(self, manager: web.Server, *, porter: Porter, patience: Patience, **options: Any) -> None:
        """Take the options of aiohttp's own.

        Args:
            manager: The server.
            porter: Lets it in.
            patience: How long it may take for what.
            options: Handed on.
        """
        loop = asyncio.get_running_loop()
        super().__init__(manager, loop=loop, **options)
        self._porter = porter
        self.known = False
        """True once it has shown a token of this entrance."""
        self.until = _NO_LIMIT
        """When it is ended, by the loop's clock, if it is still doing the same."""
        self._now: Callable[[], float] = loop.time
        self._patience = patience
        self._idle = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask to be let in."""
        self.until = self._now() + self._patience.head_s
        super().connection_made(transport)
        self._porter.admit(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Make room for another."""
        self._porter.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Time a request from its first byte on."""
        if self._idle:
            self._idle = False
            self.until = self._now() + self._patience.head_s
        super().data_received(data)

    async def finish_response(self, request: web.BaseRequest, resp: Any, start_time: float | None) -> Any:
        """Send what of an answer is not sent yet; then the next request may come."""
        body = getattr(resp, "body", None)
        self.writing(len(body) if isinstance(body, bytes) else 0)
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._idle = True
            self.until = self._now() + self._patience.idle_s

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Say nothing of what an app sends that is no HTTP: aiohttp's words quote it, and its token with it."""
        if not isinstance(kw.get("exc_info"), HttpProcessingError | web.RequestPayloadError):
            super().log_exception(*args, **kw)

    def serving(self) -> None:
        """The app waits for us, or for its provider: no limit of ours."""
        self._idle = False
        self.until = _NO_LIMIT

    def reading(self, size: int) -> None:
        """We wait for a body of a size, 0 if it was not told."""
        self._idle = False
        self.until = self._now() + self._patience.body_s + size / _BYTES_A_SECOND

    def writing(self, size: int = 0) -> None:
        """We wait until the app has taken a piece of its answer."""
        self._idle = False
        self.until = self._now() + self._patience.write_s + size / _BYTES_A_SECOND

    @property
    def idle(self) -> bool:
        """True between two requests."""
        return self._idle

    def end(self) -> None:
        """Cut it off, without waiting for anything that is still to be sent."""
        if self.transport is not None:
            self.transport.abort()


def visitor_of(request: web.BaseRequest) -> Visitor:
    """The connection that a request came by."""
    return cast(Visitor, request.protocol)
