"""Ends asynchronous work when the process is told to end, by Ctrl-C or SIGTERM."""

import asyncio
import signal
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

Answer = TypeVar("Answer")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_BLOCKING = threading.local()


@contextmanager
def blocking() -> Iterator[None]:
    """Mark work that holds the event loop up, such as git: in it a signal raises KeyboardInterrupt at once.

    Elsewhere a signal cancels the work at its next await, which would be too late here: a runner waits ten seconds.
    """
    before = _depth()
    _BLOCKING.depth = before + 1
    try:
        yield
    finally:
        _BLOCKING.depth = before


def _depth() -> int:
    return int(getattr(_BLOCKING, "depth", 0))


def run_until_stopped(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Run asynchronous work; a signal has it cancelled and tidied up, then KeyboardInterrupt."""
    on_main = threading.current_thread() is threading.main_thread()

    async def watched() -> Answer:
        """Do the work where a signal cancels it."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        told = False

        def stop(number: int, frame: FrameType | None) -> None:
            """Cancel; raise where cancelling cannot reach, and when told again."""
            nonlocal told
            if told or _depth() > 0:
                raise KeyboardInterrupt
            told = True
            if task is not None:
                task.cancel()
            loop.call_soon_threadsafe(lambda: None)  # wakes the loop up

        before = {number: signal.signal(number, stop) for number in _SIGNALS} if on_main else {}
        try:
            return await work
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    try:
        return asyncio.run(watched())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
