"""A program in any language answers cases; what it does wrong is the case's failure."""

import asyncio
import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.errors import TargetError
from evaluator.records import Case, FailureKind, JsonValue, Output, ToolCall, Usage
from evaluator.target import CommandTarget
from evaluator.target.answer_record import read_answer, read_plain
from evaluator.worker import child_environment

Mode = Literal["worker", "per_case"]
CASE = Case("c1", {"q": "안녕"}, expected="secret", metadata={"lang": "ko"})
WORKER = """
import json, os, sys, time
time.sleep(0.3)
for line in sys.stdin:
    q = json.loads(line)
    print(json.dumps({"id": q["id"], "output": {OUTPUT}}), flush=True)
"""


def command(
    tmp_path: Path, code: str, mode: Mode = "worker", *, slots: int = 1, case_timeout_s: float = 10
) -> CommandTarget:
    (tmp_path / "app.py").write_text(code)
    return CommandTarget(
        "head",
        [sys.executable, "app.py"],
        cwd=tmp_path,
        env=child_environment(os.environ, home=tmp_path, names=["ALLOWED"]),
        mode=mode,
        slots=slots,
        start_timeout_s=10,
        case_timeout_s=case_timeout_s,
    )


async def answers(target: CommandTarget, *cases: Case) -> list[Output]:
    await target.start()
    try:
        return [await target.answer(case, repeat=1) for case in cases]
    finally:
        await target.close()


async def test_a_worker_is_told_the_case_but_never_what_is_expected(tmp_path: Path) -> None:
    (output,) = await answers(command(tmp_path, WORKER.replace("{OUTPUT}", "q")), CASE)
    assert output.data == {"id": 1, "case": "c1", "input": {"q": "안녕"}, "repeat": 1, "metadata": {"lang": "ko"}}


async def test_a_program_for_each_case_is_told_the_same(tmp_path: Path) -> None:
    (output,) = await answers(command(tmp_path, "import sys; print(sys.stdin.read())", "per_case"), CASE)
    assert output.data == {"id": 1, "case": "c1", "input": {"q": "안녕"}, "repeat": 1, "metadata": {"lang": "ko"}}


async def test_keys_of_ours_are_not_in_the_programs_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("ALLOWED", "yes")
    (output,) = await answers(command(tmp_path, WORKER.replace("{OUTPUT}", "dict(os.environ)")), CASE)
    assert isinstance(output.data, dict)
    assert output.data["ALLOWED"] == "yes"
    assert "sk-secret" not in json.dumps(output.data)


async def test_a_workers_start_is_not_in_the_latency_and_a_programs_is(tmp_path: Path) -> None:
    slow = WORKER.replace("{OUTPUT}", "time.sleep(0.05) or 'x'").replace("0.3", "2.0")
    for output in await answers(command(tmp_path, slow), CASE, CASE):
        assert output.latency_s is not None
        assert 0.04 < output.latency_s < 1.8
    (output,) = await answers(command(tmp_path, "import time; time.sleep(0.3); print('x')", "per_case"), CASE)
    assert output.latency_s is not None
    assert output.latency_s > 0.3


@pytest.mark.parametrize("mode", ["worker", "per_case"])
async def test_as_many_cases_run_at_once_as_there_are_slots(tmp_path: Path, mode: Mode) -> None:
    code = """
import json, sys, time
for line in sys.stdin:
    started = time.time()
    time.sleep(0.4)
    print(json.dumps({"id": json.loads(line)["id"], "output": [started, time.time()]}), flush=True)
"""
    target = command(tmp_path, code, mode, slots=2)
    await target.start()
    outputs = await asyncio.gather(*(target.answer(Case(str(number), number)) for number in range(4)))
    await target.close()
    spans = [output.data for output in outputs]
    assert most_at_once(spans) == 2


def most_at_once(spans: list[Any]) -> int:
    return max(sum(1 for start, end in spans if start <= moment < end) for moment, _ in spans)


@pytest.mark.parametrize(
    ("mode", "code", "kind", "told"),
    [
        ("worker", "import no_such", FailureKind.CRASH, "No module named"),
        ("worker", "import sys, time; sys.stdin.readline(); time.sleep(99)", FailureKind.HANG, "0.6 s"),
        ("worker", "import sys\nfor l in sys.stdin: print('hi', flush=True)", FailureKind.INVALID_ANSWER, "stderr"),
        ("worker", WORKER.replace("{OUTPUT}", "None"), FailureKind.INVALID_ANSWER, "no 'output'"),
        ("per_case", "raise ValueError('아니')", FailureKind.CRASH, "ValueError: 아니"),
        ("per_case", "import time; time.sleep(99)", FailureKind.HANG, "0.6 s"),
        ("per_case", "import os; os.write(1, b'\\xff')", FailureKind.INVALID_ANSWER, "not UTF-8"),
        ("per_case", 'print(\'{"error": "quota"}\')', FailureKind.CRASH, "the app says: quota"),
    ],
)
async def test_what_goes_wrong_is_the_outputs_failure(
    tmp_path: Path, mode: Mode, code: str, kind: FailureKind, told: str
) -> None:
    (output,) = await answers(command(tmp_path, code, mode, case_timeout_s=0.6), CASE)
    assert output.failure is not None
    assert output.failure.kind is kind
    assert told in output.failure.message


