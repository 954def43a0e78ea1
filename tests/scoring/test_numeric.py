"""Numbers are read the way people write them, and compared within the tolerance."""

import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.errors import ScorerError
from evaluator.records import JsonValue, Output
from evaluator.scoring.text.numbers import find_numbers, plain_number
from tests.scoring.conftest import Value, make_scorer, score_of


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("The answer is 18.", "18"),
        ("1,234,567.89 in all", "1234567.89"),
        ("12,34,567", "1234567"),
        ("1\u202f234\u00a0567", "1234567"),
        ("$-5", "-5"),
        ("-$1,000", "-1000"),
        ("− is minus: −7", "-7"),
        ("10-5", "5"),
        ("- 5 apples", "5"),
        ("US$5", "5"),
        ("₩5,000", "5000"),
        (".5", "0.5"),
        ("that is...5", "5"),
        ("1.5e-3", "0.0015"),
        ("1.5 × 10³", "1500"),
        ("2 x 10^-2", "0.02"),
        ("5 m²", "5"),
        ("7 of H2O", "7"),
        ("1.5 million", "1500000"),
        ("3만 5천원", "35000"),
        ("1억 2천만", "120000000"),
        ("1.2億", "120000000"),
        ("사과 18개", "18"),
        ("2만큼", "2"),
        ("１２，３４５．６", "12345.6"),
        ("٤٢", "42"),
        ("४२", "42"),
    ],
)
def test_the_last_number_of_a_text(text: str, number: str) -> None:
    assert find_numbers(text)[-1].value == Decimal(number)


@pytest.mark.parametrize("text", ["", "none", "H2O", "십팔", "...", "$", "²"])
def test_texts_without_a_number(text: str) -> None:
    assert find_numbers(text) == []


@given(st.integers(-(10**15), 10**15), st.integers(0, 4))
def test_every_number_is_read_as_it_was_written(units: int, places: int) -> None:
    number = Decimal(units).scaleb(-places)
    for written in (f"{number:f}", f"{number:,f}", f"so it is {number:,f}.", f"답은 {number:f}입니다"):
        assert find_numbers(written)[-1].value == number


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    for number in find_numbers(text):
        assert number.value.is_finite()
    plain_number(text)


@pytest.mark.parametrize("part", ["1,11", "1", "1 ", "1만", "- $", "1 x 10", ",", "1\u00a0111", "1e", "1e9999"])
def test_no_text_makes_reading_slow(part: str) -> None:
    started = time.process_time()
    find_numbers(part * (200_000 // len(part)))
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("options", "answer", "expected", "right"),
    [
        ({}, "first 3, then 18", "18", 1),
        ({}, "18.0", 18, 1),
        ({}, "2125", "2,125", 1),
        ({}, "18.01", 18, 0),
        ({"absolute": 0.05}, "18.01", 18, 1),
        ({"relative": 0.01}, "101", 100, 1),
        ({"relative": 0.01}, "101.1", 100, 0),
        ({}, "12345678901234567891", "12345678901234567890", 0),  # beyond what a float can tell apart
        ({}, "50%", 0.5, 1),
        ({}, "50%", 50, 1),
        ({}, "0.5", "50%", 1),
        ({}, "50%", "5%", 0),
        ({}, "25%", 0.5, 0),
        ({}, "nothing", 5, 0),
        ({}, "5", [4, 5], 1),
        ({}, "5", None, None),
        ({"pattern": "A: (.*)"}, "A: 5 (of 9)", 5, 0),
        ({"pattern": r"A: (\S+)"}, "A: 5 (of 9)", 5, 1),
        ({"pattern": r"A: (\S+)"}, "5", 5, 0),
        ({"field": "n"}, '{"n": 5}', 5, 1),
        ({"field": "n"}, '{"n": true}', 1, 0),
        ({"field": "n"}, "{}", 5, 0),
        ({}, "9" * 400, 9, 0),
        ({}, "1e9999", 9, 0),
    ],
)
def test_numeric(
    value: Value, options: dict[str, object], answer: str, expected: JsonValue, right: float | None
) -> None:
    assert value({"numeric": options}, answer, expected) == right


@pytest.mark.parametrize("expected", ["eighteen", True, {"n": 1}])
def test_an_expected_without_a_number_is_a_failure(expected: JsonValue) -> None:
    score = score_of("numeric", Output(text="18"), expected)
    assert score.failure is not None
    assert "has no number" in score.failure.message


@pytest.mark.parametrize("pattern", ["(", "A: .*"])
def test_a_bad_pattern_is_an_error_at_set_up(pattern: str) -> None:
    with pytest.raises(ScorerError):
        make_scorer({"numeric": {"pattern": pattern}})
