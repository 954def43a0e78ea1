"""What a worker needs of the program that answers it, wherever that runs; `child.Child` is one, a container another."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from evaluator.sandbox import Cage


class Program(Protocol):
    """A running program."""

    @property
    def stdout(self) -> asyncio.StreamReader:
        """What it writes."""
        ...

    @property
    def exit_code(self) -> "asyncio.Future[int]":
        """How it ended, once it has."""
        ...

    async def write(self, data: bytes) -> None:
        """Write all of `data` to its stdin, waiting while it reads none.

        Raises:
            OSError: It reads no more.
        """
        ...

    def has_read(self) -> bool:
        """Tell whether it has begun to read; true where that cannot be seen."""
        ...

    def last_words(self) -> str:
        """Give the end of stderr for a message."""
        ...

    async def describe_exit(self) -> str:
        """Say how it ended; to be called after its exit only."""
        ...

    def kill(self) -> None:
        """Kill it; `stop` must still be awaited."""
        ...

    async def stop(self, grace_s: float) -> None:
        """End it, at once or after that many seconds; nothing of it is left running."""
        ...


class Start(Protocol):
    """Starts a program; `child.start_child` is one."""

    async def __call__(
        self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], max_line_bytes: int, cage: Cage | None
    ) -> Program:
        """Start it.

        Raises:
            WorkerFailure: It cannot be started.
        """
        ...
