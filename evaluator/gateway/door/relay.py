"""Passes an answer on to the app piece by piece, as it comes; what is read of it is read after it was passed on."""

import time
from collections.abc import Iterator

import aiohttp
from aiohttp import web

from evaluator.gateway.door.arrival import Arrival
from evaluator.gateway.door.headers import returning
from evaluator.gateway.door.outcome import Outcome
from evaluator.gateway.door.stream import EventCutter, EventTooLong, StreamReader, without_usage
from evaluator.gateway.door.strike import Striker
from evaluator.gateway.door.visitor import visitor_of

LARGEST_KEPT = 4_000_000
"""Longest answer that is kept for another time, in bytes: it is read and written in one go."""


class AppLeft(Exception):
    """The app closed its connection: nobody is left to answer."""


class _Clock:
    """The provider's time: without what the app takes to read."""

    def __init__(self, outcome: Outcome, arrival: Arrival) -> None:
        self._outcome, self._sent_at, self._held_up = outcome, outcome.sent_at or arrival.came, 0.0
        self._visitor = visitor_of(arrival.request)

    def piece(self) -> None:
        """A piece has come."""
        passed = time.perf_counter() - self._sent_at - self._held_up
        if self._outcome.first_byte_s is None:
            self._outcome.first_byte_s = passed
        self._outcome.latency_s = passed

    async def write(self, out: web.StreamResponse, piece: bytes) -> None:
        """Pass a piece on."""
        if piece:
            started = time.perf_counter()
            self._visitor.writing(len(piece))
            try:
                await out.write(piece)
            except ConnectionError:
                raise AppLeft from None
            self._visitor.serving()
            self._held_up += time.perf_counter() - started


async def _begun(response: aiohttp.ClientResponse, arrival: Arrival, *, length: bool) -> web.StreamResponse:
    key = arrival.route.provider.api_key
    out = web.StreamResponse(status=response.status, headers=returning(response.headers, key=key))
    if length and response.content_length is not None and "Content-Encoding" not in response.headers:
        out.content_length = response.content_length
    try:
        await out.prepare(arrival.request)
    except ConnectionError:
        raise AppLeft from None
    return out


async def relay_plain(response: aiohttp.ClientResponse, arrival: Arrival, outcome: Outcome) -> web.StreamResponse:
    """Pass on an answer that is not metered."""
    out = await _begun(response, arrival, length=True)
    striker, clock = Striker(arrival.route.provider.api_key), _Clock(outcome, arrival)
    try:
        async for piece in response.content.iter_any():
            clock.piece()
            await clock.write(out, striker.feed(piece))
    except (aiohttp.ClientError, OSError):
        _break_off(arrival)
        raise
    await clock.write(out, striker.rest())
    return out


async def relay_stream(
    response: aiohttp.ClientResponse, arrival: Arrival, outcome: Outcome
) -> tuple[web.StreamResponse, bytes]:
    """Pass on a stream of events and meter it.

    Returns:
        The response, and the stream as the provider sent it if it came to its proper end; else nothing.
    """
    out = await _begun(response, arrival, length=False)
    striker, clock = Striker(arrival.route.provider.api_key), _Clock(outcome, arrival)
    cutter = EventCutter()
    reader = StreamReader(arrival.metered.endpoint) if arrival.metered else None
    kept: list[bytes] = []
    size = 0

    async def pass_on(piece: bytes) -> None:
        """One piece: first to the app, then to the meter."""
        nonlocal size
        if not arrival.usage_added:
            await clock.write(out, piece)
        events = list(cutter.feed(piece))
        if arrival.usage_added:
            await clock.write(out, b"".join(map(without_usage, events)))
        if reader is not None:
            for event in events:
                reader.feed(event)
            arrival.entrance.own.add(arrival.route.provider.name, reader.response)  # it may be cancelled at once
        size += len(piece)
        if reader is not None and size <= LARGEST_KEPT:
            kept.append(piece)

    try:
        async for piece in response.content.iter_any():
            clock.piece()
            await pass_on(striker.feed(piece))
        await pass_on(striker.rest())
        if arrival.usage_added:
            await clock.write(out, cutter.rest())
    except (aiohttp.ClientError, OSError, EventTooLong) as error:
        # The app must see that something is missing, not a proper end.
        _break_off(arrival)
        if isinstance(error, EventTooLong):
            raise aiohttp.ClientPayloadError(str(error)) from None
        raise
    finally:
        if reader is not None:
            outcome.reading = reader.reading()
    whole = outcome.reading.complete and size <= LARGEST_KEPT and not cutter.rest()
    return out, b"".join(kept) if whole else b""


def replayed(body: bytes, *, hide_usage: bool) -> bytes:
    """A kept stream as the app would have got it."""
    if not hide_usage:
        return body
    return b"".join(without_usage(event) for event in _events(body))


def _events(body: bytes) -> Iterator[bytes]:
    cutter = EventCutter()
    yield from cutter.feed(body)
    yield cutter.rest()


def _break_off(arrival: Arrival) -> None:
    transport = arrival.request.transport
    if transport is not None:
        transport.abort()
