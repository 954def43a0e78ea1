"""One HTTP exchange with a provider, timed around the network alone.

aiohttp rather than the official client: the same call costs 0.4 ms of CPU instead of 1.8 (`bench/transport.py`), and a
client that is busy with itself reports its own queue as the provider's latency.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from evaluator.errors import ProviderError
from evaluator.gateway.pace import NOTHING, Told, read_told
from evaluator.gateway.wire_time import TimedResponse, latency_on_the_wire
from evaluator.records import FailureKind

NEVER_CHARGED = frozenset(
    {
        FailureKind.RATE_LIMIT,
        FailureKind.SERVER,
        FailureKind.AUTHENTICATION,
        FailureKind.INVALID_REQUEST,
        FailureKind.CONTEXT_TOO_LONG,
    }
)
"""Failures that the provider told us: no answer was made."""
MAX_ANSWER_BYTES = 32_000_000
_NEVER_FITS = "Request too large"
"""Begins what OpenAI says to a request that is larger than all that an account may use in a minute."""
_OVERLOADED = (429, 503, 529)
_TOO_LONG_CODES = ("context_length_exceeded", "string_above_max_length")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A provider's answer to one request that it accepted."""

    body: Mapping[str, Any]
    latency_s: float
    """From sending the request to the last byte of the answer."""
    told: Told = NOTHING
    """What its headers told of the provider's limits."""


class AttemptFailed(ProviderError):
    """One attempt failed; whether it is worth another is up to `retry.py`."""

    def __init__(self, message: str, *, kind: FailureKind, told: Told = NOTHING, turned_away: bool = False) -> None:
        """Store what the provider told of its limits, and whether it said that it is asked too much."""
        super().__init__(message, kind=kind)
        self.told = told
        self.turned_away = turned_away


@lru_cache(maxsize=64)
def proxy_of(url: str) -> str | None:
    """The proxy that the environment names for an address, or None.

    Looked up once: aiohttp's own `trust_env` goes through a thread twice a call, which costs more than the call.
    """
    split = urlsplit(url)
    if not split.hostname or proxy_bypass(split.netloc.rpartition("@")[2]):
        return None
    return getproxies().get(split.scheme)


def open_session() -> aiohttp.ClientSession:
    """A session for all providers: no limit of its own on connections, no cookies."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        response_class=TimedResponse,
    )


async def post_json(
    session: aiohttp.ClientSession,
    url: str,
    body: bytes,
    *,
    api_key: str | None,
    timeout_s: float,
) -> Exchange:
    """Send one JSON body and read the whole answer.

    Redirects are not followed: they would carry the key elsewhere.

    Raises:
        AttemptFailed: Anything but an accepted request with a JSON object as its answer.
    """
    # Uncompressed: a few kilobytes must not become gigabytes here.
    headers = {"Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity"}
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"
    started = time.perf_counter()
    try:
        async with session.post(
            url,
            data=body,
            headers=headers,
            allow_redirects=False,
            proxy=proxy_of(url),
            timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(timeout_s, 30.0)),
        ) as response:
            content = await _read(response)
            wire = response.wire if isinstance(response, TimedResponse) else None
            latency = latency_on_the_wire(wire, time.perf_counter() - started)
            status, answer_headers = response.status, response.headers
    except TimeoutError:
        raise AttemptFailed(f"no answer within {timeout_s:g} s", kind=FailureKind.TIMEOUT) from None
    except (aiohttp.ClientError, OSError) as error:
        said = redact(str(error) or type(error).__name__, api_key)
        raise AttemptFailed(f"the connection failed: {said}", kind=FailureKind.NETWORK) from None
    told = read_told(answer_headers, time.time())
    return accepted(status, content, told, latency, api_key=api_key)


def accepted(status: int, content: bytes, told: Told, latency_s: float, *, api_key: str | None) -> Exchange:
    """An answer that was read, as an exchange.

    Raises:
        AttemptFailed: It is an error, or no JSON object.
    """
    if status != 200:
        kind = failure_kind(status, content)
        message = f"HTTP {status}: {error_message(content, status, api_key)}"
        raise AttemptFailed(message, kind=kind, told=told, turned_away=is_turned_away(kind, status, told))
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        raise AttemptFailed(
            f"the answer is not JSON ({len(content)} bytes)", kind=FailureKind.INVALID_ANSWER, told=told
        ) from None
    if not isinstance(parsed, dict):
        raise AttemptFailed("the answer is not a JSON object", kind=FailureKind.INVALID_ANSWER, told=told)
    return Exchange(parsed, latency_s, told)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    chunks, size = [], 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            raise AttemptFailed(
                f"the answer is larger than {MAX_ANSWER_BYTES // 1_000_000} MB", kind=FailureKind.INVALID_ANSWER
            )
        chunks.append(chunk)
    return b"".join(chunks)


def _error_of(content: bytes) -> Mapping[str, Any]:
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    error = parsed.get("error") if isinstance(parsed, dict) else None
    if isinstance(error, dict):
        return error
    return {"message": error} if isinstance(error, str) else {}


def error_message(content: bytes, status: int, api_key: str | None) -> str:
    """What the provider said, on one line, the key struck out before anything is cut."""
    said = _error_of(content).get("message")
    if not isinstance(said, str) or not said:
        said = content[:10_000].decode("utf-8", "replace") or f"status {status} without a message"
    return " ".join(redact(said, api_key).split())[:500]


def redact(text: str, api_key: str | None) -> str:
    """A text with the key struck out."""
    return text.replace(api_key, "***") if api_key else text


def failure_kind(status: int, content: bytes) -> FailureKind:
    """What an answer with an error's status means."""
    error = _error_of(content)
    code = str(error.get("code") or error.get("type") or "")
    if code == "insufficient_quota":
        return FailureKind.AUTHENTICATION  # the account is empty: waiting does not help
    if code in _TOO_LONG_CODES or "exceed_context" in code:
        return FailureKind.CONTEXT_TOO_LONG
    if status == 429 and str(error.get("message")).startswith(_NEVER_FITS):
        return FailureKind.CONTEXT_TOO_LONG
    if code in ("content_filter", "content_policy_violation"):
        return FailureKind.REFUSED
    by_status = {
        401: FailureKind.AUTHENTICATION,
        403: FailureKind.AUTHENTICATION,
        408: FailureKind.TIMEOUT,
        409: FailureKind.SERVER,
        425: FailureKind.SERVER,
        429: FailureKind.RATE_LIMIT,
    }
    return by_status.get(status, FailureKind.SERVER if status >= 500 else FailureKind.INVALID_REQUEST)


def is_turned_away(kind: FailureKind, status: int, told: Told) -> bool:
    """Whether an error means that the provider is asked too much, or too fast: waiting helps."""
    passes = kind in (FailureKind.RATE_LIMIT, FailureKind.SERVER, FailureKind.TIMEOUT)
    return passes and (status in _OVERLOADED or told.retry_after_s is not None)
