"""Who listens on a port: read from /proc, so that one ref's server is never taken for the other's.

Source: proc(5), `/proc/net/tcp` (state 0A is listening, the tenth field is the socket's inode) and `/proc/PID/fd`.
"""

import os
from pathlib import Path

_LISTENING = "0A"


def listens_here(port: int, mark: str, proc: Path = Path("/proc")) -> bool | None:
    """Whether a marked process, or another of its session, listens on a port.

    Args:
        port: The port.
        mark: `NAME=value` of a variable that only those processes were started with.
        proc: Where processes are seen.

    Returns:
        None where it cannot be seen who listens.
    """
    inodes = {f"socket:[{inode}]" for inode in _listening_inodes(port, proc)}
    listening: set[int] = set()
    ours: set[int] = set()
    for entry in proc.glob("[0-9]*") if inodes else ():
        try:
            marked = mark.encode() in (entry / "environ").read_bytes()
            listens = any(_link(file) in inodes for file in (entry / "fd").iterdir())
            session = _session(entry)
        except OSError:  # gone, or not ours to see
            continue
        if marked and listens:
            return True
        if marked:
            ours.add(session)
        if listens:
            listening.add(session)
    return bool(listening & ours) if listening else None


def _link(file: Path) -> str:
    try:
        return os.readlink(file)  # noqa: PTH115  a string that is no path
    except OSError:
        return ""


def _session(entry: Path) -> int:
    """The sixth field of /proc/PID/stat; the second, a name in brackets, may hold anything."""
    return int((entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[3])


def _listening_inodes(port: int, proc: Path) -> set[str]:
    inodes = set()
    for name in ("tcp", "tcp6"):
        try:
            rows = (proc / "net" / name).read_text("ascii", "replace").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if len(fields) > 9 and fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(fields[9])
    return inodes
