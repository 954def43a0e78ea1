"""Figures as people write them."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from evaluator.gate import decide, wording
from evaluator.records import Interval, Objective
from tests.gate.runs import COST, EXACT, JUDGE, P95, drop, maximum, objective


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


def reasons_of(wanted: Objective, base: np.ndarray | None, head: np.ndarray, *, repeats: int = 1) -> str:
    """The reason that the gate gives for one objective."""
    name = wanted.metric.source
    columns = [
        None if values is None else {name: np.tile(values.reshape(-1, 1), (1, repeats))} for values in (base, head)
    ]
    assert columns[1] is not None
    return decide(columns[0], columns[1], [wanted]).objectives[wanted.name].reason


def test_a_weak_quantile_says_how_many_cases_it_needs() -> None:
    fast = np.linspace(0.4, 0.6, 60)
    told = reasons_of(objective(P95, maximum(5.0)), None, fast)
    assert told.endswith(
        "a weak pass: 60 cases are too few to be sure of a 95th percentile: at least 72, all within the limit, are needed"
    )
    assert "reaches beyond" not in told
    # What it says it needs is what it needs.
    assert "weak" in reasons_of(objective(P95, maximum(5.0)), None, np.full(71, 0.5))
    assert "weak" not in reasons_of(objective(P95, maximum(5.0)), None, np.full(72, 0.5))
    assert "weak" not in reasons_of(objective(P95, maximum(5.0)), None, np.full(94, 0.5), repeats=3)
    assert "at least 94" in reasons_of(objective(P95, maximum(5.0)), None, np.full(93, 0.5), repeats=3)
    one = reasons_of(objective(P95, maximum(5.0)), None, np.r_[fast, 9.0])
    assert "61 cases are too few" in one
    assert "1 of them is beyond the limit" in one


def scores(change: float, noise: float, repeats: int = 3) -> str:
    """The reason for scores whose mean changes by so much; the noise is from case to case alone."""
    place = np.arange(60)
    base = 4.0 + 0.5 * np.sin(place)
    wobble = noise * np.cos(place * 2.1)
    return reasons_of(
        objective(JUDGE, drop(0.05)), base, base + wobble - wobble.mean() + base.mean() * change, repeats=repeats
    )


def test_the_reason_of_a_weak_pass_never_contradicts_the_interval_beside_it() -> None:
    kinds = set()
    for told in [scores(-0.04, noise) for noise in np.linspace(0.4, 2.4, 40)]:
        if "weak" not in told:
            continue
        [shown] = re.findall(r"95% interval .* ?to ([\d.]+)%(?: worse)?\), within", told)
        stricter = "at the stricter level" in told
        kinds.add(stricter)
        assert stricter == (float(shown) <= 8.0), told
    assert kinds == {False, True}


def test_a_stricter_level_is_named_with_its_own_interval() -> None:
    told = [scores(-0.04, noise) for noise in np.linspace(0.4, 2.4, 40)]
    strict = next(text for text in told if "stricter" in text)
    assert (
        "a drop of 8% or more cannot be ruled out at the stricter level that repeated looks need (98.33% interval"
        in strict
    )
    far = float(re.findall(r"98.33% interval to ([\d.]+)% worse", strict)[0])
    assert far > 8.0


def test_an_open_change_is_said_plainly() -> None:
    told = scores(-0.07, 1.6, repeats=1)
    assert told.endswith("more than the 5% allowed, but it may be chance: the true drop may be 2% or less")


def test_a_stricter_level_at_which_nothing_is_known_says_so() -> None:
    # Base is told from zero at 95 %, and not at the stricter level of three looks.
    place = np.arange(30)
    base = 0.5 + 1.7 * np.sin(place * 2.1)
    told = [reasons_of(objective(JUDGE, drop(0.05)), base, base + by, repeats=3) for by in (-0.002, -0.2)]
    for reason in told:
        assert "∞" not in reason
        assert re.search(r"stricter level .*\(no 9[89].*% interval: too little is known\)", reason), reason
