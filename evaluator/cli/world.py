"""What a command may touch of the outside: environment, streams and the working directory, handed in for tests."""

import argparse
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO, TypeAlias, TypeVar

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

    def say(self, text: str = "") -> None:
        """Write a line of the result."""
        print(text, file=self.out, flush=True)

    def note(self, text: str) -> None:
        """Write a line beside the result."""
        print(text, file=self.err, flush=True)


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
