"""The python scorer runs the user's function in a real process of its own."""

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from evaluator.config.scorers import PythonOptions
from evaluator.errors import ScorerError
from evaluator.records import Case, FailureKind, JsonValue, Output, Score, ToolCall
from evaluator.scoring.python import PythonScorer
from evaluator.worker import JsonLinesWorker, child_environment

SOURCE = """
import asyncio, math, os, sys
from fractions import Fraction

print("printed at import")

class Odd:
    def __float__(self):
        return 0.25

def by_input(case, output):
    print("to stdout")
    os.system("echo from a shell")
    sys.stdout.write("no newline")
    assert sys.stdin.read() == ""
    return {
        "true": True, "half": 0.5, "int": 3, "fraction": Fraction(1, 4), "odd": Odd(), "nan": math.nan,
        "inf": math.inf, "text": "0.5", "none": None, "list": [1],
        "dict": {"score": 0.5, "length": 3, "reason": "이유"}, "named": {"own": 1},
        "empty": {}, "other": {"x": 1, "y": 2},
        "bad reason": {"score": 1, "reason": 3}, "bad column": {"score": 1, "x": "a"},
    }[case["input"]]

async def asynchronous(case, output):
    await asyncio.sleep(0)
    return len(output["text"]) / len(case["expected"])

def everything(case, output):
    return {"score": 1, "reason": repr(sorted(case)) + repr(sorted(output)) + repr(output["tool_calls"])}

def raises(case, output):
    raise ValueError("not\\nthis one")

def leaves(case, output):
    sys.exit(3)

def dies(case, output):
    os._exit(3)

def hangs(case, output):
    import time
    time.sleep(60)

calls = []
def counts(case, output):
    calls.append(1)
    return len(calls)

not_a_function = 3
"""

Make = Callable[..., PythonScorer]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    (tmp_path / "evals").mkdir()
    (tmp_path / "evals" / "own.py").write_text(SOURCE, "utf-8")
    (tmp_path / "evals" / "broken.py").write_text("import nothing_of_the_kind\n", "utf-8")
    # Names of our own modules must not shadow the user's.
    (tmp_path / "evals" / "answer.py").write_text("VALUE = 7\n", "utf-8")
    (tmp_path / "evals" / "neighbour.py").write_text("import answer\ndef score(c, o): return answer.VALUE\n", "utf-8")
    made: list[PythonScorer] = []

    def worker(arguments: Sequence[str], seconds: float) -> JsonLinesWorker:
        environment = child_environment({"PATH": "/usr/bin:/bin"}, home=tmp_path)
        return JsonLinesWorker(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, start_timeout_s=30, call_timeout_s=seconds
        )

    def give(path: str, **options: object) -> PythonScorer:
        chosen = PythonOptions.model_validate({"path": path, **options})
        scorer = PythonScorer(chosen, worker, lambda name: (tmp_path / name).read_text("utf-8"))
        made.append(scorer)
        return scorer

    yield give
    for scorer in made:
        await scorer.close()


async def score(scorer: PythonScorer, given: JsonValue = "q", text: str = "answer") -> Score:
    return await scorer.score(Case("c1", given, "expected"), Output(text=text, tool_calls=(ToolCall("a", {"x": 1}),)))


@pytest.mark.parametrize(
    ("given", "value", "details", "reason"),
    [
        ("true", 1.0, {}, ""),
        ("half", 0.5, {}, ""),
        ("int", 3.0, {}, ""),
        ("fraction", 0.25, {}, ""),
        ("odd", 0.25, {}, ""),
        ("dict", 0.5, {"length": 3.0}, "이유"),
        ("named", 1.0, {}, ""),
    ],
)
async def test_numbers_are_taken_and_prints_disturb_nothing(
    make: Make, given: str, value: float, details: dict[str, float], reason: str
) -> None:
    scorer = make("evals/own.py:by_input", name="own")
    await scorer.start()
    got = await score(scorer, given)
    assert (got.values, got.details, got.reason, got.failure) == ({"own": value}, details, reason, None)


