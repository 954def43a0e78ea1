"""Ends asynchronous work when the process is told to end."""

import asyncio
import signal
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

Answer = TypeVar("Answer")


def run_until_stopped(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Run asynchronous work; SIGTERM ends it as Ctrl-C does: cancelled, tidied up, KeyboardInterrupt.

    A second SIGTERM ends the process at once, or does what it did before this was called.
    """
    on_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM) if on_main else None

    async def watched() -> Answer:
        """Do the work where SIGTERM cancels it."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def stop() -> None:
            """Cancel, and leave the next signal to the system."""
            loop.remove_signal_handler(signal.SIGTERM)
            if task is not None:
                task.cancel()

        if on_main:
            loop.add_signal_handler(signal.SIGTERM, stop)
        return await work

    try:
        return asyncio.run(watched())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        if on_main and before is not None:
            signal.signal(signal.SIGTERM, before)
