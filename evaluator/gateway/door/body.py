"""Reads a request's body, in the memory and the time that there are for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from evaluator.gateway.door.entrance import Entrance
from evaluator.gateway.door.refusal import Refused
from evaluator.gateway.door.visitor import visitor_of


@asynccontextmanager
async def read_body(entrance: Entrance, request: web.BaseRequest) -> AsyncIterator[bytes]:
    """The whole body; its memory is the side's, until the context ends.

    Raises:
        Refused: It is too large or broken, or there is no memory for it.
    """
    most = entrance.settings.max_body_bytes
    told = request.content_length
    if (told or 0) > most:
        raise Refused(413, f"the request is larger than {most} bytes", code="too_large")
    held = told or 0
    await entrance.hold(held)
    try:
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        visitor = visitor_of(request)
        visitor.reading(held)
        pieces: list[bytes] = []
        size = 0
        try:
            async for piece in request.content.iter_any():
                pieces.append(piece)
                size += len(piece)
                if size > most:
                    raise Refused(413, f"the request is larger than {most} bytes", code="too_large")
                if size > held:
                    entrance.hold_more(size - held)
                    held = size
        except web.RequestPayloadError:
            raise Refused(400, "the body cannot be read", code="bad_body") from None
        visitor.serving()
        yield b"".join(pieces)
    finally:
        entrance.release(held)
