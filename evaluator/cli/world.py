"""What a command may touch of the outside: environment, streams and the working directory, handed in for tests."""

import argparse
import os
import sys
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, TypeAlias, TypeVar

from evaluator.stopping import result_is_told

Answer = TypeVar("Answer")

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""Where a command adds its own parser."""


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

    def tell(self, result: str) -> None:
        """Write the result of a gate, after which the exit code is the verdict's, whatever happens.

        So the next signal is unheard (see `result_is_told`), and so is a reader who goes away (`| head`) or a full
        disk: the reports are written.
        """
        result_is_told()
        try:
            _write_whole(self.out, result)
        except BrokenPipeError:
            nobody_reads()
        except OSError as error:
            nobody_reads()
            self.note(f"the result cannot be written to standard output: {error.strerror}")

    def say(self, text: str = "") -> None:
        """Write a line of the result."""
        print(text, file=self.out, flush=True)

    def note(self, text: str) -> None:
        """Write a line beside the result; where that cannot be done, as on a full disk, nothing is lost with it."""
        with suppress(OSError):
            print(text, file=self.err, flush=True)


def _write_whole(stream: TextIO, text: str) -> None:
    """Write the whole text, also where a signal comes between.

    With PYTHONUNBUFFERED Python drops what a `write` that was interrupted did not take (as of 3.13).
    """
    stream.flush()
    buffer = getattr(stream, "buffer", None)
    if buffer is None:  # kept in memory
        stream.write(text)
        return
    rest = memoryview(text.encode(stream.encoding or "utf-8", "backslashreplace"))
    while rest:
        rest = rest[buffer.write(rest) or 0 :]
    buffer.flush()


def nobody_reads() -> None:
    """Drop what is still to be written: Python must not complain while it shuts down."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run_until_stopped(work: Coroutine[Any, Any, Answer], world: World, *, group: str = "") -> Answer:
    """Run asynchronous work; Ctrl-C or SIGTERM ends it tidily, and the second of them at once.

    Args:
        work: What is run.
        world: Where it is run.
        group: In a GitHub job, the title that what is told on the way is folded below.
    """
    from evaluator import stopping

    if not group or world.environ.get("GITHUB_ACTIONS") != "true":
        return stopping.run_until_stopped(work, again=stopping.exit_at_once)
    from evaluator.github import commands

    with commands.group(world.err, group):
        return stopping.run_until_stopped(work, again=stopping.exit_at_once)
