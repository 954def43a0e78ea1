"""Shares: published examples, scipy, and coverage."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from evaluator.records import Interval
from evaluator.stats import (
    FloatArray,
    PairedTable,
    bonett_price_interval,
    clopper_pearson_interval,
    newcombe_interval,
    share_change_interval,
    share_difference_interval,
    share_interval,
    wilson_interval,
)


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (1, 10), (10, 10), (514, 1319), (3, 100_000)])
def test_one_proportion_is_scipys(successes: int, trials: int) -> None:
    test = scipy_stats.binomtest(successes, trials)
    for found, method in (
        (wilson_interval(successes, trials), "wilson"),
        (clopper_pearson_interval(successes, trials), "exact"),
    ):
        expected = test.proportion_ci(0.95, method=method)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [
        (PairedTable(36, 12, 2, 0), 0.0569, 0.3404),
        (PairedTable(54, 0, 0, 0), -0.0664, 0.0664),
        (PairedTable(30, 0, 0, 24), -0.0358, 0.0358),
        (PairedTable(29, 1, 0, 24), -0.0314, 0.0681),
    ],
)
def test_newcombe_gives_the_published_intervals(table: PairedTable, low: float, high: float) -> None:
    found = newcombe_interval(table)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("table", "low", "high"),
    [(PairedTable(1, 1, 7, 12), 0.068, 0.923), (PairedTable(59, 6, 16, 80), 0.758, 0.991)],
)
def test_bonett_price_gives_the_published_intervals(table: PairedTable, low: float, high: float) -> None:
    found = bonett_price_interval(table)
    assert (1 + found.low, 1 + found.high) == pytest.approx((low, high), abs=5e-4)


def test_bonett_price_is_open_above_without_a_success_of_base_and_everywhere_without_any() -> None:
    assert bonett_price_interval(PairedTable(0, 5, 0, 95)).high == math.inf
    assert bonett_price_interval(PairedTable(0, 5, 0, 95)).low > 0
    nothing = bonett_price_interval(PairedTable(0, 0, 0, 100))
    assert (nothing.low, nothing.high) == (-math.inf, math.inf)


def test_identical_shares_still_have_an_interval_with_repeats_and_clusters() -> None:
    shares = np.tile([1.0, 1.0, 2 / 3, 0.0], 10)
    for clusters in (None, np.repeat(np.arange(20), 2)):
        found = share_change_interval(shares, shares, clusters=clusters)
        assert found.low < -0.01
        assert found.high > 0.01
        assert share_difference_interval(shares, shares, clusters=clusters).low < -0.01


def test_share_interval_of_equal_clusters_is_no_narrower_than_of_their_number() -> None:
    found = share_interval(np.ones(50), clusters=np.repeat(np.arange(10), 5))
    assert found == Interval(clopper_pearson_interval(10, 10).low, 1.0, 0.95, "Korn-Graubard")


def test_stable_repeats_do_not_count_as_more_than_the_observations() -> None:
    shares = np.full(40, 2 / 3)
    shares[0] = 1.0
    found = share_interval(shares, observations=120)
    exact = clopper_pearson_interval(float(shares.mean()) * 120, 120)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


def _paired(rng: np.random.Generator, n: int, base: float, head: float, rho: float) -> tuple[FloatArray, FloatArray]:
    common = rng.normal(size=n) * math.sqrt(rho)
    own = rng.normal(size=(2, n)) * math.sqrt(1 - rho)
    cuts = scipy_stats.norm.ppf([base, head])
    return (common + own[0] < cuts[0]).astype(float), (common + own[1] < cuts[1]).astype(float)


@pytest.mark.parametrize("n", [30, 100, 500])
@pytest.mark.parametrize(("base", "head"), [(0.8, 0.8), (0.95, 0.9), (0.05, 0.05)])
def test_paired_intervals_cover_at_least_94_per_cent(n: int, base: float, head: float) -> None:
    rng = np.random.default_rng(n)
    ratio = difference = 0
    draws = 800
    for _ in range(draws):
        pair = _paired(rng, n, base, head, 0.6)
        change, points = share_change_interval(*pair), share_difference_interval(*pair)
        ratio += change.low <= head / base - 1 <= change.high
        difference += points.low <= head - base <= points.high
    # 2.5 standard errors of the simulation below 94%.
    floor = 0.94 - 2.5 * math.sqrt(0.94 * 0.06 / draws)
    assert ratio / draws >= floor
    assert difference / draws >= floor


def test_clustered_share_interval_covers_where_cases_alone_would_not() -> None:
    rng = np.random.default_rng(3)
    clusters = np.repeat(np.arange(20), 10)
    robust = alone = 0
    for _ in range(500):
        chance = np.repeat(rng.beta(4, 1, 20), 10)
        values = (rng.random(200) < chance).astype(float)
        with_clusters, without = share_interval(values, clusters=clusters), share_interval(values)
        robust += with_clusters.low <= 0.8 <= with_clusters.high
        alone += without.low <= 0.8 <= without.high
    assert robust / 500 >= 0.93
    assert alone / 500 < 0.9
