"""Runs a stand-in as a process until it is told to stop: `python -m tests.standin.github --state FILE`.

Prints `{"url": ...}` when it is ready. `GET /_standin` tells what it was asked and what it holds; at its end the same is
written to `--log`, and the exit code is 1 where there was a breach of GitHub's API description.
"""

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from tests.standin.github.faults import KINDS, PASSING, Faults
from tests.standin.github.server import running_github
from tests.standin.github.snapshot import load, snapshot
from tests.standin.github.standin import GitHub


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.standin.github", description="A stand-in for GitHub's REST API."
    )
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--state", type=Path, help="JSON to start from, see tests/standin/github/snapshot.py")
    parser.add_argument("--log", type=Path, help="JSON to write at the end")
    parser.add_argument("--prefix", default="", help="/api/v3 for a GitHub Enterprise")
    parser.add_argument("--seed", type=int, default=0, help="of the faults")
    parser.add_argument("--rate", type=float, default=0.0, help="share of requests that fail")
    parser.add_argument("--kinds", nargs="+", default=PASSING, choices=sorted(KINDS), help="of faults")
    given = parser.parse_args()
    github = GitHub(faults=Faults(given.seed, given.rate, given.kinds))
    if given.state is not None:
        load(github, json.loads(given.state.read_text("utf-8")))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with running_github(github, port=given.port, prefix=given.prefix):
        print(json.dumps({"url": github.url}), flush=True)
        stop.wait()
    if given.log is not None:
        given.log.write_text(json.dumps(snapshot(github), indent=1), "utf-8")
    for violation in github.violations:
        print(violation, file=sys.stderr)
    return 1 if github.violations else 0


if __name__ == "__main__":
    sys.exit(main())
