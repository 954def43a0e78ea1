"""One exchange with a provider for an app: sent, and its answer passed on as it comes.

Nothing is sent twice. The official clients retry by themselves, and two layers of retries multiply. Only what never
reached the provider is tried again: a connection that could not be made, and a request that was refused for the
`stream_options` that we had put into it.
"""

import asyncio
import io
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from evaluator.gateway.door.answers import Reading, read_answer
from evaluator.gateway.door.arrival import Arrival
from evaluator.gateway.door.endpoints import Endpoint
from evaluator.gateway.door.headers import outgoing, returning
from evaluator.gateway.door.outcome import Outcome
from evaluator.gateway.door.reading import NotJson
from evaluator.gateway.door.refusal import Refused
from evaluator.gateway.door.relay import relay_plain, relay_stream
from evaluator.gateway.door.strike import struck
from evaluator.gateway.pace import read_told
from evaluator.gateway.transport import NEVER_CHARGED, error_message, failure_kind, proxy_of, redact
from evaluator.records import Failure, FailureKind

CONNECT_TRIES = 3
CONNECT_WAIT_S = 0.2
_CONNECT_TIMEOUT_S = 30.0
_LARGE = 500_000


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of an answer, so that it can be given again."""

    content_type: str
    body: bytes


def open_door_session() -> aiohttp.ClientSession:
    """A session for the door's calls: no limit of its own on connections, no cookies, nothing added to a request."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
    )


async def exchange(
    session: aiohttp.ClientSession, base_url: str, arrival: Arrival, outcome: Outcome, *, most_bytes: int
) -> tuple[web.StreamResponse, Kept | None]:
    """Ask the provider and answer the app.

    Args:
        session: From `open_door_session`.
        base_url: The provider's.
        arrival: What the app asks.
        outcome: Is told what happened, also where this raises.
        most_bytes: Longest answer that is read as a whole.

    Returns:
        The response, sent already if it was a stream, and what may be kept of it.

    Raises:
        Refused: There is no answer; the reason is in the outcome too.
    """
    async with _sent(session, base_url, arrival, arrival.body, outcome) as response:
        refused_ours = arrival.usage_added and response.status in (400, 422)
        content = await _whole(response, arrival, outcome, most_bytes) if refused_ours else b""
        if not refused_ours or b"stream_options" not in content:
            return await _answer(response, content, arrival, outcome, most_bytes)
    outcome.attempts += 1
    outcome.first_byte_s = outcome.latency_s = None  # of the answer, and not of the refusal
    async with _sent(session, base_url, arrival, await arrival.without_usage_asked(), outcome) as response:
        # Refused again, it was the app's own mistake.
        outcome.usage_unknown_there = response.status < 300
        return await _answer(response, b"", arrival, outcome, most_bytes)


@asynccontextmanager
async def _sent(
    session: aiohttp.ClientSession, base_url: str, arrival: Arrival, body: bytes, outcome: Outcome
) -> AsyncIterator[aiohttp.ClientResponse]:
    """The provider's response, its headers read; every failure on the way, also while it is used, told the same way."""
    provider = arrival.route.provider
    headers = outgoing(
        arrival.request.headers, token=arrival.slot.token, key=provider.api_key, dialect=arrival.route.dialect
    )
    if arrival.metered:
        headers["Content-Type"] = "application/json"
    url = URL(base_url + arrival.rest, encoded=True)
    # A stream may last longer than an answer that comes at once, but not fall silent for longer.
    total = None if arrival.asked.streams or not arrival.metered else provider.timeout_s
    timeout = aiohttp.ClientTimeout(
        total=total, sock_read=provider.timeout_s, sock_connect=min(provider.timeout_s, _CONNECT_TIMEOUT_S)
    )
    try:
        response = await _connected(session, arrival.request.method, url, headers, body, timeout, outcome)
        async with response:
            yield response
    except TimeoutError:
        raise _failed(outcome, 504, FailureKind.TIMEOUT, f"no answer within {provider.timeout_s:g} s") from None
    except (aiohttp.ClientError, OSError) as error:
        said = redact(str(error) or type(error).__name__, provider.api_key)
        raise _failed(outcome, 502, FailureKind.NETWORK, f"the connection to the provider failed: {said}") from None


