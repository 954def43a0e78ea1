"""Once a result is told the exit code is the verdict's: a late signal or a reader who went away do not change it."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def scores(path: Path, value: float) -> Path:
    path.write_text(
        "".join(json.dumps({"id": f"case-{n}", "judge": value + n % 3}) + "\n" for n in range(120)), "utf-8"
    )
    return path


@pytest.fixture
def worse(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A comparison that fails, and the reading end of its output, which holds less than the document."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    files = [str(scores(tmp_path / f"{value}.jsonl", value)) for value in (3.0, 2.0)]
    process = subprocess.Popen(
        [sys.executable, "-m", "evaluator.cli.main", "compare", *files, "--json"],
        stdout=writing, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    os.close(writing)
    yield process, reading
    process.kill()
    process.communicate()


def wait_until_it_writes(process: subprocess.Popen[bytes]) -> None:
    """Until it waits for somebody to read."""
    for _ in range(2000):
        # Number 1 is write(2) on x86-64, 64 on AArch64; then the file's number.
        if Path(f"/proc/{process.pid}/syscall").read_text().split()[:2] in (["1", "0x1"], ["64", "0x1"]):
            return
        time.sleep(0.01)
    raise AssertionError(f"it never wrote: {process.poll()}")


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_result_is_told_neither_tears_it_nor_changes_the_exit_code(
    worse: tuple[subprocess.Popen[bytes], int], sign: signal.Signals
) -> None:
    process, reading = worse
    wait_until_it_writes(process)
    process.send_signal(sign)
    with os.fdopen(reading, "rb") as pipe:
        document = json.loads(pipe.read())
    assert document["verdict"]["state"] == "fail"
    assert process.wait(30) == 1


def test_a_second_signal_ends_it_where_nobody_reads(worse: tuple[subprocess.Popen[bytes], int]) -> None:
    process, reading = worse
    for _ in range(2):
        wait_until_it_writes(process)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
    assert process.wait(30) == 3
    os.close(reading)


def test_a_reader_who_goes_away_makes_no_pass_of_a_failed_gate(
    worse: tuple[subprocess.Popen[bytes], int],
) -> None:
    process, reading = worse
    wait_until_it_writes(process)
    os.read(reading, 100)
    os.close(reading)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert err == b""


@pytest.mark.parametrize("streams", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full"])
def test_streams_that_are_closed_or_full_change_no_exit_code(tmp_path: Path, streams: str) -> None:
    scores(tmp_path / "3.jsonl", 3.0)
    command = f"exec {sys.executable} -m evaluator.cli.main compare 3.jsonl 3.jsonl {streams}"
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("streams", ["<&-", ">&-", "2>&-", "2>/dev/full"])
def test_an_error_that_nobody_can_be_told_is_no_failed_gate(tmp_path: Path, streams: str) -> None:
    command = f"exec {sys.executable} -m evaluator.cli.main validate --repo . {streams}"
    done = subprocess.run(
        ["/bin/sh", "-c", command], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True,
        check=False,
    )  # fmt: skip
    assert done.returncode not in (0, 1), (done.stdout, done.stderr)
