"""What was begun is always finished: the action as a process that is told to end, and defects of our own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from evaluator.action import evaluate
from tests.action.scene import read_outputs, scene
from tests.pipeline.commands import right

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_cancelled_run_finishes_comment_and_check_run(tmp_path: Path, sign: signal.Signals) -> None:
    async def slow(body: Any, number: int) -> str:
        import asyncio

        await asyncio.sleep(0.5)
        return right(body)

    with scene(tmp_path, slow) as found:
        environ = found.environ("pull_request", found.pull_payload(), inputs={"check-run": "true"})
        log = tmp_path / "log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-I", str(ROOT / "entrypoint.py")], env=environ, stdout=file, stderr=file
            )
            deadline = time.monotonic() + 60
            while not found.provider.requests and time.monotonic() < deadline and process.poll() is None:
                time.sleep(0.05)
            assert found.comments()[0].startswith("### ⏳ Evaluating")
            [check] = found.repository.check_runs.values()
            assert check.fields["status"] == "in_progress"
            started = time.monotonic()
            os.kill(process.pid, sign)
            assert process.wait(30) == 3, log.read_text("utf-8")
            assert time.monotonic() - started < 10  # the runner kills what takes longer
        [body] = found.comments()
        [check] = found.repository.check_runs.values()
        outputs = read_outputs(Path(environ["GITHUB_OUTPUT"]))
    assert "cancelled" in body
    assert "⏳" not in body
    assert check.fields["conclusion"] == "cancelled"
    assert outputs["verdict"] == "error"
    assert "Traceback" not in log.read_text("utf-8")


def test_a_defect_of_our_own_is_told_and_never_reads_as_the_gate_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError("::error::forged\n##[error] @everyone")

    with scene(tmp_path) as found:
        monkeypatch.setattr(evaluate, "run_within", breaks)
        ran = found.run()
        [body] = found.comments()
    assert ran.code == 3
    assert "defect of llm" in body.replace("\\", "")
    assert "@everyone" not in body
    assert "\n::error::forged" not in ran.log


def test_an_environment_that_is_no_job_is_an_error_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-I", str(ROOT / "entrypoint.py")], env={"PATH": "/usr/bin"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "GITHUB_" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
