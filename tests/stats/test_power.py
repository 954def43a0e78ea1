"""The smallest change that a golden set can see, against simulation."""

import math

import numpy as np
import pytest

from evaluator.stats import (
    cases_needed,
    detectable_change,
    ratio_change_interval,
    relative_standard_error,
)


def _pair(rng: np.random.Generator, n: int, change: float) -> tuple[np.ndarray, np.ndarray]:
    case = rng.normal(4.3, 0.5, n)
    return case + rng.normal(0, 0.5, n), case * (1 + change) + rng.normal(0, 0.5, n)


def test_the_detectable_drop_is_detected_four_times_in_five() -> None:
    rng = np.random.default_rng(1)
    error = relative_standard_error(*_pair(rng, 20_000, 0.0)) * math.sqrt(20_000 / 150)
    drop = detectable_change(error, 150)
    found = [ratio_change_interval(*_pair(rng, 150, -drop)) for _ in range(1000)]
    assert np.mean([interval.high < 0 for interval in found]) == pytest.approx(0.8, abs=0.04)


def test_the_cases_needed_bring_the_wished_effect_into_sight() -> None:
    needed = cases_needed(0.02, 100, 0.03)
    assert detectable_change(0.02 * math.sqrt(100 / needed), needed) == pytest.approx(0.03, rel=0.01)
    assert cases_needed(0.0, 100, 0.03) == 2
    with pytest.raises(ValueError, match="positive effect"):
        cases_needed(0.02, 100, 0.0)
    with pytest.raises(ValueError, match="finite standard error"):
        cases_needed(math.inf, 100, 0.03)


def test_standard_error_is_half_the_width_of_the_interval_by_t() -> None:
    base, head = _pair(np.random.default_rng(3), 400, -0.04)
    error = relative_standard_error(base, head, change=float(head.mean() / base.mean() - 1))
    interval = ratio_change_interval(base, head)
    assert error == pytest.approx((interval.high - interval.low) / 2 / 1.966, rel=0.01)


def test_negative_and_zero_base_and_single_case_have_an_answer() -> None:
    base, head = _pair(np.random.default_rng(4), 50, 0.02)
    assert relative_standard_error(-base, -head) == pytest.approx(relative_standard_error(base, head))
    assert relative_standard_error(np.zeros(9), np.ones(9)) == math.inf
    assert detectable_change(0.01, 1) == math.inf
    assert relative_standard_error(np.ones(9), np.ones(9)) == 0.0
