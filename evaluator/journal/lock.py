"""One process at a time on a run: a lock that the kernel lets go of with its process, however that ends."""

import fcntl
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from evaluator.errors import InfrastructureError

_HOLDER = re.compile(rb"(\d{1,10}) ([\w.-]{1,100})\n")


class RunInUse(InfrastructureError):
    """Another process is at work on the run."""


class RunLock:
    """Held from the start on, until `release`."""

    def __init__(self, file: int) -> None:
        """Take a file that is locked; see `take`."""
        self._file = file

    @classmethod
    def take(cls, path: Path) -> Self:
        """Take the lock.

        Raises:
            RunInUse: Another process holds it, which is named.
            InfrastructureError: The file cannot be made or locked.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise InfrastructureError(
                f"the run journal cannot be made in {path.parent}: {error.strerror}",
                hint="free some space, or choose another place with LLM_EVAL_GATE_HOME",
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _holder(file)
            os.close(file)
            raise RunInUse(
                f"another process is working on this run: {holder} ({path.parent})",
                hint="wait for it, or stop it first",
            ) from None
        except OSError as error:
            os.close(file)
            raise InfrastructureError(
                f"the run journal cannot be locked in {path.parent}: {error.strerror}",
                hint="choose a place on a local disk with LLM_EVAL_GATE_HOME",
            ) from None
        try:
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()} {os.uname().nodename}\n".encode(), 0)
        except OSError:
            pass  # a full disk: the lock holds all the same, and the journal's own writing will tell
        return cls(file)

    def release(self) -> None:
        """Let go; the second time nothing happens."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def _holder(file: int) -> str:
    """Who wrote its name into the file, and when."""
    found = _HOLDER.fullmatch(os.pread(file, 200, 0))
    if found is None:
        return "a process that has not told its number"
    since = datetime.fromtimestamp(os.fstat(file).st_mtime, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"process {found[1].decode()} on {found[2].decode()}, since {since}"
