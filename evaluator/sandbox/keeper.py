"""Stays above a caged program: makes its sockets, adopts its orphans, watches the disk, and ends all of it at its end.

It is the launcher's own process, after it has started the program in a child. It holds none of the program's pipes, so
that their end is seen, and tells the program's exit as its own.
"""

import os
import select
import signal
import time

from evaluator.sandbox import loopback
from evaluator.sandbox.processes import descendants, end_descendants

TICK_MS = 100
PARENT_GONE = signal.SIGUSR1
"""What the kernel sends us when the gate ends."""
PATIENCE_TICKS = 10
ROOM = 100_000_000
"""What a program may write in any case, as long as it is no more than half of what is free."""
LISTENER_GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL


def keep(child: int, listener: int, *, disk: "Disk | None", processes: "int | None", adopts: bool) -> int:
    """Watch over a program until it ends, then end everything that it has started.

    Args:
        child: Its process id.
        listener: The descriptor on which its calls of `socket` arrive; -1 for none.
        disk: Watches what it leaves on the disk; None not to look.
        processes: The most descendants, where the kernel does not count them by user; None where it does.
        adopts: Whether orphans are ours, to be ended with it.

    Returns:
        Its wait status, as `os.waitpid` gives it.
    """
    poll = select.poll()
    poll.register(os.pidfd_open(child), select.POLLIN)
    if listener >= 0:
        poll.register(listener, select.POLLIN)
    status, looked_at = None, time.monotonic()
    while status is None:
        for descriptor, event in poll.poll(TICK_MS):
            if descriptor == listener and event & select.POLLIN:
                loopback.answer_one(listener)
            elif descriptor == listener and event & LISTENER_GONE:
                poll.unregister(listener)
        if time.monotonic() - looked_at >= TICK_MS / 1000:  # not at each of many sockets
            looked_at = time.monotonic()
            complaint = disk.complaint() if disk else ""
            if not complaint and processes is not None and len(descendants(os.getpid())) > processes:
                complaint = f"more than {processes} processes at once"
            if complaint:
                _say(f"sandbox: ended: {complaint}")
                end_descendants(os.getpid())
        status = _reap(child)
    if adopts:
        end_descendants(os.getpid())
        _reap_all()
    return status


class Disk:
    """Watches the free space below some folders, at most once a tick."""

    def __init__(self, folders: "list[str]", reserve: int) -> None:
        """Leave room to work where less than the reserve is free from the start: a small disk is nobody's fault."""
        self._folders = folders
        self._reserves = [min(reserve, free - min(free // 2, ROOM)) for free in map(_free, folders)]
        self._short_for = 0

    def complaint(self) -> str:
        """Say what is wrong, or nothing.

        Who holds more than is missing is ended at once. A program that holds little may suffer from another's greed
        and gets a second; if the disk is still full then, the files may be ones that have no name any more.
        """
        short = [
            reserve for folder, reserve in zip(self._folders, self._reserves, strict=True) if _free(folder) < reserve
        ]
        if not short:
            self._short_for = 0
            return ""
        self._short_for += 1
        held = sum(_size(folder) for folder in set(self._folders)) if self._short_for == 1 else 0
        if held > max(short) // 2 or self._short_for > PATIENCE_TICKS:
            return f"less than {max(short)} bytes were left on the disk"
        return ""


def repeat_exit(status: int) -> None:
    """End as the program has ended: with its code, or by its signal."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        signal.pause()
    os._exit(os.WEXITSTATUS(status))


def leave(_number: int, _frame: object) -> None:
    """The gate has ended: end all that is below us, and go; a handler for `PARENT_GONE`."""
    end_descendants(os.getpid())
    os._exit(1)


def _say(text: str) -> None:
    try:
        os.write(2, text.encode() + b"\n")
    except OSError:  # nobody reads it any more
        return


def _reap(child: int) -> "int | None":
    """Bury what has ended; give the program's own status if it has."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if pid == 0:
            return None
        if pid == child:
            return status


def _reap_all() -> None:
    signal.alarm(2)  # nobody that cannot be killed may keep us: the signal's default is our end
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            signal.alarm(0)
            return


def _free(folder: str) -> int:
    try:
        found = os.statvfs(folder)
    except OSError:
        return 1 << 62
    return found.f_bavail * found.f_frsize


def _size(folder: str) -> int:
    """Bytes on the disk below a folder, links aside."""
    size = 0
    for here, _, names in os.walk(folder, onerror=None):
        for name in names:
            try:
                size += os.lstat(f"{here}/{name}").st_blocks * 512
            except OSError:
                continue
    return size