async def test_what_is_no_number_is_a_failure_that_says_so(make: Make) -> None:
    scorer = make("evals/own.py:by_input", name="own")
    await scorer.start()
    wrong = {
        "nan": "finite number, found nan",
        "inf": "finite number, found inf",
        "text": "found str",
        "none": "found NoneType",
        "list": "found list",
        "empty": "an empty dict",
        "other": "'x', 'y'",
        "bad reason": "`reason` must be text",
        "bad column": "under 'x'",
    }
    for given, message in wrong.items():
        got = await score(scorer, given)
        assert got.failure is not None, given
        assert got.failure.kind is FailureKind.SCORER
        assert message in got.failure.message
        assert got.values == {}
    assert (await score(scorer, "half")).values == {"own": 0.5}


async def test_an_async_function_is_awaited(make: Make) -> None:
    assert (await score(make("evals/own.py:asynchronous"), text="abcd")).values == {"python": 0.5}


async def test_the_function_sees_the_case_and_the_output(make: Make) -> None:
    got = await score(make("evals/own.py:everything"))
    assert "['expected', 'id', 'input', 'metadata', 'tags']" in got.reason
    assert "['contexts', 'cost_usd', 'data', 'latency_s', 'text', 'tool_calls']" in got.reason
    assert "[{'name': 'a', 'arguments': {'x': 1}}]" in got.reason


@pytest.mark.parametrize(("function", "message"), [("raises", "ValueError: not"), ("leaves", "SystemExit: 3")])
async def test_a_function_that_raises_is_a_failure_and_the_process_lives_on(
    make: Make, function: str, message: str
) -> None:
    scorer = make(f"evals/own.py:{function}")
    for _ in range(2):
        got = await score(scorer)
        assert got.failure is not None
        assert got.failure.kind is FailureKind.SCORER
        assert message in got.failure.message
        assert "own.py:" in got.failure.message


@pytest.mark.parametrize(
    ("function", "kind", "timeout"), [("dies", FailureKind.CRASH, "20s"), ("hangs", FailureKind.HANG, "500ms")]
)
async def test_a_process_that_dies_or_hangs_is_a_failure(
    make: Make, function: str, kind: FailureKind, timeout: str
) -> None:
    got = await score(make(f"evals/own.py:{function}", timeout=timeout))
    assert got.failure is not None
    assert got.failure.kind is kind


async def test_one_process_serves_all_cases(make: Make) -> None:
    scorer = make("evals/own.py:counts")
    assert [(await score(scorer)).values["python"] for _ in range(3)] == [1, 2, 3]


async def test_the_users_modules_are_found_beside_the_file_before_ours(make: Make) -> None:
    assert (await score(make("evals/neighbour.py:score"))).values == {"python": 7.0}


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("evals/own.py:missing", "no function 'missing'; it has asynchronous"),
        ("evals/own.py:not_a_function", "no function 'not_a_function'"),
        ("evals/broken.py:score", "ModuleNotFoundError: No module named 'nothing_of_the_kind' (broken.py:1)"),
    ],
)
async def test_a_function_that_cannot_be_imported_is_an_error_at_the_start(make: Make, path: str, message: str) -> None:
    with pytest.raises(ScorerError) as caught:
        await make(path).start()
    assert message in caught.value.message


@pytest.mark.parametrize(
    "path",
    ["evals/own.py", "own:score", "/etc/own.py:score", "../own.py:score", "evals/own.py:a b", "evals/none.py:score"],
)
def test_a_path_that_is_none_is_refused(make: Make, path: str) -> None:
    with pytest.raises(ScorerError) as caught:
        make(path)
    assert caught.value.hint


def test_lower_can_be_better_and_a_bad_timeout_is_refused(make: Make) -> None:
    assert make("evals/own.py:raises", higher_is_better=False).metrics[0].higher_is_better is False
    with pytest.raises(ScorerError, match="timeout"):
        make("evals/own.py:raises", timeout="5%")