async def _connected(
    session: aiohttp.ClientSession,
    method: str,
    url: URL,
    headers: CIMultiDict[str],
    body: bytes,
    timeout: aiohttp.ClientTimeout,
    outcome: Outcome,
) -> aiohttp.ClientResponse:
    proxy = proxy_of(outcome.arrival.route.provider.base_urls[0])
    for left in reversed(range(CONNECT_TRIES)):
        outcome.sent_at = time.perf_counter()
        outcome.maybe_charged = True
        try:
            # In pieces from a file: as one write a large body would hold up everybody else.
            data = io.BytesIO(body) if len(body) > _LARGE else body or None
            return await session.request(
                method, url, data=data, headers=headers, allow_redirects=False, timeout=timeout, proxy=proxy
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            if not left:
                outcome.maybe_charged = False
                raise
            await asyncio.sleep(CONNECT_WAIT_S)
            outcome.attempts += 1
    raise AssertionError("the last try returns or raises")


def _failed(outcome: Outcome, status: int, kind: FailureKind, message: str) -> Refused:
    outcome.failure = Failure(kind, message)
    return Refused(status, message, code=f"provider_{kind.value}", again=True)


async def _answer(
    response: aiohttp.ClientResponse, content: bytes, arrival: Arrival, outcome: Outcome, most_bytes: int
) -> tuple[web.StreamResponse, Kept | None]:
    status = outcome.status = response.status
    outcome.told = read_told(response.headers, time.time())
    key = arrival.route.provider.api_key
    if 300 <= status < 400 and status != 304:
        outcome.maybe_charged, outcome.refused = False, True
        outcome.failure = Failure(FailureKind.INVALID_REQUEST, "the provider redirects")
        # Followed, by us or by the app, it would carry the request elsewhere.
        raise Refused(502, "the provider redirects, which is not followed: check its base URL", code="redirect")
    if status >= 400:
        return await _refusal(response, content, arrival, outcome, most_bytes), None
    outcome.answered = True
    if response.content_type == "text/event-stream":
        sent, body = await relay_stream(response, arrival, outcome)
        kept = Kept(response.headers.get("Content-Type", "text/event-stream"), body)
        return sent, kept if body and status == 200 else None
    if arrival.metered is None:
        return await relay_plain(response, arrival, outcome), None
    body = await _whole(response, arrival, outcome, most_bytes)
    outcome.reading = await read_whole(arrival, body)
    body = struck(body, key)
    answered = web.Response(status=status, body=body, headers=returning(response.headers, key=key))
    whole = Kept(response.headers.get("Content-Type", "application/json"), body)
    return answered, whole if status == 200 and outcome.reading.complete else None


async def _refusal(
    response: aiohttp.ClientResponse, content: bytes, arrival: Arrival, outcome: Outcome, most_bytes: int
) -> web.Response:
    """The provider's own error, passed on with the key struck out."""
    key = arrival.route.provider.api_key
    outcome.refused = True
    content = content or await _whole(response, arrival, outcome, most_bytes)
    kind = failure_kind(response.status, content)
    outcome.failure = Failure(kind, f"HTTP {response.status}: {error_message(content, response.status, key)}")
    outcome.maybe_charged = outcome.maybe_charged and kind not in NEVER_CHARGED
    return web.Response(status=response.status, body=struck(content, key), headers=returning(response.headers, key=key))


async def _whole(response: aiohttp.ClientResponse, arrival: Arrival, outcome: Outcome, most_bytes: int) -> bytes:
    """The whole body, its times noted."""
    pieces: list[bytes] = []
    size = 0
    sent_at = outcome.sent_at or arrival.came
    async for piece in response.content.iter_any():
        if not pieces:
            outcome.first_byte_s = time.perf_counter() - sent_at
        pieces.append(piece)
        size += len(piece)
        if size > most_bytes:
            raise _failed(outcome, 502, FailureKind.INVALID_ANSWER, f"the answer is larger than {most_bytes} bytes")
    outcome.latency_s = time.perf_counter() - sent_at
    return b"".join(pieces)


async def read_whole(arrival: Arrival, body: bytes) -> Reading:
    """What a whole answer of a metered path tells."""
    endpoint = arrival.metered.endpoint if arrival.metered else Endpoint.CHAT
    try:
        return read_answer(endpoint, await arrival.entrance.large.answer(body))
    except NotJson:
        return Reading(None)
