"""What a command may touch of the outside: environment, streams and the working directory, handed in for tests."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO, TypeAlias

from evaluator.stopping import run_until_stopped as run_until_stopped

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
