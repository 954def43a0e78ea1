"""Distribution functions against scipy."""

import numpy as np
import pytest
from scipy import special as scipy_special
from scipy import stats as scipy_stats

from evaluator.stats.special import (
    beta_cdf,
    beta_quantile,
    binomial_cdf,
    normal_cdf,
    normal_quantile,
    t_cdf,
    t_quantile,
)

CHANCES = (1e-6, 0.001, 0.0125, 0.025, 0.1, 0.3, 0.49, 0.5, 0.6, 0.9, 0.975, 0.999, 0.99999)


@pytest.mark.parametrize("df", [1, 1.5, 2, 3, 5, 9, 10, 29, 30.7, 100, 999, 1318, 10000])
def test_student_t_agrees_with_scipy_from_1_to_10000_degrees_of_freedom(df: float) -> None:
    for p in CHANCES:
        expected = float(scipy_stats.t.ppf(p, df))
        assert t_quantile(p, df) == pytest.approx(expected, rel=1e-8, abs=1e-8)
        assert t_cdf(expected, df) == pytest.approx(p, rel=1e-8)


def test_student_t_is_infinite_at_the_ends() -> None:
    assert t_quantile(0.0, 5) == -np.inf
    assert t_quantile(1.0, 5) == np.inf
    assert t_cdf(-np.inf, 5) == 0.0
    assert t_cdf(np.inf, 5) == 1.0


@pytest.mark.parametrize("a", [0.5, 1.0, 2.3, 30.0, 500.0, 50_000.0])
@pytest.mark.parametrize("b", [0.5, 1.0, 2.3, 30.0, 500.0, 50_000.0])
def test_beta_agrees_with_scipy(a: float, b: float) -> None:
    for p in CHANCES:
        expected = float(scipy_special.betaincinv(a, b, p))
        assert beta_quantile(p, a, b) == pytest.approx(expected, abs=1e-8)
        assert beta_cdf(expected, a, b) == pytest.approx(float(scipy_special.betainc(a, b, expected)), abs=1e-8)


def test_beta_stays_within_its_ends() -> None:
    assert (beta_quantile(0.0, 2, 3), beta_quantile(1.0, 2, 3)) == (0.0, 1.0)
    assert (beta_cdf(-1.0, 2, 3), beta_cdf(2.0, 2, 3)) == (0.0, 1.0)


def test_normal_agrees_with_scipy() -> None:
    for p in CHANCES:
        assert normal_quantile(p) == pytest.approx(float(scipy_stats.norm.ppf(p)), abs=1e-10)
        assert normal_cdf(normal_quantile(p)) == pytest.approx(p, rel=1e-9)


@pytest.mark.parametrize(("n", "p"), [(1, 0.5), (20, 0.95), (59, 0.05), (1319, 0.3), (100_000, 0.95)])
def test_binomial_agrees_with_scipy(n: int, p: float) -> None:
    for k in {-1, 0, 1, n // 2, round(n * p), n - 1, n}:
        assert binomial_cdf(k, n, p) == pytest.approx(float(scipy_stats.binom.cdf(k, n, p)), abs=1e-8)
