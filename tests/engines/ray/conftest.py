"""One Ray for all tests that do not look at how it starts and ends; and what runs on the machine below a process."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.pipeline.commands import Said

ROOT = Path(__file__).parents[3]
PATIENCE_S = 240.0


@dataclass
class Kept:
    """A process that runs commands of ours, one after another, with a Ray that it keeps."""

    process: "subprocess.Popen[str]"

    def command(self, home: Path, *words: str, **environ: str) -> Said:
        """Run one command and wait for its end."""
        return self.begin(home, *words, **environ)()

    def begin(self, home: Path, *words: str, **environ: str) -> Callable[[], Said]:
        """Begin a command; gives what waits for its end."""
        environment = {"PATH": "/usr/bin:/bin", "LLM_EVAL_GATE_HOME": str(home), "STANDIN_KEY": "k-secret", **environ}
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"words": words, "cwd": str(home.parent), "environ": environment}) + "\n")
        self.process.stdin.flush()

        def wait() -> Said:
            assert self.process.stdout is not None
            if not select.select([self.process.stdout], [], [], PATIENCE_S)[0]:
                self.process.kill()
                raise AssertionError(f"no end of {words} within {PATIENCE_S} s")
            said = Said(**json.loads(self.process.stdout.readline()))
            assert "Traceback" not in said.err, said.err
            return said

        return wait

    def workers(self) -> list[int]:
        """Process ids of the workers that there are."""
        return [pid for pid, name in below(self.process.pid).items() if name.startswith("ray::Worker")]


def below(root: int) -> dict[int, str]:
    """All processes below one: its id -> how it calls itself."""
    parents, names = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text().rpartition(")")[2].split()
                names[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ").strip()
            except OSError:
                continue
            if stat[0] not in "ZX":
                parents[int(folder.name)] = int(stat[1])
    found = {root}
    while True:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        if not more:
            return {pid: names[pid] for pid in found - {root}}
        found |= more


@pytest.fixture(scope="session", autouse=True)
def installed() -> None:
    """Fail, rather than leave out: without Ray nothing here is tried."""
    assert find_spec("ray") is not None, "Ray is not installed: scripts/set-up dev installs it"


@pytest.fixture(scope="module")
def kept(installed: None) -> Iterator[Kept]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.engines.ray.kept_ray"], cwd=ROOT, env=environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        assert select.select([process.stdout], [], [], PATIENCE_S)[0]
        assert process.stdout.readline() == "ready\n"
        yield Kept(process)
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()
