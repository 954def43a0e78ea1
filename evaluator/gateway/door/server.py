"""The door itself: an HTTP server on loopback that lets in who has a token, and hands over to `serve.py`."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from evaluator.errors import BudgetError, EvalGateError, InfrastructureError
from evaluator.gateway.door.arrival import check_path, make_arrival
from evaluator.gateway.door.exchange import open_door_session
from evaluator.gateway.door.headers import find_token
from evaluator.gateway.door.refusal import Refused
from evaluator.gateway.door.relay import AppLeft
from evaluator.gateway.door.routes import Dialect, Route, find_route
from evaluator.gateway.door.serve import Service
from evaluator.gateway.door.settings import DoorSettings
from evaluator.gateway.door.slot import Slot
from evaluator.gateway.door.trace import Trace, TracedRequest
from evaluator.gateway.gateway import Gateway

_ADDRESS = "127.0.0.1"
_BODIES_AT_ONCE = 4
_SHUTDOWN_S = 0.2
_LOGGER = logging.getLogger(__name__)


@dataclass(slots=True)
class Door:
    """An open door; use `open_door`."""

    port: int
    routes: tuple[Route, ...]
    service: Service
    _slots: dict[str, Slot] = field(default_factory=dict)
    _held_bytes: int = 0

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://{_ADDRESS}:{self.port}"

    @property
    def exhausted(self) -> BudgetError | None:
        """Why the run's budget refused a call, once it has."""
        return self.service.exhausted

    @property
    def broken(self) -> EvalGateError | None:
        """Why no call can succeed any more, if so."""
        return self.service.broken

    @property
    def outside(self) -> tuple[TracedRequest, ...]:
        """What was asked outside of any case, by all slots."""
        return tuple(request for slot in self._slots.values() for request in slot.outside.requests)

    def slot(self, name: str) -> Slot:
        """A new token for what the name says, e.g. `head-3`."""
        slot = Slot(name, url=self.url, routes=self.routes, settings=self.service.settings)
        self._slots[slot.token] = slot
        return slot

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; aiohttp calls it."""
        dialect = Dialect.OPENAI
        try:
            path = check_path(request.raw_path)
            self._check_host(request)
            found = find_route(self.routes, path)
            dialect = found[0].dialect if found else dialect
            slot = self._slots.get(find_token(request.headers))
            if slot is None:
                raise Refused(401, "this token is not known here", code="invalid_api_key")
            trace = slot.trace  # of the case that runs now, however slowly the body comes
            trace.in_flight += 1
            try:
                return await self._admitted(request, slot, trace, found)
            finally:
                trace.in_flight -= 1
        except Refused as refused:
            return refused.response(dialect)
        except AppLeft:
            return web.Response(status=499)  # reaches nobody
        except EvalGateError as error:  # the store: the run has to stop, not only this app's case
            self.service.stop(error)
            return Refused(500, error.message, code="gateway").response(dialect)

    async def _admitted(
        self, request: web.BaseRequest, slot: Slot, trace: Trace, found: tuple[Route, str] | None
    ) -> web.StreamResponse:
        if found is None:
            known = ", ".join(route.prefix for route in self.routes)
            raise Refused(404, f"no provider is set up for this path (there are: {known})", code="no_provider")
        if "upgrade" in request.headers.get("Connection", "").lower():
            raise Refused(501, "WebSockets are not forwarded", code="not_supported")
        body = await self._body(request)
        try:
            arrival = make_arrival(request, slot, trace, found, body, asks_usage=self.service.asks_usage)
            return await self.service.answer(arrival)
        finally:
            self._held_bytes -= len(body)

    def _check_host(self, request: web.BaseRequest) -> None:
        """A page in a browser must not reach us under a name of its own (DNS rebinding)."""
        if request.headers.get("Host") not in (f"{_ADDRESS}:{self.port}", f"localhost:{self.port}"):
            raise Refused(421, f"this is {self.url} and no other host", code="wrong_host")

    async def _body(self, request: web.BaseRequest) -> bytes:
        most = self.service.settings.max_body_bytes
        if (request.content_length or 0) > most:
            raise Refused(413, f"the request is larger than {most} bytes", code="too_large")
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        pieces: list[bytes] = []
        size = 0
        try:
            async for piece in request.content.iter_any():
                pieces.append(piece)
                size += len(piece)
                self._held_bytes += len(piece)
                if size > most:
                    raise Refused(413, f"the request is larger than {most} bytes", code="too_large")
                if self._held_bytes > _BODIES_AT_ONCE * most:
                    raise Refused(503, "too many large requests at once", code="too_large", again=True)
        except web.RequestPayloadError:
            self._held_bytes -= size
            raise Refused(400, "the body cannot be read", code="bad_body") from None
        except BaseException:
            self._held_bytes -= size
            raise
        return b"".join(pieces)


@asynccontextmanager
async def open_door(
    gateway: Gateway, routes: Sequence[Route], *, settings: DoorSettings | None = None
) -> AsyncIterator[Door]:
    """Open a door to a gateway, on a free port of the loopback address, for as long as the context lasts.

    Args:
        gateway: Entered already; its budget, prices and store are the door's too.
        routes: From `standard_routes`.
        settings: Caps and limits.

    Raises:
        InfrastructureError: No port can be had.
    """
    async with open_door_session() as session:
        service = Service(gateway, session, settings or DoorSettings())
        door = Door(0, tuple(routes), service)
        server = web.Server(door.handle, handler_cancellation=True, access_log=None, logger=_LOGGER)
        runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_S)
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, _ADDRESS, 0, backlog=1024).start()
            except OSError as error:
                raise InfrastructureError(f"the gateway cannot listen on {_ADDRESS}: {error.strerror}") from None
            door.port = int(runner.addresses[0][1])
            yield door
        finally:
            await runner.cleanup()
            await asyncio.sleep(0)
