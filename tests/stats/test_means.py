"""Means, ratios of means and the covariance under them."""

import math

import numpy as np
import pytest
from scipy import optimize
from scipy import stats as scipy_stats

from evaluator.stats import (
    case_means,
    cluster_codes,
    lognormal_mean_interval,
    looks_lognormal,
    mean_difference_interval,
    mean_interval,
    ratio_change_interval,
    relative_change,
    run_to_run_error,
)

RNG = np.random.default_rng(11)


def test_case_means_ignore_missing_repeats_and_keep_missing_cases() -> None:
    found = case_means([[1.0, 3.0], [np.nan, 2.0], [np.nan, np.nan]])
    assert found[:2].tolist() == [2.0, 2.0]
    assert math.isnan(found[2])


def test_mean_interval_is_scipys() -> None:
    values = RNG.normal(4.0, 1.0, 37)
    expected = scipy_stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    found = mean_interval(values)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_paired_difference_is_scipys() -> None:
    base = RNG.normal(4.0, 1.0, 37)
    head = base + RNG.normal(0.2, 0.5, 37)
    expected = scipy_stats.ttest_rel(head, base).confidence_interval(0.9)
    found = mean_difference_interval(base, head, confidence=0.9)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_fieller_ends_are_where_the_t_test_stops_rejecting() -> None:
    base = RNG.normal(4.0, 1.0, 50)
    head = base * 0.95 + RNG.normal(0, 0.5, 50)
    found = ratio_change_interval(base, head)

    def excess(change: float) -> float:
        return float(scipy_stats.ttest_1samp(head - (1 + change) * base, 0.0).pvalue) - 0.05

    point = float(head.mean() / base.mean() - 1)
    assert found.low == pytest.approx(optimize.brentq(excess, -0.5, point, xtol=1e-12), abs=1e-8)
    assert found.high == pytest.approx(optimize.brentq(excess, point, 0.5, xtol=1e-12), abs=1e-8)


def test_fieller_is_unbounded_where_base_is_not_told_from_zero() -> None:
    found = ratio_change_interval(np.array([-1.0, 1.2, -0.9, 1.0]), np.ones(4))
    assert (found.low, found.high) == (-math.inf, math.inf)


@pytest.mark.parametrize("base", [np.zeros(5), np.array([3.0])])
def test_fieller_says_nothing_of_a_zero_base_or_a_single_case(base: np.ndarray) -> None:
    found = ratio_change_interval(base, base + 1)
    assert (found.low, found.high) == (-math.inf, math.inf)


def test_a_rise_from_a_negative_base_is_positive() -> None:
    base = RNG.normal(-4.0, 0.3, 40)
    found = ratio_change_interval(base, base + 1.0)
    assert found.low < 0.25 < found.high
    assert found.low > 0.2
    assert relative_change(-4.0, -3.0) == 0.25
    assert relative_change(0.0, 1.0) is None


def test_identical_runs_have_an_interval_of_no_width() -> None:
    values = RNG.normal(4.3, 0.7, 33)
    found = ratio_change_interval(values, values)
    assert (found.low, found.high) == (0.0, 0.0)


def test_cr1_is_the_t_interval_of_cluster_means_for_equal_clusters() -> None:
    values = RNG.normal(4.0, 1.0, (12, 5)) + RNG.normal(0, 1.0, (12, 1))
    found = mean_interval(values.ravel(), clusters=np.repeat(np.arange(12), 5))
    expected = mean_interval(values.mean(axis=1))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_one_cluster_decides_nothing() -> None:
    found = mean_interval(RNG.normal(size=20), clusters=np.zeros(20, dtype=np.int64))
    assert (found.low, found.high) == (-math.inf, math.inf)


def test_cluster_codes_let_negative_numbers_stand_alone() -> None:
    codes = cluster_codes([7, -1, 7, -1, 3], 5)
    assert codes is not None
    assert codes[0] == codes[2]
    assert len(set(codes.tolist())) == 4
    assert cluster_codes([5, -1, 9], 3) is None


def test_cox_covers_the_lognormal_mean() -> None:
    rng = np.random.default_rng(5)
    truth = math.exp(0.5)
    found = [lognormal_mean_interval(np.exp(rng.normal(0, 1, 50))) for _ in range(1500)]
    covered = np.mean([interval.low <= truth <= interval.high for interval in found])
    assert 0.93 <= covered <= 0.97


def test_cox_with_clusters_of_one_is_close_to_cox_without() -> None:
    values = np.exp(np.random.default_rng(6).normal(0, 0.6, 400))
    alone = lognormal_mean_interval(values)
    clustered = lognormal_mean_interval(values, clusters=np.arange(400))
    assert clustered.low == pytest.approx(alone.low, rel=0.02)
    assert clustered.high == pytest.approx(alone.high, rel=0.02)


def test_lognormal_shape_is_told_from_others() -> None:
    rng = np.random.default_rng(7)
    assert looks_lognormal(np.exp(rng.normal(0, 0.7, 200)))
    assert not looks_lognormal(rng.normal(10, 1, 200) * -1)
    assert not looks_lognormal(np.append(np.exp(rng.normal(0, 0.7, 200)), 0.0))
    assert not looks_lognormal(np.where(rng.random(200) < 0.05, 100.0, 1.0))
    assert not looks_lognormal(np.exp(rng.normal(0, 0.7, 5)))


def test_repeats_that_never_differ_have_no_error_whatever_their_mean_rounds_to() -> None:
    for score in (0.1, 0.7, 4.3):
        assert run_to_run_error(np.full((40, 3), score)) == 0.0
    half = np.full((2, 3), 0.7)
    half[1, 2] = 0.4
    assert run_to_run_error(half) == pytest.approx(math.sqrt(0.03 / 3) / 2)
    half[0, 2] = np.nan
    assert run_to_run_error(half) == pytest.approx(math.sqrt(0.03 / 3) / 2)


def test_run_to_run_error_sees_only_the_variance_over_repeats() -> None:
    rng = np.random.default_rng(8)
    cases = rng.normal(0, 10, (400, 1))
    values = cases + rng.normal(0, 1, (400, 4))
    assert run_to_run_error(values) == pytest.approx(math.sqrt(1 / 4 / 400), rel=0.1)
    values[:200, 1:] = np.nan
    values[0, 0] = np.nan
    assert run_to_run_error(values) == pytest.approx(math.sqrt((1 + 1 / 4) / 2 / 400), rel=0.1)
    assert run_to_run_error(values[:, :1]) is None
