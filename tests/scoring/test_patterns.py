"""contains and regex: what they find, and that no pattern can hang the evaluation."""

import time

import pytest

from evaluator.errors import ScorerError
from evaluator.records import FailureKind
from tests.scoring.conftest import Value, make_scorer, score_of

EVIL = "(a|aa|a?)+$"
EVIL_TEXT = "a" * 60 + "b"


@pytest.mark.parametrize(
    ("options", "answer", "expected", "right"),
    [
        ({}, "It is Seoul.", "seoul", 1),
        ({}, "It is Busan.", ["seoul", "BUSAN"], 1),
        ({"mode": "all"}, "It is Busan.", ["seoul", "busan"], 0),
        ({"mode": "all"}, "Seoul, Busan", ["seoul", "busan"], 1),
        ({"mode": "none"}, "as an AI model", ["as an ai"], 0),
        ({"mode": "none"}, "fine", ["as an ai"], 1),
        ({"ignore_case": False}, "SEOUL", "seoul", 0),
        ({"values": ["refund"]}, "a Refund", None, 1),
        ({}, "답은 서울입니다", "서울", 1),
        ({}, "ＡＢＣ", "abc", 1),
        ({}, "STRASSE", "straße", 1),
        ({}, "anything", None, None),
        ({}, "anything", "", None),  # every answer contains it: nothing is checked
    ],
)
def test_contains(value: Value, options: dict[str, object], answer: str, expected: object, right: float | None) -> None:
    assert value({"contains": options}, answer, expected) == right


@pytest.mark.parametrize("values", [[], [""], ["a", ""]])
def test_contains_refuses_texts_that_every_answer_holds(values: list[str]) -> None:
    with pytest.raises(ScorerError, match="every answer contains"):
        make_scorer({"contains": {"values": values}})


def test_contains_says_what_is_lacking() -> None:
    assert "'busan'" in score_of({"contains": {"mode": "all"}}, "Seoul", ["seoul", "busan"]).reason
    assert score_of({"contains": {"mode": "none", "field": "x"}}, "Seoul", "Busan").values == {"contains": 0.0}


@pytest.mark.parametrize(
    ("options", "answer", "expected", "right"),
    [
        ({"pattern": r"\d{4}-\d{2}"}, "on 2024-05", None, 1),
        ({"pattern": r"\d{4}-\d{2}"}, "in May", None, 0),
        ({}, "colour", "colou?r", 1),
        ({}, "gray", ["colou?r", "gr[ae]y"], 1),
        ({}, "anything", None, None),
        ({"pattern": "YES"}, "yes", None, 0),
        ({"pattern": "YES", "ignore_case": True}, "yes", None, 1),
        ({"pattern": r"답: (\w+)", "compare": True}, "답: 부산 아니, 답: 서울", "서울", 1),  # the last match counts
        ({"pattern": r"A: (.+)", "compare": True}, "A: 2,125", "2125.0", 1),
        ({"pattern": r"A: (.+)", "compare": True}, "A: 15", "1.5", 0),
        ({"pattern": r"A: (.+)", "compare": True}, "A: 5 apples", "5", 0),
        ({"pattern": r"A: (.+)", "compare": True}, "no answer", "5", 0),
        ({"pattern": r"A: (.+)", "compare": True}, "A: 5", None, None),
        ({"pattern": r"A(: .+)?", "compare": True}, "A", "5", 0),
    ],
)
def test_regex(value: Value, options: dict[str, object], answer: str, expected: object, right: float | None) -> None:
    assert value({"regex": options}, answer, expected) == right


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pattern": "("}, "not a regular expression"),
        ({"pattern": "x" * 20_000}, "20000 characters"),
        ({"pattern": "(?:(?:a{1000}){1000}){1000}"}, "smaller counts"),
        ({"pattern": "a{99999999999999999999}"}, "smaller counts"),
        ({"pattern": "x", "compare": True}, "needs a `pattern` with a group"),
        ({"compare": True}, "needs a `pattern` with a group"),
    ],
)
def test_a_bad_pattern_is_an_error_at_set_up(options: dict[str, object], message: str) -> None:
    with pytest.raises(ScorerError, match=message) as caught:
        make_scorer({"regex": options})
    assert caught.value.hint


@pytest.mark.parametrize("options", [{"pattern": EVIL}, {"pattern": f"({EVIL})", "compare": True}, {}])
def test_a_pattern_that_explodes_is_stopped_and_is_no_score(options: dict[str, object]) -> None:
    started = time.process_time()
    score = score_of({"regex": options}, EVIL_TEXT, EVIL)
    assert score.failure is not None
    assert score.failure.kind is FailureKind.SCORER
    assert "took longer" in score.failure.message
    assert time.process_time() - started < 5


def test_a_bad_pattern_in_the_dataset_is_a_failure_of_its_case() -> None:
    score = score_of("regex", "answer", "(")
    assert score.failure is not None
    assert "not a regular expression" in score.failure.message
