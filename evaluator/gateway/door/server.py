"""The door itself: HTTP on loopback, a port for each side; lets in who has a token, and hands over to `serve.py`."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from evaluator.errors import BudgetError, EvalGateError
from evaluator.gateway.door.arrival import check_path, make_arrival
from evaluator.gateway.door.body import read_body
from evaluator.gateway.door.entrance import ADDRESS, Entrance, enough_files, opened
from evaluator.gateway.door.exchange import open_door_session
from evaluator.gateway.door.headers import find_token
from evaluator.gateway.door.large import LargeReader
from evaluator.gateway.door.refusal import Refused
from evaluator.gateway.door.relay import AppLeft
from evaluator.gateway.door.routes import Dialect, Route, find_route
from evaluator.gateway.door.serve import Service
from evaluator.gateway.door.settings import DoorSettings
from evaluator.gateway.door.slot import Slot
from evaluator.gateway.door.trace import Trace
from evaluator.gateway.door.visitor import visitor_of
from evaluator.gateway.gateway import Gateway


@dataclass(slots=True)
class Door:
    """An open door; use `open_door`."""

    entrances: Mapping[str, Entrance]
    """By the side that asks there; no limit of one holds for another."""
    service: Service

    @property
    def exhausted(self) -> BudgetError | None:
        """Why the run's budget refused a call, once it has."""
        return self.service.exhausted

    @property
    def broken(self) -> EvalGateError | None:
        """Why no call can succeed any more, if so."""
        return self.service.broken

    async def handle(self, entrance: Entrance, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request; aiohttp calls it."""
        came = time.perf_counter()
        visitor = visitor_of(request)
        visitor.serving()
        dialect = Dialect.OPENAI
        slot = entrance.slots.get(find_token(request.headers))
        try:
            path = check_path(request.raw_path)
            _check_host(entrance, request)
            found = find_route(entrance.routes, path)
            dialect = found[0].dialect if found else dialect
            if slot is None:
                raise Refused(401, "this token is not known here", code="invalid_api_key")
            entrance.welcome(visitor)
            trace = slot.trace  # of the case that runs now, however slowly the body comes
            trace.in_flight += 1
            try:
                async with slot.room:
                    return await self._admitted(entrance, request, slot, trace, found, came)
            finally:
                trace.in_flight -= 1
        except Refused as refused:
            response = refused.response(dialect)
            if not visitor.known:
                response.force_close()  # nothing of what a stranger sends after its headers is read
            return response
        except AppLeft:
            return web.Response(status=499)  # reaches nobody
        except EvalGateError as error:  # the store: the run has to stop, not only this app's case
            self.service.stop(error)
            return Refused(500, error.message, code="gateway").response(dialect)

    async def _admitted(
        self,
        entrance: Entrance,
        request: web.BaseRequest,
        slot: Slot,
        trace: Trace,
        found: tuple[Route, str] | None,
        came: float,
    ) -> web.StreamResponse:
        if found is None:
            known = ", ".join(route.prefix for route in entrance.routes)
            raise Refused(404, f"no provider is set up for this path (there are: {known})", code="no_provider")
        if "upgrade" in request.headers.get("Connection", "").lower():
            raise Refused(501, "WebSockets are not forwarded", code="not_supported")
        async with read_body(entrance, request) as body:
            arrival = await make_arrival(
                request, entrance, slot, trace, found, body, came=came, asks_usage=self.service.asks_usage
            )
            return await self.service.answer(arrival)


def _check_host(entrance: Entrance, request: web.BaseRequest) -> None:
    """A page in a browser must not reach us under a name of its own (DNS rebinding)."""
    if request.headers.get("Host") not in (f"{ADDRESS}:{entrance.port}", f"localhost:{entrance.port}"):
        raise Refused(421, f"this is {entrance.url} and no other host", code="wrong_host")


@asynccontextmanager
async def open_door(
    gateway: Gateway,
    routes: Sequence[Route],
    *,
    sides: Sequence[str] = ("head",),
    settings: DoorSettings | None = None,
) -> AsyncIterator[Door]:
    """Open a door to a gateway, with a free port of the loopback address for each side, while the context lasts.

    Args:
        gateway: Entered already; its budget, prices and store are the door's too.
        routes: From `standard_routes`.
        sides: Names of those who come in apart from each other.
        settings: Caps and limits.

    Raises:
        InfrastructureError: No port can be had.
    """
    settings = settings or DoorSettings()
    async with open_door_session() as session, AsyncExitStack() as stack:
        most = stack.enter_context(enough_files(settings.connections, len(sides)))
        entrances = {
            side: Entrance(side, tuple(routes), settings, LargeReader(settings.patience.reading_s), most)
            for side in sides
        }
        door = Door(entrances, Service(gateway, session, settings))
        for entrance in entrances.values():
            await stack.enter_async_context(opened(entrance, partial(door.handle, entrance)))
        try:
            yield door
        finally:
            await asyncio.sleep(0)
