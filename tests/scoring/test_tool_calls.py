"""tool_calls compares names, arguments and order as it is told to."""

import pytest

from evaluator.records import JsonValue, Output, ToolCall
from tests.scoring.conftest import Value, score_of

A1: dict[str, JsonValue] = {"name": "a", "arguments": {"x": 1}}
A2: dict[str, JsonValue] = {"name": "a", "arguments": {"x": 2}}
B: dict[str, JsonValue] = {"name": "b", "arguments": {"도시": "서울", "deep": {"y": [1, 2]}}}


def called(*calls: dict[str, JsonValue]) -> Output:
    return Output(tool_calls=tuple(ToolCall(str(call["name"]), call.get("arguments")) for call in calls))


@pytest.mark.parametrize(
    ("options", "found", "expected", "right"),
    [
        ({}, [A1, B], [A1, B], 1),
        ({}, [A1], A1, 1),
        ({}, [B, A1], [A1, B], 0),
        ({}, [A1], [A1, B], 0),
        ({}, [A1, B, A2], [A1, B], 0),
        ({}, [A2], [A1], 0),
        ({}, [{"name": "a", "arguments": {"x": 1.0}}], [A1], 1),
        ({}, [{"name": "a", "arguments": {"x": True}}], [A1], 0),
        ({}, [A2], [{"name": "a"}], 1),
        ({}, [], [], 1),
        ({}, [A1], [], 0),
        ({}, [A1], None, None),
        ({"order": "any"}, [B, A1], [A1, B], 1),
        ({"order": "any"}, [B, A1, A2], [A1, B], 0),
        ({"order": "any"}, [A1, A1], [A1, A2], 0),
        ({"order": "any", "extra_calls": True}, [B, A2, A1], [A1, B], 1),
        ({"extra_calls": True}, [A2, A1, A2, B], [A1, B], 1),
        ({"extra_calls": True}, [B, A1], [A1, B], 0),
        ({"arguments": "ignore"}, [A2], [A1], 1),
        ({"arguments": "subset"}, [B], [{"name": "b", "arguments": {"deep": {"y": [1, 2]}}}], 1),
        ({"arguments": "subset"}, [B], [{"name": "b", "arguments": {"deep": {"y": [1]}}}], 0),
        # Only one way of pairing works: the call without arguments must not take the one that the other needs.
        ({"order": "any"}, [A1, A2], [{"name": "a"}, A1], 1),
        ({}, [A1], [{"function": {"name": "a", "arguments": '{"x": 1}'}}], 1),
    ],
)
def test_tool_calls(
    value: Value,
    options: dict[str, JsonValue],
    found: list[dict[str, JsonValue]],
    expected: JsonValue,
    right: float | None,
) -> None:
    assert value({"tool_calls": options}, called(*found), expected) == right


def test_calls_in_a_json_answer(value: Value) -> None:
    scorer = {"tool_calls": {"field": "calls"}}
    assert value(scorer, Output(data={"calls": [A1]}), [A1]) == 1
    assert value(scorer, Output(data={"calls": "a"}), [A1]) == 0
    assert value(scorer, Output(data={}), [A1]) == 0


def test_the_reason_names_what_was_called() -> None:
    assert score_of("tool_calls", called(B), [A1]).reason == "expected 'a'; called 'b'; 0 match"
    assert "called no tool" in score_of("tool_calls", called(), [A1]).reason


@pytest.mark.parametrize("expected", ["a", [["a"]], {"tool": "a"}, [A1, 3]])
def test_an_expected_of_another_shape_is_a_failure(expected: JsonValue) -> None:
    score = score_of("tool_calls", called(A1), expected)
    assert score.failure is not None
    assert "{name, arguments}" in score.failure.message
