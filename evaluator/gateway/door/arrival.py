"""A request as it came to the door: checked, read, its provider found; nothing is sent yet."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import unquote

from aiohttp import web

from evaluator.gateway.door.endpoints import Endpoint, Metered, metered, most_usage, worst_usage
from evaluator.gateway.door.entrance import Entrance
from evaluator.gateway.door.free import Free, free
from evaluator.gateway.door.reading import Asked, NotJson
from evaluator.gateway.door.refusal import Refused
from evaluator.gateway.door.routes import Route
from evaluator.gateway.door.slot import Slot
from evaluator.gateway.door.strike import struck
from evaluator.gateway.door.trace import Trace
from evaluator.records import Usage

_USAGE_ON_DEMAND = frozenset({Endpoint.CHAT, Endpoint.COMPLETIONS})
"""Where `stream_options.include_usage` has to be asked for."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request of an app."""

    request: web.BaseRequest
    entrance: Entrance
    slot: Slot
    trace: Trace
    """The case that ran when it came: an answer that comes late still counts there."""
    route: Route
    rest: str
    """Path below the provider's base URL, with the query, as it was sent."""
    body: bytes
    """What is sent: canonical JSON on metered paths, so that what we read is what the provider reads."""
    metered: Metered | None
    free: Free | None
    """Set if it costs nothing."""
    asked: Asked
    """What the body asks for, on metered paths."""
    came: float
    """When its headers were read. What its body takes to come and to be read is the app's own time."""

    @property
    def model(self) -> str:
        """The model as the path names it, at Azure, which then ignores the body's; else as the body does; or empty."""
        return (self.metered.deployment if self.metered else "") or self.asked.model

    @property
    def usage_added(self) -> bool:
        """True if we asked for the usage of a stream, which the app must not see."""
        return self.asked.usage_added

    @property
    def digested(self) -> bytes:
        """What stands for the body in a key."""
        return self.asked.digest.encode() or self.body

    def worst(self, default_max_output: int) -> Usage:
        """The most tokens that it can use, with a default for one that sets no limit; only on metered paths."""
        return worst_usage(self._endpoint, self.asked, len(self.body), default_max_output)

    def most(self) -> Usage | None:
        """The most tokens that it allows; None if nothing limits them."""
        return None if self.metered is None else most_usage(self.metered.endpoint, self.asked, len(self.body))

    async def without_usage_asked(self) -> bytes:
        """The body for a provider that does not know what we added."""
        _, body = await self.entrance.large.request(self.body, extras={}, token="", on_demand=False, drop_usage=True)
        return body

    @property
    def _endpoint(self) -> Endpoint:
        if self.metered is None:
            raise RuntimeError("what is not metered has no worst case")
        return self.metered.endpoint


def check_path(raw: str) -> str:
    """The path of a request's target, without the query.

    Raises:
        Refused: It is another server's, or climbs out of where it is put.
    """
    if not raw.startswith("/"):  # `GET http://elsewhere/` and CONNECT are what one asks a proxy
        raise Refused(400, "this is no proxy: ask for a path", code="no_proxy")
    path = raw.partition("?")[0]
    # Twice decoded: a server behind the provider's front may decode once more.
    plain = unquote(unquote(path)).replace("\\", "/")
    if any(part in (".", "..") for part in plain.split("/")) or "#" in raw or not plain.isprintable():
        raise Refused(400, "the path has dots or signs that do not belong in one", code="bad_path")
    return path


async def make_arrival(
    request: web.BaseRequest,
    entrance: Entrance,
    slot: Slot,
    trace: Trace,
    found: tuple[Route, str],
    body: bytes,
    *,
    came: float,
    asks_usage: Callable[[Route, str], bool],
) -> Arrival:
    """Read what a request asks for.

    Args:
        request: As aiohttp has it.
        entrance: Where it came in.
        slot: The token's owner.
        trace: The case that it belongs to.
        found: The provider's route, and the path below it.
        body: The whole body.
        came: When its headers were read.
        asks_usage: Whether a provider takes `stream_options` for a model.

    Raises:
        Refused: A metered path whose body is no JSON object.
    """
    route, path = found
    _, mark, query = request.raw_path.partition("?")
    kind = metered(route.dialect, request.method, path)
    rest = struck((path + mark + query).encode(), slot.token).decode()
    if kind is None:
        body = struck(body, slot.token)
        costless = free(route, request.method, path)
        return Arrival(request, entrance, slot, trace, route, rest, body, None, costless, Asked(), came)
    try:
        asked, body = await entrance.large.request(
            body, extras=route.provider.extras, token=slot.token, on_demand=kind.endpoint in _USAGE_ON_DEMAND
        )
        arrival = Arrival(request, entrance, slot, trace, route, rest, body, kind, None, asked, came)
        if asked.usage_added and not asks_usage(route, arrival.model):
            body = await arrival.without_usage_asked()
            arrival = replace(arrival, body=body, asked=replace(asked, usage_added=False, digest=""))
    except NotJson as error:
        raise Refused(400, str(error), code="invalid_json") from None
    return arrival
