"""Finds and ends all descendants of a process, however they hide: by who started whom, as the kernel keeps it.

A caged program's descendants cannot leave its tree: the launcher that stays above it adopts every orphan
(`PR_SET_CHILD_SUBREAPER`), whatever session it made for itself and whatever it did to its environment.

Source: proc(5), "/proc/pid/stat".
"""

import os
import signal

ROUNDS = 50


def descendants(root: int) -> list[int]:
    """Process ids of everything below `root`, zombies aside; empty where there is no /proc."""
    children: dict[int, list[int]] = {}
    ended = set()
    for name in _numbers():
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123  # pathlib costs a third of the launcher's start
                fields = file.read().rpartition(b")")[2].split()
        except OSError:  # gone
            continue
        if fields[0] in (b"Z", b"X"):
            ended.add(name)
        children.setdefault(int(fields[1]), []).append(name)
    found: list[int] = []
    waiting = [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        waiting += below
        found += below
    return [pid for pid in found if pid not in ended]


def end_descendants(root: int) -> bool:
    """Kill everything below `root`, also what multiplies faster than it can be killed; tell whether there was anything.

    All are stopped first, which leaves them in the count of processes that their user may have; when nothing new turns
    up, all are killed.
    """
    killed: set[int] = set()
    for _ in range(ROUNDS):
        stopped: set[int] = set()
        for _ in range(ROUNDS):
            new = [pid for pid in descendants(root) if pid not in stopped and pid not in killed]
            if not new:
                break
            for pid in new:
                _send(pid, signal.SIGSTOP)
            stopped.update(new)
        if not stopped:
            break
        for pid in stopped:
            _send(pid, signal.SIGKILL)
        killed |= stopped
    return bool(killed)


def _numbers() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208  # as above
    except OSError:
        return []


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return
