"""json_schema validates answers, fetches nothing, and cannot hang."""

import asyncio
import json
from typing import Any

import pytest

from evaluator.config.scorers import JsonSchemaOptions
from evaluator.errors import ScorerError
from evaluator.records import Case, FailureKind, JsonValue, Output
from evaluator.scoring.structure.json_schema import JsonSchemaScorer
from tests.scoring.conftest import Value, make_scorer, no_file, score_of

PERSON: dict[str, Any] = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}


def nested(depth: int) -> JsonValue:
    value: JsonValue = 3
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("schema", "answer", "right"),
    [
        (PERSON, '{"name": "김"}', 1),
        (PERSON, '{"name": 3}', 0),
        (PERSON, "name: Kim", 0),
        (PERSON, '```json\n{"name": "x"}\n```', 0),  # what an app's own json.loads would refuse is no JSON
        (PERSON, '{"name": NaN}', 0),
        ({"type": "string"}, '"text"', 1),
        ({"type": "string"}, "text", 0),
        ({"type": "null"}, "null", 1),
        ({"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}}, "3", 1),
        (
            {"$id": "https://x.test/s", "items": {"$ref": "n"}, "$defs": {"n": {"$id": "n", "type": "integer"}}},
            '["x"]',
            0,
        ),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}]}, "[1]", 0),
        ({"uniqueItems": True}, "[1, true, 2.5]", 1),
        ({"uniqueItems": True}, '[{"a": 1}, {"a": 1.0}]', 0),
        ({"pattern": "^가"}, '"가나"', 1),
        ({"patternProperties": {"^x_": {"type": "integer"}}, "additionalProperties": False}, '{"x_a": 1}', 1),
        ({"patternProperties": {"^x_": {"type": "integer"}}, "additionalProperties": False}, '{"x_a": "1"}', 0),
        ({"patternProperties": {"^x_": True}, "additionalProperties": False}, '{"y": 1}', 0),
        ({"additionalProperties": {"type": "integer"}}, '{"y": "1"}', 0),
    ],
)
def test_an_answer_is_validated(value: Value, schema: dict[str, Any], answer: str, right: float) -> None:
    assert value({"json_schema": {"inline": schema}}, answer) == right


def test_the_reason_says_where() -> None:
    score = score_of({"json_schema": {"inline": PERSON}}, '{"name": 3}')
    assert score.reason == "$.name: 3 is not of type 'string'"


def test_a_field_and_data_are_validated(value: Value) -> None:
    assert (
        value({"json_schema": {"inline": PERSON, "field": "who"}}, Output(text="x", data={"who": {"name": "a"}})) == 1
    )


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "objekt"}, "not a JSON Schema"),
        ({"pattern": "("}, "not a JSON Schema"),
        ({"$ref": "https://example.org/schema.json"}, "refers to"),
        ({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, "refers to"),
        ({"$ref": "#/$defs/missing"}, "refers to"),
        ({"pattern": "(?:(?:a{1000}){1000}){1000}"}, "smaller counts"),
        ({"unevaluatedProperties": False, "patternProperties": {"x": True}}, "bounded in time"),
    ],
)
def test_a_schema_that_is_wrong_or_leads_outside_is_refused(schema: dict[str, Any], message: str) -> None:
    with pytest.raises(ScorerError, match=message) as caught:
        make_scorer({"json_schema": {"inline": schema}})
    assert caught.value.hint


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        ({"$ref": "#"}, {"a": 1}),
        ({"pattern": "^(a|aa|a?)+$"}, "a" * 60 + "b"),
        ({"patternProperties": {"^(a|aa|a?)+$": True}}, {"a" * 60 + "b": 1}),
        ({"anyOf": [{"items": {"$ref": "#"}}, {"items": {"$ref": "#"}}], "not": {"const": 3}}, nested(40)),
    ],
)
def test_a_schema_that_never_ends_is_stopped_and_is_no_score(schema: dict[str, Any], answer: JsonValue) -> None:
    score = score_of({"json_schema": {"inline": schema}}, Output(data=answer))
    assert score.failure is not None
    assert score.failure.kind is FailureKind.SCORER


def test_the_schema_is_read_from_a_file() -> None:
    scorer = JsonSchemaScorer(JsonSchemaOptions(schema="a.json"), {"a.json": json.dumps(PERSON)}.__getitem__)
    assert asyncio.run(scorer.score(Case("c", "q"), Output(text="{}"))).values == {"json_schema": 0.0}


@pytest.mark.parametrize(
    ("text", "message"), [('{\n"a": }', "a.json:2: not JSON"), ("[]", "found list"), ("[" * 99999, "JSON")]
)
def test_a_schema_file_that_is_none_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ScorerError, match=message):
        JsonSchemaScorer(JsonSchemaOptions(schema="a.json"), lambda _: text)


@pytest.mark.parametrize("options", [{}, {"schema": "a.json", "inline": {}}, {"schema": "missing.json"}])
def test_one_schema_is_needed(options: dict[str, Any]) -> None:
    with pytest.raises(ScorerError, match=r"found neither|found both|cannot read"):
        JsonSchemaScorer(JsonSchemaOptions(**options), no_file)