@pytest.mark.parametrize("mode", ["worker", "per_case"])
@pytest.mark.parametrize("program", ["no-such-program", "./missing.sh", "./not_executable.sh", "/no/such", ""])
async def test_a_program_that_is_not_there_is_an_error_at_the_start(tmp_path: Path, mode: Mode, program: str) -> None:
    (tmp_path / "not_executable.sh").write_text("echo hi")
    target = CommandTarget(
        "base", [program], cwd=tmp_path, env={}, mode=mode, slots=1, start_timeout_s=1, case_timeout_s=1
    )
    with pytest.raises(TargetError, match="at base"):
        await target.start()
    await target.close()


async def test_nothing_is_left_running(tmp_path: Path) -> None:
    marker = secrets.token_hex(8)
    spawn = (
        f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)', '{marker}'])\n"
    )
    await answers(command(tmp_path, spawn + WORKER.replace("{OUTPUT}", "1"), "worker"), CASE)
    await answers(command(tmp_path, spawn + "print(1)", "per_case"), CASE)
    await asyncio.sleep(0.1)
    left = [entry for entry in Path("/proc").glob("[0-9]*/cmdline") if marker.encode() in _bytes(entry)]
    assert left == []


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_all_that_an_app_may_tell_is_read() -> None:
    answer: dict[str, JsonValue] = {
        "output": "답",
        "tool_calls": [
            {"name": "a", "arguments": {"x": 1}},
            {"type": "function", "function": {"name": "b", "arguments": '{"y": 2}'}},
            {"name": "c", "arguments": "no json"},
            {"name": "d"},
        ],
        "contexts": ["one", "둘"],
        "usage": {"input_tokens": 3, "output_tokens": 4},
        "cost_usd": 0.5,
    }
    assert read_answer(answer, 1.0) == Output(
        text="답",
        tool_calls=(ToolCall("a", {"x": 1}), ToolCall("b", {"y": 2}), ToolCall("c", "no json"), ToolCall("d")),
        contexts=("one", "둘"),
        latency_s=1.0,
        usage=Usage(3, 4),
        cost_usd=0.5,
    )


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({}, "no 'output'"),
        ({"output": None}, "no 'output'"),
        ({"output": "x", "tool_call": []}, "did you mean 'tool_calls'?"),
        ({"output": "x", "zzz": []}, "unknown key 'zzz'"),
        ({"output": "x", "tool_calls": {}}, "'tool_calls' must be a list"),
        ({"output": "x", "tool_calls": ["a"]}, "with a 'name'"),
        ({"output": "x", "contexts": "a"}, "list of texts"),
        ({"output": "x", "contexts": [1]}, "list of texts"),
        ({"output": "x", "usage": {"input": 1}}, "'usage' must be"),
        ({"output": "x", "usage": {"input_tokens": -1}}, "'usage.input_tokens'"),
        ({"output": "x", "usage": {"input_tokens": True}}, "'usage.input_tokens'"),
        ({"output": "x", "cost_usd": "1"}, "'cost_usd'"),
        ({"output": "x", "cost_usd": -1}, "'cost_usd'"),
    ],
)
def test_a_wrong_shape_is_an_invalid_answer(answer: dict[str, JsonValue], told: str) -> None:
    output = read_answer(answer, 1.0)
    assert output.failure is not None
    assert output.failure.kind is FailureKind.INVALID_ANSWER
    assert told in output.failure.message


@pytest.mark.parametrize(
    ("stdout", "text", "data"),
    [
        (b"plain\n", "plain", None),
        (b"two\nlines\r\n", "two\nlines", None),
        (b"", "", None),
        (b'{"answer": 1}\n', '{"answer": 1}', {"answer": 1}),
        (b'{"output": "x"}\n', "x", None),
        (b'{"output": {"a": 1}}', None, {"a": 1}),
        (b'{"id": 5}', '{"id": 5}', {"id": 5}),
        (b"{not json", "{not json", None),
        (b"42", "42", None),
    ],
)
def test_all_of_stdout_is_an_answer(stdout: bytes, text: str | None, data: JsonValue) -> None:
    output = read_plain(stdout, 1.0)
    assert (output.text, output.data, output.failure) == (text, data, None)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(["output", "tool_calls", "contexts", "usage", "cost_usd", "error", "id"])


@given(st.dictionaries(FIELDS, JSON))
def test_any_answer_is_an_answer_or_a_failure_and_never_both(answer: dict[str, JsonValue]) -> None:
    output = read_answer(answer, 1.0)
    given = output.text is not None or output.data is not None or bool(output.tool_calls)
    assert given is (output.failure is None)


@given(st.binary())
def test_any_stdout_is_an_answer_or_a_failure(stdout: bytes) -> None:
    output = read_plain(stdout, 1.0)
    assert (output.failure is None) is (output.text is not None or output.data is not None or bool(output.tool_calls))
