"""30 % of an app's answers crash, hang or babble: every case has an outcome, and nothing is left running afterwards."""

import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluator.config.loading import parse_config
from evaluator.gateway.offline import Offline
from evaluator.records import Case, FailureKind, Output
from evaluator.wiring.targets import make_target
from tests.wiring.process_apps import PYTHON

MISHAP = """
import os, signal, subprocess, sys, time
def mishap(kind):
    if kind and kind != "raise":  # each bad one leaves a child behind that hides from its family
        hidden = [sys.executable, "-c", "import os, time; os.setsid(); time.sleep(300)", os.environ["MARK"]]
        subprocess.Popen(hidden, env={}, stdin=subprocess.DEVNULL, start_new_session=True)
    if kind == "exit": os._exit(3)
    if kind == "kill": os.kill(os.getpid(), signal.SIGKILL)
    if kind == "hang": time.sleep(300)
    if kind == "raise": raise ValueError("no")
    if kind == "flood": os.write(2, b"x" * 300_000); os.write(1, b"y" * 300_000 + b"\\n"); os._exit(1)
"""
WORKER = """
import json, sys
from mishap import mishap
for line in sys.stdin:
    question = json.loads(line)
    if question["input"] == "babble": print("a log line", flush=True)
    if question["input"] == "twice": print(json.dumps({"id": question["id"], "output": "x"}), flush=True)
    mishap(question["input"])
    print(json.dumps({"id": question["id"], "output": "fine"}), flush=True)
"""
FUNCTION = """
from mishap import mishap
def answer(question):
    print("a log line", flush=True)
    mishap(question)
    return "fine"
"""
SERVER = """
import http.server, json, os
from mishap import mishap
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        kind = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["input"]
        if kind == "babble": self.wfile.write(b"babble\\r\\n\\r\\n"); return
        mishap(kind)
        self.send_response(200); self.end_headers(); self.wfile.write(b"fine")
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
MODES = {
    "worker": ("{command: {run: python3 app.py, timeout: 1.5s, env: [MARK]}}", WORKER),
    "per_case": ("{command: {run: python3 app.py, mode: per_case, timeout: 1.5s, env: [MARK]}}", WORKER),
    "python": (f"{{python: {{function: 'app:answer', interpreter: {PYTHON}, timeout: 1.5s, env: [MARK]}}}}", FUNCTION),
    "http": ("{http: {run: python3 app.py, servers: 3, timeout: 1.5s, env: [MARK]}}", SERVER),
}
KINDS = ["exit", "kill", "hang", "raise", "flood", "babble", "twice"]


@pytest.fixture
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="llm-eval-gate-") as folder:
        yield Path(folder)


@pytest.mark.parametrize("mode", MODES)
async def test_every_case_has_an_outcome_and_nothing_is_left_running(mode: str, scratch: Path) -> None:
    target_text, app = MODES[mode]
    root = scratch / "sources-x" / "head"
    root.mkdir(parents=True)
    (root / "app.py").write_text(app)
    (root / "mishap.py").write_text(MISHAP)
    text = f"version: 1\ndataset: d\ntarget: {target_text}\nscorers: [exact_match]\nobjectives: {{exact_match: {{min: 0}}}}\n"
    mark = scratch.name
    loaded = parse_config(text, "config")
    environ = {"PATH": "/usr/bin:/bin", "MARK": mark, "LLM_EVAL_GATE_HOME": str(scratch / "kept")}
    target = make_target("head", root, loaded, Offline(), environ=environ, scratch=scratch, slots=3)
    dice = random.Random(mode)
    kinds = [dice.choice(KINDS) if dice.random() < 0.3 else "" for _ in range(40)]
    await target.start()
    try:
        outputs = await asyncio.gather(*(target.answer(Case(f"c{number}", kind)) for number, kind in enumerate(kinds)))
    finally:
        await target.close()
    wrong = [(kind, output) for kind, output in zip(kinds, outputs, strict=True) if not _fits(mode, kind, output)]
    # An exit between two questions fails the next one, see `worker/json_lines.py`; a bad one can so take one more along.
    assert len(wrong) <= sum(kind in ("twice", "babble", "flood") for kind in kinds), wrong
    assert Counter(output.text for output in outputs)["fine"] >= 20
    assert _running(mark) == []


def _fits(mode: str, kind: str, output: Output) -> bool:
    """Whether an outcome is the one that a mishap should have."""
    if output.failure is None:
        harmless = {"worker": {""}, "per_case": {"", "twice", "babble"}, "python": {"", "twice", "babble"}}
        if mode == "http":
            return kind in ("", "twice")
        return kind in harmless[mode]
    found = {
        "hang": {FailureKind.HANG},
        "babble": {FailureKind.INVALID_ANSWER, FailureKind.CRASH},
        "twice": {FailureKind.INVALID_ANSWER},
        "flood": {FailureKind.INVALID_ANSWER, FailureKind.CRASH},
    }
    return kind != "" and output.failure.kind in found.get(kind, {FailureKind.CRASH})


def _running(mark: str) -> list[str]:
    """Processes that were started with the mark, or work in the run's folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            seen = (
                (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes() + bytes((entry / "cwd").readlink())
            )
        except OSError:
            continue
        if mark.encode() in seen:
            found.append(f"{entry.name} {seen!r}")
    return found
