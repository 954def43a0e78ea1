"""What a command may touch of the outside: environment, streams and the working directory, handed in for tests."""

import argparse
import asyncio
import signal
import threading
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, TypeAlias, TypeVar

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""Where a command adds its own parser."""


Answer = TypeVar("Answer")


def run_until_stopped(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Run asynchronous work; SIGTERM ends it as Ctrl-C does: cancelled, tidied up, KeyboardInterrupt.

    A second SIGTERM ends the process at once.
    """

    async def watched() -> Answer:
        """Do the work where SIGTERM cancels it."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def stop() -> None:
            """Cancel, and leave the next signal to the system."""
            loop.remove_signal_handler(signal.SIGTERM)
            if task is not None:
                task.cancel()

        if threading.current_thread() is threading.main_thread():
            loop.add_signal_handler(signal.SIGTERM, stop)
        return await work

    try:
        return asyncio.run(watched())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


@dataclass(frozen=True, slots=True)
class World:
    """The outside of a command."""

    environ: Mapping[str, str]
    cwd: Path
    out: TextIO
    """Standard output: the result."""
    err: TextIO
    """Standard error: progress and errors."""
    interactive: bool = False
    """True if a person can be asked."""

    def say(self, text: str = "") -> None:
        """Write a line of the result."""
        print(text, file=self.out, flush=True)

    def note(self, text: str) -> None:
        """Write a line beside the result."""
        print(text, file=self.err, flush=True)
