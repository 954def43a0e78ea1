"""Ctrl-C and SIGTERM, at whatever moment: the run ends soon, says how to go on, and leaves nothing running."""

import asyncio
import ctypes
import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.commands import right
from tests.standin.app import CONFIG, commit, git, make_app
from tests.standin.threaded import running

ROOT = Path(__file__).parents[2]
CASES, IN_FLIGHT, CALL_S = 60, 4, 0.03
PROCESS = CONFIG.replace("prompt: prompts/answer.prompt.yml, provider: standin", "command: python3 app.py").replace(
    "  cost_per_request: {{max: $0.01}}\n", ""
)
APP = (
    "import json, subprocess, sys, time\nsubprocess.Popen(['sleep', '300'])\nfor line in sys.stdin:\n"
    f"    q = json.loads(line)\n    time.sleep({CALL_S})\n"
    "    print(json.dumps({'id': q['id'], 'output': q['input'].replace('질문', '답')}), flush=True)\n"
)
FOLDERS: list[Path] = []


async def slowly(body: Any, number: int) -> str:
    await asyncio.sleep(CALL_S)
    return right(body)


@pytest.fixture(autouse=True)
def _orphans_come_to_us() -> Iterator[None]:
    libc = ctypes.CDLL(None)
    libc.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    yield
    libc.prctl(36, 0, 0, 0, 0)
    for folder in FOLDERS:
        shutil.rmtree(folder, ignore_errors=True)
    FOLDERS.clear()


def children() -> set[str]:
    """Process ids of this process's children."""
    return {pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


@pytest.fixture(autouse=True)
def others() -> Iterator[None]:
    """Leave out what other tests have started and still need."""
    OTHERS.update(children())
    yield
    OTHERS.clear()


OTHERS: set[str] = set()


def left_running() -> list[str]:
    """Command lines of our children that live, after a moment for those that are dying."""
    found: list[str] = []
    for _ in range(100):
        found = []
        for pid in children() - OTHERS:
            if Path(f"/proc/{pid}").exists():
                line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                if line:
                    found.append(line)
                else:
                    os.waitpid(int(pid), os.WNOHANG)
        if not found:
            return []
        time.sleep(0.05)
    return found


class Gate:
    """A gate in a process of its own."""

    def __init__(self, repo: Path, room: Path, words: list[str] | None = None) -> None:
        # Not below pytest's own folder, which the app's own user may not enter.
        self.tmp = Path(tempfile.mkdtemp(prefix="told-to-end-"))
        self.tmp.chmod(0o755)
        FOLDERS.append(self.tmp)
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "LLM_EVAL_GATE_HOME": str(room / "home"), "STANDIN_KEY": "k"}
        environ |= {"TMPDIR": str(self.tmp), "PATH": "/usr/bin:/bin"}
        words = words or ["gate", "--repo", str(repo), "--head", "change", "--json"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "evaluator.cli.main", *words], env=environ, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def wait_until_it_listens(self) -> None:
        """Until it has its own way with SIGTERM."""
        while self.process.poll() is None:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
            caught = re.search(r"SigCgt:\s*([0-9a-f]+)", status)
            if caught and int(caught[1], 16) >> (signal.SIGTERM - 1) & 1:
                return
            time.sleep(0.005)

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=60)
        assert "Traceback" not in err, err
        # Python's own trial of the folder is a file, and may be interrupted too.
        self.left = [path for path in self.tmp.iterdir() if path.is_dir()]
        return self.process.returncode, out, err


def app(room: Path, kind: str, url: str) -> Path:
    repo = make_app(room / "app", url, cases=CASES, config=CONFIG if kind == "prompt" else PROCESS)
    if kind == "process":
        git(repo, "switch", "--quiet", "main")
        commit(repo, "app", app_dot_py=APP)
        git(repo, "switch", "--quiet", "change")
        git(repo, "merge", "--quiet", "main")
    return repo


@pytest.mark.parametrize("kind", ["prompt", "process"])
def test_stopped_at_random_moments_it_goes_on_to_the_same_result(tmp_path: Path, kind: str) -> None:
    dice = random.Random()
    stopped, kept = 0, 0
    with running(slowly) as server:
        repo = app(tmp_path, kind, server.url)
        for _ in range(4):
            gate = Gate(repo, tmp_path / "room")
            gate.wait_until_it_listens()
            time.sleep(dice.uniform(0.0, 1.6))
            sign = dice.choice([signal.SIGTERM, signal.SIGINT])
            gate.process.send_signal(sign)
            code, out, err = gate.end()
            if code == 0:
                break  # it was done by then
            stopped += 1
            assert code == 3, err
            assert out == ""
            assert left_running() == []
            assert gate.left == []
            said = re.search(r"kept: (\d+) answers; spent: \$[\d.]+ in (\d+) calls\. To go on from there: (.*)", err)
            if said:
                assert int(said[1]) >= kept
                kept = int(said[1])
                assert shlex.split(said[3])[:2] == ["llm-eval-gate", "gate"]
        words = shlex.split(said[3])[1:] if stopped and said else None
        code, out, err = Gate(repo, tmp_path / "room", words).end()
        assert code == 0, err + str(json.loads(out or "{}").get("notes"))
        assert json.loads(out)["verdict"]["state"] == "pass"
        assert left_running() == []
    if kind == "prompt":
        asked = [json.dumps(body["messages"]) for body in server.requests]
        assert len(set(asked)) == 2 * CASES
        assert len(asked) - len(set(asked)) <= stopped * IN_FLIGHT


@pytest.mark.parametrize("kind", ["prompt", "process"])
def test_the_second_signal_ends_it_at_once_and_leaves_nothing_running(tmp_path: Path, kind: str) -> None:
    with running(slowly) as server:
        repo = app(tmp_path, kind, server.url)
        gate = Gate(repo, tmp_path / "room")
        journals = tmp_path / "room" / "home" / "runs"
        while not list(journals.glob("*/journal-1.sqlite")) and gate.process.poll() is None:
            time.sleep(0.01)
        time.sleep(0.8)
        os.kill(gate.process.pid, signal.SIGINT)
        os.kill(gate.process.pid, signal.SIGTERM)  # as soon as it can: two of one kind may come as one
        code, _, err = gate.end()
        assert code == 3, err
        assert "stopped at once" in err
        assert left_running() == []
        code, out, err = Gate(repo, tmp_path / "room").end()
        assert code == 0, err + str(json.loads(out or "{}").get("notes"))
