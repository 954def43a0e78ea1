"""A process that keeps one Ray for many commands: `{"words": [...], "home": ..., "environ": {...}}` a line in.

Out comes `{"code": ..., "out": ..., "err": ...}`. A process of its own, because Ray changes the one that it is in.
"""

import contextlib
import io
import json
import os
import sys
from pathlib import Path

from evaluator.cli.main import main
from evaluator.cli.world import World
from evaluator.engines.ray.session import session


def serve() -> None:
    told = sys.stdout
    with session("local", workers=4, environ=dict(os.environ)):
        print("ready", file=told, flush=True)
        for line in sys.stdin:
            asked = json.loads(line)
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(err):
                code = main(asked["words"], World(asked["environ"], Path(asked["cwd"]), out, err))
            print(json.dumps({"code": code, "out": out.getvalue(), "err": err.getvalue()}), file=told, flush=True)


if __name__ == "__main__":
    serve()
