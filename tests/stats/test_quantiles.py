"""Quantiles of one run and of two."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evaluator.stats import exceedance_interval, log_ratio_interval, quantile, quantile_draws, quantile_interval


def test_quantile_is_the_inverse_of_the_distribution_function() -> None:
    values = np.random.default_rng(1).normal(size=101)
    for q in (0.01, 0.5, 0.9, 0.95, 0.99):
        assert quantile(values, q) == float(np.quantile(values, q, method="inverted_cdf"))
    assert quantile(np.arange(1.0, 21.0), 0.95) == 19.0
    assert quantile([[1.0, np.nan], [3.0, 2.0]], 0.5) == 2.0


@pytest.mark.parametrize(("n", "q"), [(100, 0.5), (100, 0.95), (300, 0.95), (37, 0.5)])
def test_order_statistics_cover_exactly(n: int, q: float) -> None:
    found = quantile_interval(np.arange(1.0, n + 1), q)
    low, high = found.low, min(found.high, n + 1.0)
    below = scipy_stats.binom.cdf(low - 1, n, q)
    above = 1 - scipy_stats.binom.cdf(high - 1, n, q)
    assert below <= 0.025
    assert above <= 0.025 or math.isinf(found.high)
    # The next rank inwards would cover too little: the interval is as short as exactness allows.
    assert scipy_stats.binom.cdf(low, n, q) > 0.025


def test_a_p95_of_few_cases_has_no_upper_end() -> None:
    assert quantile_interval(np.arange(71.0), 0.95).high == math.inf
    assert quantile_interval(np.arange(72.0), 0.95).high == 71.0


def test_seventy_two_cases_without_exceedance_certify_a_p95() -> None:
    assert exceedance_interval(np.ones(72), 2.0).high <= 0.05
    assert exceedance_interval(np.ones(71), 2.0).high > 0.05


def test_exceedance_is_the_exact_binomial_test() -> None:
    values = np.r_[np.full(15, 3.0), np.ones(105)]
    found = exceedance_interval(values, 2.0, confidence=0.98)
    reject = scipy_stats.binomtest(15, 120, 0.05, alternative="greater").pvalue <= 0.01
    assert (found.low > 0.05) == reject


def test_repeats_of_one_case_are_not_independent_evidence() -> None:
    values = np.repeat(np.random.default_rng(2).lognormal(0, 0.5, (80, 1)), 5, axis=1)
    repeated, single = quantile_interval(values, 0.5), quantile_interval(values[:, 0], 0.5)
    assert repeated.method == "Woodruff"
    assert repeated.high - repeated.low >= 0.8 * (single.high - single.low)


def test_log_bootstrap_of_p95_covers() -> None:
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(150):
        case = rng.normal(0, 0.5, 100)
        base, head = np.exp(case + rng.normal(0, 0.3, 100)), 1.1 * np.exp(case + rng.normal(0, 0.3, 100))
        draws = quantile_draws(base, head, 0.95, rng)
        found = log_ratio_interval(quantile(base, 0.95), quantile(head, 0.95), draws)
        covered += found.low <= 0.1 <= found.high
    assert covered / 150 >= 0.9


def test_draws_do_not_hang_on_the_order_of_cases() -> None:
    rng = np.random.default_rng(5)
    base, head = rng.lognormal(size=(60, 2)), rng.lognormal(size=(60, 2))
    order = rng.permutation(60)
    one = quantile_draws(base, head, 0.95, np.random.default_rng(0))
    other = quantile_draws(base[order], head[order], 0.95, np.random.default_rng(0))
    assert (one.base == other.base).all()
    assert (one.head == other.head).all()


def test_clusters_are_drawn_whole() -> None:
    rng = np.random.default_rng(6)
    cluster = np.repeat(rng.lognormal(0, 0.8, 15), 8)
    base = cluster * np.exp(rng.normal(0, 0.01, 120))
    noise = np.repeat(np.exp(rng.normal(0, 0.3, 15)), 8)
    codes = np.repeat(np.arange(15), 8)
    alone = quantile_draws(base, base * noise, 0.5, np.random.default_rng(0))
    together = quantile_draws(base, base * noise, 0.5, np.random.default_rng(0), clusters=codes)
    assert together.units == 15
    assert np.log(together.head / together.base).std() > 1.3 * np.log(alone.head / alone.base).std()


def test_a_ratio_with_a_value_of_zero_has_no_interval() -> None:
    draws = quantile_draws(np.zeros(20), np.ones(20), 0.5, np.random.default_rng(0))
    found = log_ratio_interval(0.0, 1.0, draws)
    assert (found.low, found.high) == (-math.inf, math.inf)
