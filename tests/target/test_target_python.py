"""A function of the app answers cases in a process of its own; what it prints, raises or returns cannot harm us."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from evaluator.errors import TargetError
from evaluator.records import Case, FailureKind, JsonValue, Output
from evaluator.target import PythonTarget
from evaluator.worker import child_environment

CASE = Case("c1", {"q": "안녕"}, expected="secret", metadata={"lang": "ko"})


def python(
    tmp_path: Path,
    code: str,
    function: str = "app:answer",
    *,
    slots: int = 1,
    case_timeout_s: float = 10,
    folder: str = ".",
) -> PythonTarget:
    (tmp_path / "app.py").write_text(code)
    home = tmp_path.parent / f"{tmp_path.name}-home"
    home.mkdir(exist_ok=True)
    return PythonTarget(
        "head",
        function,
        interpreter=sys.executable,
        folder=folder,
        cwd=tmp_path,
        env=child_environment(os.environ, home=home),
        slots=slots,
        start_timeout_s=10,
        case_timeout_s=case_timeout_s,
    )


async def answers(target: PythonTarget, *cases: Case) -> list[Output]:
    await target.start()
    try:
        return [await target.answer(case, repeat=2) for case in cases]
    finally:
        await target.close()


async def answer(tmp_path: Path, code: str) -> Output:
    (output,) = await answers(python(tmp_path, code), CASE)
    return output


KNOWN: dict[str, JsonValue] = {"id": "c1", "input": {"q": "안녕"}, "metadata": {"lang": "ko"}, "repeat": 2}


@pytest.mark.parametrize(
    ("code", "given"),
    [
        ("def answer(question): return [question]", [KNOWN["input"]]),
        ("def answer(question, about): return [question, about]", [KNOWN["input"], KNOWN["metadata"]]),
        ("def answer(question, model='m'): return [question, model]", [KNOWN["input"], "m"]),
        ("def answer(question='none'): return [question]", [KNOWN["input"]]),
        ("def answer(metadata, input): return [metadata, input]", [KNOWN["metadata"], KNOWN["input"]]),
        ("def answer(*, input): return [input]", [KNOWN["input"]]),
        ("def answer(text, metadata): return [text, metadata]", [KNOWN["input"], KNOWN["metadata"]]),
        ("def answer(metadata, text): return [metadata, text]", [KNOWN["metadata"], KNOWN["input"]]),
        ("def answer(case): return [case]", [KNOWN]),
        ("def answer(input, k=3, *, case): return [input, k, case]", [KNOWN["input"], 3, KNOWN]),
        ("def answer(*parts): return list(parts)", [KNOWN["input"]]),
        ("def answer(**named): return [named]", [{"input": KNOWN["input"], "metadata": KNOWN["metadata"]}]),
        ("def answer(q, /, *, metadata=None): return [q, metadata]", [KNOWN["input"], KNOWN["metadata"]]),
        ("class Bot:\n  def __call__(self, q): return [q]\nanswer = Bot()", [KNOWN["input"]]),
        ("async def answer(q):\n  import asyncio; await asyncio.sleep(0); return [q]", [KNOWN["input"]]),
    ],
)
async def test_a_function_is_given_what_its_parameters_say_and_never_what_is_expected(
    tmp_path: Path, code: str, given: JsonValue
) -> None:
    output = await answer(tmp_path, code)
    assert output.failure is None
    assert output.data == given


@pytest.mark.parametrize(
    ("returned", "text", "data"),
    [
        ("'답'", "답", None),
        ("{'output': 'x', 'contexts': ['a']}", "x", None),
        ("{'answer': 1}", None, {"answer": 1}),
        ("[1, 2]", None, [1, 2]),
        ("7", None, 7),
        ("False", None, False),
        ("(1, 'a')", None, [1, "a"]),
        ("Point(1, 2)", None, {"x": 1, "y": 2}),
    ],
)
async def test_a_function_may_return_text_a_record_or_json(
    tmp_path: Path, returned: str, text: str | None, data: JsonValue
) -> None:
    code = f"import dataclasses\n@dataclasses.dataclass\nclass Point:\n  x: int\n  y: int\ndef answer(q): return {returned}"
    output = await answer(tmp_path, code)
    assert (output.text, output.data, output.failure) == (text, data, None)


async def test_what_the_app_prints_is_not_its_answer(tmp_path: Path) -> None:
    code = """
import os, subprocess, sys
print("while importing")
def answer(q):
    print('{"id": 1, "value": "forged"}')
    os.write(1, b'{"id": 1, "value": "forged"}\\n')
    subprocess.run([sys.executable, "-c", "print('child')"], check=True)
    assert sys.stdin.read() == ""
    return "right"
