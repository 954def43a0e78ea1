"""The result document: it survives the way to JSON and back, and refuses what it cannot read."""

import json
import math

import jsonschema
import pytest
from hypothesis import given, settings

from evaluator.errors import EvalGateError
from evaluator.report.document import SCHEMA_FILE, ResultDocument, dump, json_schema, load, schema_text
from evaluator.report.document_parts import Answer, CasePart, RefInfo, json_safe
from tests.report.sample import sample_document
from tests.report.strategies import documents


def refuse(name: str) -> None:
    """Fail on NaN and infinity."""
    raise AssertionError(name)


@settings(max_examples=40)
@given(documents)
def test_a_document_survives_json_and_back(document: ResultDocument) -> None:
    text = dump(document)
    json.loads(text, parse_constant=refuse)
    text.encode("utf-8")
    assert load(text) == document


def test_the_schema_in_the_repository_is_the_codes() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema_text(), "write document.schema_text() to the file again"


def test_a_written_document_fits_the_schema() -> None:
    jsonschema.Draft202012Validator(json_schema()).validate(json.loads(dump(sample_document())))


def test_config_source_is_written_as_from() -> None:
    assert json.loads(dump(sample_document()))["config"]["from"] == "base"


def test_not_a_number_becomes_null() -> None:
    case = CasePart(
        id="a", change="same", head=Answer(latency_s=math.nan, data={"x": math.inf}, scores={"f1": -math.inf})
    )
    document = sample_document().model_copy(update={"cases": [case]})
    head = json.loads(dump(document))["cases"][0]["head"]
    assert (head["latency_s"], head["data"], head["scores"]) == (None, {"x": None}, {"f1": None})


def test_lone_surrogates_and_bottomless_nesting_can_be_written() -> None:
    nested: object = "deep"
    for _ in range(5000):
        nested = [nested]
    assert RefInfo(label="a\ud800b").label == "a\ufffd\ufffd\ufffdb"
    assert "nested too deeply" in json.dumps(json_safe(nested))
    assert json_safe(10**5000) == "(integer of 16610 bits)"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "no schema_version"),
        ("{}", "no schema_version"),
        ('{"schema_version": "2"}', "schema_version '2'; this version reads '1'"),
        ('{"schema_version": "1"}', "tool: Field required"),
        ('{"schema_version": "1", "x": NaN}', "NaN is not a JSON number"),
    ],
)
def test_a_wrong_document_is_an_error_that_says_what_is_wrong(text: str, told: str) -> None:
    with pytest.raises(EvalGateError) as caught:
        load(text)
    assert told in str(caught.value)
    assert caught.value.hint


def test_a_wrong_value_is_named_by_its_place() -> None:
    raw = json.loads(dump(sample_document()))
    raw["verdict"]["state"] = "maybe"
    raw["cases"][3]["unknown"] = 1
    with pytest.raises(EvalGateError, match=r"verdict\.state: .*cases\.3\.unknown"):
        load(json.dumps(raw))
