"""A private folder that goes with its process; what a killed one left goes when the next one starts.

A process that lives holds a lock in its folder, which the kernel lets go of with it, however it ends. So only what has
a lock that nobody holds is removed: a folder of our name, of our own user, no link.
"""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "llm-eval-gate-"
_ALIVE = ".alive"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def scratch_folder(kind: str = "", *, above: Path | None = None) -> Iterator[Path]:
    """Make a folder for as long as the block lasts.

    Args:
        kind: A word for its name, such as `demo-`.
        above: Where it is made; the system's folder for such things if None.
    """
    above = Path(tempfile.gettempdir()) if above is None else above
    remove_leftovers(above)
    lock: int | None = None
    try:
        with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{kind}", dir=above) as name:
            lock = _hold(name)
            yield Path(name)
    finally:
        if lock is not None:
            os.close(lock)


def remove_leftovers(above: Path) -> int:
    """Remove what processes of ours that are gone have left there; gives how many folders."""
    removed = 0
    with suppress(OSError):  # a folder that we may not read holds nothing that we could remove
        there = os.open(above, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for name in os.listdir(there):  # noqa: PTH208  # of an open folder
                if name.startswith(PREFIX):
                    removed += _removed(name, there)
        finally:
            os.close(there)
    return removed


def _hold(folder: str) -> int | None:
    """Lock a file in it; None where that cannot be done: then what is left of the folder stays."""
    made = Path(folder) / f"{_ALIVE}.new"
    try:
        lock = os.open(made, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.pwrite(lock, _here(), 0)
        made.rename(made.with_name(_ALIVE))  # only now, so that nobody finds it unlocked
    except OSError:
        os.close(lock)
        return None
    return lock


def _here() -> bytes:
    """This machine: on a disk that several share, a lock need not be seen by the others."""
    return os.fsencode(os.uname().nodename)


def _removed(name: str, above: int) -> bool:
    """Remove a folder whose process is proven gone; gives whether it was."""
    opened: list[int] = []
    try:
        opened.append(os.open(name, _FOLDER, dir_fd=above))
        if os.fstat(opened[0]).st_uid != os.geteuid():
            return False
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        opened.append(os.open(_ALIVE, flags, dir_fd=opened[0]))
        status = os.fstat(opened[1])
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            return False
        if os.pread(opened[1], 1000, 0) != _here():
            return False
        fcntl.flock(opened[1], fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.geteuid() != 0:  # who may do everything needs it not, and must not be led elsewhere by it
            _unlock_folders(opened[0])
        shutil.rmtree(name, ignore_errors=True, dir_fd=above)
    except OSError:  # it lives, or is none of ours, or somebody else is removing it
        return False
    except RecursionError:  # an app has made folders deeper than Python walks
        return False
    finally:
        for one in reversed(opened):
            os.close(one)
    return True


def _unlock_folders(folder: int) -> None:
    """Let us into folders below that the app under test has closed to its own user, who is we."""
    for entry in os.scandir(folder):
        if not entry.is_dir(follow_symlinks=False):
            continue
        with suppress(OSError):
            os.chmod(entry.name, 0o700, dir_fd=folder)  # of an open folder
            inner = os.open(entry.name, _FOLDER, dir_fd=folder)
            try:
                _unlock_folders(inner)
            finally:
                os.close(inner)
