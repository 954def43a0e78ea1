"""Ends work when the process is told to end, by Ctrl-C or SIGTERM, or when its time is over."""

import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType
from typing import Any, TypeVar

from evaluator.errors import ExitCode, InfrastructureError

Answer = TypeVar("Answer")
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_BLOCKING = threading.local()
_RESULT = threading.local()
_LOOK_AGAIN_S = 0.02


class OutOfTime(InfrastructureError):
    """The time that a run may take is over."""


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


@asynccontextmanager
async def within(seconds: float | None, *, since: float) -> AsyncIterator[None]:
    """Cancel what is done inside once its time is over.

    Args:
        seconds: How long it may take; None for as long as it takes.
        since: When that began, by the event loop's clock.

    Raises:
        OutOfTime: It was not done by then.
    """
    import asyncio

    limit = asyncio.timeout_at(None if seconds is None else since + seconds)
    try:
        async with limit:
            yield
    except TimeoutError:
        if not limit.expired() or seconds is None:
            raise  # somebody else's
        told = f"{seconds / 60:g} minutes" if seconds >= 120 else f"{seconds:g} seconds"
        raise OutOfTime(
            f"stopped after {told}, before there was a verdict (the limit is `--time-limit`, `budget.max_time`, or the"
            " action's `timeout-minutes`)",
            hint="give it more time, fewer cases, or more at once (`concurrency`)",
        ) from None


def result_is_told() -> None:
    """Have the next signal unheard: the result is being told, and then we end by ourselves, with its exit code.

    Who has read a verdict would not believe an exit code that says that there is none. A second signal is heard, for a
    reader that takes nothing.
    """
    _RESULT.told = True


@contextmanager
def interruptible(*, to_the_end: bool = False) -> Iterator[None]:
    """Have SIGTERM raise KeyboardInterrupt as Ctrl-C does, so that what was begun is tidied up.

    A container's first process would ignore it otherwise, and then be killed. In the middle of an import it waits: what
    is raised in there is lost where a compiled module has no way to hand it on.

    Args:
        to_the_end: The process ends after this: what comes now is unheard, so that the exit code is ours.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _RESULT.told = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        """End what is going on; what was begun is still finished."""
        if _importing(frame):
            signal.signal(signal.SIGALRM, interrupt)
            signal.setitimer(signal.ITIMER_REAL, _LOOK_AGAIN_S)
        elif _RESULT.told:
            _RESULT.told = False
        else:
            raise KeyboardInterrupt

    # Who started us with Ctrl-C ignored, as a shell does in the background, wants it so.
    chosen = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in chosen}
    alarm = signal.getsignal(signal.SIGALRM)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        for number, handler in {**before, signal.SIGALRM: alarm}.items():
            signal.signal(number, signal.SIG_IGN if to_the_end else handler)


def _importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def exit_at_once() -> None:
    """End this process without tidying up; the kernel ends the children that were started with us as their parent."""
    os.write(2, b"stopped at once. What was finished is kept: the same command goes on from there.\n")
    os._exit(ExitCode.INFRASTRUCTURE)


def interrupt_again() -> None:
    """Break off the tidying up, so that what comes after it has time."""
    raise KeyboardInterrupt


def run_until_stopped(work: Coroutine[Any, Any, Answer], *, again: Callable[[], None] = interrupt_again) -> Answer:
    """Run asynchronous work; a signal has it cancelled and tidied up, then KeyboardInterrupt.

    Args:
        work: What is run.
        again: What a second signal does.
    """
    import asyncio  # which takes longer to import than a short command takes

    on_main = threading.current_thread() is threading.main_thread()
    told = False
    cancel: Callable[[], object] | None = None

    def stop(number: int, frame: FrameType | None) -> None:
        """Cancel; raise where cancelling cannot reach. While the loop is made or closed it is only noted."""
        nonlocal told
        if told:
            again()
        told = True
        if cancel is not None and _depth() > 0:
            raise KeyboardInterrupt
        if cancel is not None:
            cancel()

    async def watched() -> Answer:
        """Do the work where a signal cancels it."""
        nonlocal cancel
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def cancelled() -> None:
            """Cancel the work, also where the loop sleeps."""
            if task is not None:
                task.cancel()
            loop.call_soon_threadsafe(lambda: None)  # wakes the loop up

        if told:
            work.close()
            raise asyncio.CancelledError
        cancel = cancelled
        try:
            return await work
        finally:
            cancel = None

    # The alarm is a signal that came during an import, see `interruptible`.
    before = {number: signal.signal(number, stop) for number in (*_SIGNALS, signal.SIGALRM)} if on_main else {}
    try:
        answer = asyncio.run(watched())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if told:
        raise KeyboardInterrupt
    return answer
