"""A program started for one question gives all of its stdout, or says why not."""

import contextlib
import json
import secrets
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.records import FailureKind
from evaluator.sandbox import Cage
from evaluator.worker import WorkerFailure, parse_json, printable, run_once
from tests.worker.worker_programs import program, running, wait_until_gone


async def test_the_whole_of_stdout_is_the_answer(
    tmp_path: Path, environment: dict[str, str], cage: Cage | None
) -> None:
    body = "time.sleep(0.1); text = sys.stdin.read(); sys.stdout.write(text * 2)"
    finished = await run_once(
        program(body), cwd=tmp_path, env=environment, cage=cage, stdin="안녕\n".encode() * 200_000, timeout_s=20
    )
    assert finished.stdout.decode() == "안녕\n" * 400_000
    assert finished.latency_s > 0.1


async def test_a_program_need_not_read_its_input(
    tmp_path: Path, environment: dict[str, str], cage: Cage | None
) -> None:
    finished = await run_once(
        program("print('hi')"), cwd=tmp_path, env=environment, cage=cage, stdin=b"x" * 1_000_000, timeout_s=20
    )
    assert finished.stdout == b"hi\n"


@pytest.mark.parametrize(
    ("body", "kind", "told"),
    [
        ("sys.exit('안 됨')", FailureKind.CRASH, "exited with code 1; its stderr ends: 안 됨"),
        ("time.sleep(60)", FailureKind.HANG, "0.5 s"),
        ("sys.stdout.close(); os.close(1); time.sleep(60)", FailureKind.HANG, "0.5 s"),
        ("while True: os.write(1, b'x' * 65536)", FailureKind.INVALID_ANSWER, "more than 1000000 bytes"),
    ],
)
async def test_a_failure_says_why(
    tmp_path: Path, environment: dict[str, str], cage: Cage | None, body: str, kind: FailureKind, told: str
) -> None:
    marker = secrets.token_hex(8)
    with pytest.raises(WorkerFailure) as caught:
        await run_once(
            program(f"{body}  # {marker}"),
            cwd=tmp_path,
            env=environment,
            cage=cage,
            stdin=b"",
            timeout_s=0.5,
            max_bytes=1_000_000,
        )
    assert caught.value.kind is kind
    assert told in caught.value.message
    assert running(marker) == []


async def test_a_descendant_that_holds_stdout_open_does_not_hold_us_up(
    tmp_path: Path, environment: dict[str, str], cage: Cage | None
) -> None:
    marker = secrets.token_hex(8)
    argv = ["bash", "-c", f"(sleep 60; : {marker}) & echo done"]
    finished = await run_once(argv, cwd=tmp_path, env=environment, cage=cage, stdin=b"", timeout_s=10)
    assert finished.stdout == b"done\n"
    assert finished.latency_s < 5
    assert wait_until_gone(marker) == []


@given(st.text())
def test_printable_text_is_one_line_without_control_characters(text: str) -> None:
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert shown.isprintable()


@given(st.binary())
def test_any_bytes_are_a_value_or_a_value_error(line: bytes) -> None:
    with contextlib.suppress(ValueError):
        json.dumps(parse_json(line), allow_nan=False).encode("utf-8")