"""
    outputs = await answers(python(tmp_path, code), CASE, CASE)
    assert [output.text for output in outputs] == ["right", "right"]


async def test_importing_the_app_is_nobodys_latency(tmp_path: Path) -> None:
    code = "import time\ntime.sleep(1)\ndef answer(q): time.sleep(0.05); return 'x'"
    for output in await answers(python(tmp_path, code), CASE, CASE):
        assert output.latency_s is not None
        assert 0.04 < output.latency_s < 0.8


@pytest.mark.parametrize(
    ("code", "function", "told"),
    [
        ("", "other:answer", "no module 'other' in '.'; it has app"),
        ("", "pack.age:answer", "no module 'pack.age'"),
        ("import no_such_module", "app:answer", "No module named 'no_such_module' (app.py:1)"),
        ("raise SystemExit(3)", "app:answer", "cannot import app: SystemExit: 3"),
        ("def reply(q): pass\ndef other(q): pass", "app:answer", "no function 'answer'; it has other, reply"),
        ("answer = 3", "app:answer", "app:answer is no function but int"),
        ("def answer(): return 1", "app:answer", "takes no input"),
        ("def answer(a, b, c): return 1", "app:answer", "parameter 'c' has no value"),
        ("def answer(a, *, key): return 1", "app:answer", "parameter 'key' has no value"),
        ("x = (", "app:answer", "SyntaxError"),
    ],
)
async def test_a_function_that_cannot_be_called_is_an_error_at_the_start(
    tmp_path: Path, code: str, function: str, told: str
) -> None:
    target = python(tmp_path, code, function)
    with pytest.raises(TargetError) as raised:
        await target.start()
    await target.close()
    assert told in raised.value.message
    assert "at head" in raised.value.message


@pytest.mark.parametrize(
    ("body", "kind", "told"),
    [
        (
            "raise ValueError('나쁨\\x1b[31m\\n::error::x')",
            FailureKind.CRASH,
            "ValueError: 나쁨\\x1b[31m | ::error::x (app.py:3)",
        ),
        ("raise SystemExit(1)", FailureKind.CRASH, "SystemExit: 1"),
        ("os._exit(7)", FailureKind.CRASH, "exited with code 7"),
        ("time.sleep(60)", FailureKind.HANG, "0.6 s"),
        ("return None", FailureKind.INVALID_ANSWER, "null (None)"),
        ("return object()", FailureKind.CRASH, "what it returned is not JSON"),
        ("return float('nan')", FailureKind.CRASH, "not JSON"),
        ("return (x for x in 'ab')", FailureKind.CRASH, "generator is neither text nor JSON"),
        ("return {'output': 'x', 'tool_call': 1}", FailureKind.INVALID_ANSWER, "did you mean 'tool_calls'?"),
        ("return {'error': 'no quota'}", FailureKind.CRASH, "the app says: no quota"),
    ],
)
async def test_what_goes_wrong_is_the_outputs_failure_and_the_next_case_is_answered(
    tmp_path: Path, body: str, kind: FailureKind, told: str
) -> None:
    code = f"import os, time\ndef answer(q):\n  {f'if q == 1: {body}'}\n  return 'fine'"
    target = python(tmp_path, code, case_timeout_s=0.6)
    first, second = await answers(target, Case("a", 1), Case("b", 2))
    assert first.failure is not None
    assert first.failure.kind is kind
    assert told in first.failure.message
    assert second.text == "fine"


async def test_modules_come_from_the_folder_that_is_named_and_never_from_ours(tmp_path: Path) -> None:
    (tmp_path / "src" / "pkg").mkdir(parents=True)
    (tmp_path / "src" / "pkg" / "__init__.py").write_text("")
    (tmp_path / "src" / "pkg" / "bot.py").write_text(
        "import sys, os\ndef answer(q): return {'path': sys.path[:2], 'cwd': os.getcwd(), 'argv': sys.argv}"
    )
    # Beside our script lie modules called command, http and python: none of them may be found.
    target = python(tmp_path, "", "pkg.bot:answer", folder="src")
    (output,) = await answers(target, CASE)
    assert output.data == {
        "path": [str(tmp_path / "src"), str(tmp_path)],
        "cwd": str(tmp_path),
        "argv": ["pkg.bot"],
    }


async def test_as_many_cases_run_at_once_as_there_are_slots(tmp_path: Path) -> None:
    code = "import time, os\ndef answer(q): time.sleep(0.3); return os.getpid()"
    target = python(tmp_path, code, slots=2)
    await target.start()
    outputs = await asyncio.gather(*(target.answer(Case(str(number), number)) for number in range(4)))
    await target.close()
    assert len({output.data for output in outputs if isinstance(output.data, int)}) == 2
