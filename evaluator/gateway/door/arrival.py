"""A request as it came to the door: checked, read, its provider found; nothing is sent yet."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from evaluator.gateway.door.endpoints import Endpoint, Metered, metered
from evaluator.gateway.door.refusal import Refused
from evaluator.gateway.door.routes import Route
from evaluator.gateway.door.slot import Slot
from evaluator.gateway.door.strike import struck
from evaluator.gateway.door.trace import Trace

_USAGE_ON_DEMAND = frozenset({Endpoint.CHAT, Endpoint.COMPLETIONS})
"""Where `stream_options.include_usage` has to be asked for."""
_JSON_SPACES = (",", ":")


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request of an app."""

    request: web.BaseRequest
    slot: Slot
    trace: Trace
    """The case that ran when it came: an answer that comes late still counts there."""
    route: Route
    rest: str
    """Path below the provider's base URL, with the query, as it was sent."""
    body: bytes
    """What is sent: canonical JSON on metered paths, so that what we read is what the provider reads."""
    metered: Metered | None
    fields: Mapping[str, Any]
    """The body's fields on metered paths."""
    usage_added: bool
    """True if we asked for the usage of a stream, which the app must not see."""
    came: float

    @property
    def model(self) -> str:
        """The model as the app names it; empty if it does not."""
        return _model(self.fields, self.metered)

    @property
    def streams(self) -> bool:
        """True if the app asked for a stream."""
        return self.fields.get("stream") is True

    def without_usage_asked(self) -> bytes:
        """The body for a provider that does not know what we added."""
        fields = dict(self.fields)
        options = {name: value for name, value in fields.pop("stream_options").items() if name != "include_usage"}
        return _encoded({**fields, "stream_options": options} if options else fields)


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


def make_arrival(
    request: web.BaseRequest,
    slot: Slot,
    trace: Trace,
    found: tuple[Route, str],
    body: bytes,
    *,
    asks_usage: Callable[[Route, str], bool],
) -> Arrival:
    """Read what a request asks for.

    Args:
        request: As aiohttp has it.
        slot: The token's owner.
        trace: The case that it belongs to.
        found: The provider's route, and the path below it.
        body: The whole body.
        asks_usage: Whether a provider takes `stream_options` for a model.

    Raises:
        Refused: A metered path whose body is no JSON object.
    """
    came = time.perf_counter()
    route, path = found
    _, mark, query = request.raw_path.partition("?")
    kind = metered(route.dialect, request.method, path)
    rest = struck((path + mark + query).encode(), slot.token).decode()
    body = struck(body, slot.token)
    fields: dict[str, Any] = {}
    added = False
    if kind is not None:
        fields = _object(body) | dict(route.provider.extras)
        on_demand = kind.endpoint in _USAGE_ON_DEMAND and asks_usage(route, _model(fields, kind))
        added = on_demand and _ask_for_usage(fields)
        body = _encoded(fields)
    return Arrival(request, slot, trace, route, rest, body, kind, fields, added, came)


def _model(fields: Mapping[str, Any], kind: Metered | None) -> str:
    named = fields.get("model")
    if isinstance(named, str) and named:
        return named
    return kind.deployment if kind else ""


def _ask_for_usage(fields: dict[str, Any]) -> bool:
    options = fields.get("stream_options")
    if fields.get("stream") is not True or not isinstance(options, dict | None):
        return False
    if options is not None and "include_usage" in options and options["include_usage"] is not False:
        return False
    fields["stream_options"] = {**(options or {}), "include_usage": True}
    return True


def _object(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise Refused(400, "the body is no JSON object", code="invalid_json")
    return parsed


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _encoded(fields: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(fields, ensure_ascii=False, separators=_JSON_SPACES).encode()
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can hold and UTF-8 cannot
        return json.dumps(fields, separators=_JSON_SPACES).encode()
