"""The stand-in provider in a thread of its own, for tests of commands that run their own event loop."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.standin.batch_api import BatchApi
from tests.standin.provider import Answerer, StandIn, stand_in


@contextmanager
def running(answer: Answerer, batches: BatchApi | None = None) -> Iterator[StandIn]:
    """Run a stand-in for as long as the block lasts."""
    ready = threading.Event()
    held: list[StandIn] = []
    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def serve() -> None:
        async with stand_in(answer, batches) as server:
            held.append(server)
            done = asyncio.Event()
            stop.append((asyncio.get_running_loop(), done))
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait(10)
    try:
        yield held[0]
    finally:
        loop, done = stop[0]
        loop.call_soon_threadsafe(done.set)
        thread.join(10)
