"""A gate that is ended from outside: polite or not, nothing of its containers and networks stays for long."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from evaluator.target.container import Build, Named
from evaluator.target.container.engine import open_engine
from evaluator.target.container.leftovers import our_mark, sweep
from tests.container.contained import DOCKERFILE, left, started, told
from tests.container.engine import ROOT, Engine
from tests.pipeline.commands import right
from tests.standin.threaded import running
from tests.wiring.process_apps import config, process_app

DEAF = "import time\ntime.sleep(600)\n"
"""An app that does not end with its stdin."""


@contextmanager
def running_gate(tmp_path: Path, engine: Engine) -> Iterator["subprocess.Popen[bytes]"]:
    """A gate whose app never answers; it runs containers of both sides."""
    text = config("{{container: {{build: .}}, provider: standin}}")
    with running(right) as server:
        files = {"app_dot_py": DEAF, "Dockerfile": DOCKERFILE}
        repo = process_app(tmp_path / "app", server.url, text, base=files, head={"note_dot_txt": "x"})
        environ = {
            "PATH": "/nowhere:/usr/bin:/bin", "LLM_EVAL_GATE_HOME": str(tmp_path / "home"), "STANDIN_KEY": "k",
            "DOCKER_HOST": engine.host, "PYTHONPATH": str(ROOT), "DOCKER_BUILDKIT": "0",
        }  # fmt: skip
        words = [sys.executable, "-m", "evaluator.cli.main", "gate", "--repo", str(repo)]
        with subprocess.Popen(words, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as gate:
            try:
                deadline = time.monotonic() + 60
                while containers(engine) < 2 and time.monotonic() < deadline and gate.poll() is None:
                    time.sleep(0.1)
                assert containers(engine) >= 2
                yield gate
            finally:
                gate.kill()


def containers(engine: Engine) -> int:
    return len(engine.docker("ps", "--quiet", "--filter", "label=llm-eval-gate").stdout.split())


@pytest.mark.usefixtures("node_image")
async def test_a_killed_gates_containers_and_networks_are_removed_by_the_next_one(
    tmp_path: Path, engine: Engine
) -> None:
    with running_gate(tmp_path, engine) as gate:
        gate.send_signal(signal.SIGKILL)
        gate.wait(20)
    before = set(left(engine))
    assert len(before) >= 4  # two containers and two networks at least: a kill leaves them
    folder = tmp_path / "next"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE, "utf-8")
    (folder / "app.py").write_text(
        "import json, sys\nfor line in sys.stdin:\n"
        "    print(json.dumps({'id': json.loads(line)['id'], 'output': {'is': 1}}), flush=True)\n"
    )
    async with started(engine, Build(folder), tmp_path) as target:
        assert await told(target, "x") == 1
        assert not before & set(left(engine))
    assert left(engine) == []


@pytest.mark.usefixtures("node_image")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_gate_that_is_told_to_stop_removes_all_itself(tmp_path: Path, engine: Engine, number: signal.Signals) -> None:
    with running_gate(tmp_path, engine) as gate:
        gate.send_signal(number)
        gate.wait(60)
    assert left(engine) == []


async def test_what_belongs_to_a_gate_that_runs_or_may_run_is_left_alone(
    tmp_path: Path, engine: Engine, node_image: str
) -> None:
    async with started(engine, Named(node_image), tmp_path, run=("cat",)):
        there = set(left(engine))
        other = await open_engine({"PATH": "/nowhere", "DOCKER_HOST": engine.host}, tmp_path / "other")
        try:
            container, _, namespace, pid, began = our_mark(None).split(";")
            assert (container, pid) == ("", str(os.getpid()))
            for mark in (our_mark(None), f";another-start;{namespace};{pid};{began}", ""):
                await sweep(other, mark)
                assert set(left(engine)) == there
        finally:
            await other.close()


async def test_a_gate_in_a_container_is_gone_with_its_container(
    tmp_path: Path, engine: Engine, node_image: str
) -> None:
    other = await open_engine({"PATH": "/nowhere", "DOCKER_HOST": engine.host}, tmp_path / "other")
    gate = engine.docker("run", "--detach", "--network", "none", node_image, "sleep", "600").stdout.strip()
    mark = f"{gate};another-start;pid:[1];1;1"
    words = ("--detach", "--network", "none", "--label", "llm-eval-gate=x", "--label", f"llm-eval-gate.gate={mark}")
    try:
        engine.docker("run", *words, node_image, "sleep", "600")
        await sweep(other, our_mark(None))
        assert containers(engine) == 1
        engine.docker("rm", "--force", gate)
        await sweep(other, our_mark(None))
        assert left(engine) == []
    finally:
        engine.docker("rm", "--force", gate, check=False)
        await other.close()
