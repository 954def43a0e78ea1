"""Label statistics against scikit-learn, and their bootstrap."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from evaluator.records import Interval, LabelStatistic
from evaluator.stats import label_draws, label_statistic, log_ratio_interval, share_ratio_interval

REFERENCES = {
    LabelStatistic.MACRO_F1: sklearn_metrics.f1_score,
    LabelStatistic.MACRO_PRECISION: sklearn_metrics.precision_score,
    LabelStatistic.MACRO_RECALL: sklearn_metrics.recall_score,
}


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 6), st.data())
def test_label_statistics_are_scikit_learns_over_the_labels_present(classes: int, data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 40))
    expected = data.draw(st.lists(st.integers(0, classes - 1), min_size=n, max_size=n))
    predicted = data.draw(st.lists(st.integers(0, classes), min_size=n, max_size=n))
    codes = np.array(expected) * (classes + 1) + np.array(predicted)
    present = sorted((set(expected) | set(predicted)) - {classes})
    for statistic, reference in REFERENCES.items():
        wanted = reference(expected, predicted, labels=present, average="macro", zero_division=0)
        assert label_statistic(codes.astype(float), classes, statistic) == pytest.approx(wanted, abs=1e-12)


def test_missing_codes_are_left_out() -> None:
    codes = np.array([[0.0, np.nan], [np.nan, np.nan], [4.0, 0.0]])
    assert label_statistic(codes, 2, LabelStatistic.MACRO_F1) == 1.0
    assert np.isnan(label_statistic([np.nan], 2, LabelStatistic.MACRO_F1))


def _codes(rng: np.random.Generator, expected: np.ndarray, accuracy: float) -> np.ndarray:
    guess = rng.integers(0, 5, expected.shape)
    return (expected * 5 + np.where(rng.random(expected.shape) < accuracy, expected, guess)).astype(float)


def test_draws_spread_like_fresh_samples() -> None:
    rng = np.random.default_rng(1)
    expected = rng.integers(0, 4, (2000, 150))
    fresh = np.array([label_statistic(_codes(rng, row, 0.8), 4, LabelStatistic.MACRO_F1) for row in expected])
    one = _codes(rng, expected[0], 0.8)
    draws = label_draws((one, one), 4, LabelStatistic.MACRO_F1, rng)
    assert draws.head.std() == pytest.approx(fresh.std(), rel=0.25)
    assert (draws.base == draws.head).all()


@pytest.mark.parametrize("clusters", [None, np.repeat(np.arange(30), 4)])
def test_draws_do_not_hang_on_the_order_of_cases(clusters: np.ndarray | None) -> None:
    rng = np.random.default_rng(2)
    expected = rng.integers(0, 4, (120, 1))
    base, head = (_codes(rng, np.repeat(expected, 2, axis=1), 0.7) for _ in range(2))
    head[3, 1] = np.nan
    order = rng.permutation(120)
    found = [
        label_draws(
            (base[take], head[take]),
            4,
            LabelStatistic.MACRO_F1,
            np.random.default_rng(0),
            clusters=None if clusters is None else clusters[take],
        )
        for take in (np.arange(120), order)
    ]
    assert found[0].head == pytest.approx(found[1].head)
    assert found[0].base == pytest.approx(found[1].base)


def test_draws_match_a_plain_bootstrap_of_cases() -> None:
    rng = np.random.default_rng(3)
    expected = rng.integers(0, 4, 200)
    base, head = _codes(rng, expected, 0.8), _codes(rng, expected, 0.7)
    plain = []
    for _ in range(600):
        rows = rng.integers(0, 200, 200)
        plain.append([label_statistic(side[rows], 4, LabelStatistic.MACRO_F1) for side in (base, head)])
    draws = label_draws((base, head), 4, LabelStatistic.MACRO_F1, rng)
    wanted = np.array(plain)
    assert draws.base.mean() == pytest.approx(wanted[:, 0].mean(), abs=0.006)
    assert (draws.head - draws.base).std() == pytest.approx((wanted[:, 1] - wanted[:, 0]).std(), rel=0.15)


def test_ratio_of_macro_f1_covers() -> None:
    rng = np.random.default_rng(4)
    covered = 0
    for _ in range(200):
        expected = rng.integers(0, 4, 100)
        base, head = _codes(rng, expected, 0.8), _codes(rng, expected, 0.8)
        draws = label_draws((base, head), 4, LabelStatistic.MACRO_F1, rng)
        values = [label_statistic(side, 4, LabelStatistic.MACRO_F1) for side in (base, head)]
        found = log_ratio_interval(values[0], values[1], draws)
        covered += found.low <= 0 <= found.high
    assert covered / 200 >= 0.91


def ratio(base: np.ndarray, head: np.ndarray, confidence: float = 0.95) -> Interval:
    """The interval of the change of macro-F1 over four classes."""
    draws = label_draws((base, head), 4, LabelStatistic.MACRO_F1, np.random.default_rng(0))
    values = [label_statistic(side, 4, LabelStatistic.MACRO_F1) for side in (base, head)]
    return share_ratio_interval(values[0], values[1], draws, confidence=confidence)


@pytest.mark.parametrize(("cases", "right", "above"), [(12, 0, -0.5), (60, 0, -0.9), (60, 1, -0.9), (200, 2, -0.95)])
def test_a_macro_f1_that_fell_to_nothing_has_an_interval(cases: int, right: int, above: float) -> None:
    expected = np.arange(cases) % 4
    good, wrong = expected * 5.0 + expected, expected * 5.0 + (expected + 1) % 4
    found = ratio(good, np.r_[good[:right], wrong[right:]])
    assert -1.0 <= found.low < found.high < above
    # No more is claimed than exact counting lets a share of none say.
    assert found.high >= 1.0 - 0.025 ** (1.0 / cases) - 1.0


def test_where_base_is_next_to_nothing_too_its_change_stays_open() -> None:
    expected = np.arange(60) % 4
    good, wrong = expected * 5.0 + expected, expected * 5.0 + (expected + 1) % 4
    found = ratio(np.r_[good[:2], wrong[2:]], wrong)
    assert (found.low, found.high) == (-math.inf, math.inf)


def test_a_ratio_without_zeros_is_that_of_the_logarithms() -> None:
    rng = np.random.default_rng(6)
    expected = rng.integers(0, 4, 100)
    base, head = _codes(rng, expected, 0.8), _codes(rng, expected, 0.6)
    assert ratio(base, head).method == "log bootstrap"


@pytest.mark.parametrize(("cases", "share"), [(12, 0.3), (20, 0.0), (40, 0.0)])
def test_the_same_poor_app_twice_is_hardly_ever_called_worse(cases: int, share: float) -> None:
    rng = np.random.default_rng(7)
    expected = np.arange(cases) % 4
    found = [ratio(_codes(rng, expected, share), _codes(rng, expected, share)) for _ in range(200)]
    mine = [one for one in found if one.method != "log bootstrap"]
    assert len(mine) > 20
    assert sum(one.high < 0 for one in mine) / 200 <= 0.025
    assert sum(one.low > 0 for one in mine) / 200 <= 0.025
