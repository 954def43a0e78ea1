"""Runs beside a gate that has started Ray, and tidies up if the gate is killed; a script, started by `session.py`.

The kernel ends Ray's main processes with the gate. Two helpers of theirs would stay for a minute, and the folder with
sockets and logs for good. Arguments: the folder, then the helpers as `pid:start time`. Our standard input ends with the
gate.
"""

import os
import shutil
import signal
import sys


def start_time(pid: int) -> str:
    """When a process was started, as the kernel counts it; empty if there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123  pathlib takes long to import
            return file.read().rpartition(b")")[2].split()[19].decode()
    except OSError:
        return ""


def main(folder: str, helpers: list[str]) -> None:
    """Wait for the gate's end, then end the helpers and remove the folder."""
    sys.stdin.buffer.read()
    for helper in helpers:
        pid, _, started = helper.partition(":")
        if start_time(int(pid)) == started:  # else the number is another's by now
            os.kill(int(pid), signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
