"""Small programs for the tests: real child processes that behave well or badly."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from evaluator.worker import JsonLinesWorker

MakeWorker = Callable[..., JsonLinesWorker]
"""Makes a worker from the body of a program and options; see `conftest.py`."""

PRELUDE = """
import json, os, sys, time
def say(value):
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\\n")
    sys.stdout.flush()
def questions():
    for line in sys.stdin:
        yield json.loads(line)
"""

ECHO = """
for q in questions():
    say({"id": q["id"], "output": q["input"]})
"""


def program(body: str) -> list[str]:
    """Make the argv of a Python program: `say(value)` answers, `questions()` reads."""
    return [sys.executable, "-c", PRELUDE + body]


def running(marker: str) -> list[int]:
    """Find processes that have `marker` in their command line, zombies aside."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def wait_until_gone(marker: str, seconds: float = 2.0) -> list[int]:
    """Wait for processes with `marker` to go; give those that are still there."""
    deadline = time.monotonic() + seconds
    while (left := running(marker)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left
