"""Figures as people write them."""

import math
from dataclasses import replace

import pytest

from evaluator.gate import wording
from evaluator.records import Interval
from tests.gate.runs import COST, EXACT, JUDGE, P95


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.123, "12.3%"),
        (0.05, "5%"),
        (0.0004, "0.04%"),
        (0.00021, "0.021%"),
        (1.5, "150%"),
        (12.34, "1,234%"),
        (0.0, "0%"),
        (-0.021, "-2.1%"),
        (math.inf, "∞%"),
        (0.9999, "100%"),
        (1e-9, "0.0000001%"),
    ],
)
def test_per_cent(share: float, text: str) -> None:
    assert wording.percent(share) == text


@pytest.mark.parametrize(
    ("usd", "text"),
    [(0.01, "$0.01"), (0.0123, "$0.0123"), (12.3, "$12.30"), (1234.5, "$1,234.50"), (0.5, "$0.50"), (-0.5, "-$0.50")],
)
def test_money(usd: float, text: str) -> None:
    assert wording.money(usd) == text


def test_no_money_and_unknown_money() -> None:
    assert wording.money(0.0) == "$0.00"
    assert wording.money(math.inf) == "$∞"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.85, "850 ms"), (2.314, "2.31 s"), (0.0004, "0.4 ms"), (0.0, "0 s"), (1234.5, "1,234 s")]
)
def test_durations(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(4.305, "4.3"), (4.0, "4"), (math.nan, "unknown"), (-math.inf, "-∞"), (-0.0, "0"), (0.99999, "1")],
)
def test_numbers(value: float, text: str) -> None:
    assert wording.number(value) == text


def test_units_are_the_metrics() -> None:
    assert wording.value(EXACT, 0.9) == "90%"
    assert wording.value(COST, 0.01) == "$0.01"
    assert wording.value(P95, 2.0) == "2 s"
    assert wording.value(replace(JUDGE, unit="tokens"), 1234.0) == "1,234 tokens"
    assert wording.difference(EXACT, 0.032) == "3.2 points"
    assert wording.difference(EXACT, 0.01) == "1 point"


def test_intervals_of_changes_say_which_way() -> None:
    def said(low: float, high: float, worse: float) -> str:
        return wording.worsening_interval(JUDGE, Interval(low, high, 0.95), worse, relative=True)

    assert said(0.081, 0.162, 0.123) == "95% interval 8.1% to 16.2%"
    assert said(-0.162, -0.081, -0.123) == "95% interval 8.1% to 16.2%"
    assert said(-0.03, 0.054, 0.01) == "95% interval 3% better to 5.4% worse"
    assert said(0.02, math.inf, 0.5) == "95% interval 2% worse or more"
    assert said(-math.inf, 0.02, 0.0) == "95% interval 2% worse or less"
    assert said(-math.inf, math.inf, 0.1) == "no interval: too little is known"
    assert said(0.0, 0.0, 0.0) == "nothing differs"


def test_intervals_of_values_say_which_end_is_open() -> None:
    def said(low: float, high: float) -> str:
        return wording.value_interval(P95, Interval(low, high, 0.95))

    assert said(0.8, 2.4) == "95% interval 800 ms to 2.4 s"
    assert said(0.8, math.inf) == "95% interval at least 800 ms"
    assert said(-math.inf, 2.4) == "95% interval at most 2.4 s"
    assert said(-math.inf, math.inf) == "no interval: too little is known"
