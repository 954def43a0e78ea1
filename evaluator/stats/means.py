"""Intervals of one mean and of a paired difference of means; the lognormal mean for costs and latencies."""

import math

import numpy as np

from evaluator.records import Interval
from evaluator.stats.arrays import FloatArray, IntArray, moments
from evaluator.stats.special import t_quantile

_SYMMETRIC = 1.0
"""Skewness of the logarithms up to which a sample may be called lognormal."""
_FEWEST_FOR_SHAPE = 10
"""Below so many values a shape cannot be judged."""


def unbounded(confidence: float, method: str) -> Interval:
    """The interval that says nothing: where one unit, or a base too close to zero, leaves everything open."""
    return Interval(-math.inf, math.inf, confidence, method)


def upper_point(confidence: float, df: int) -> float:
    """Student's t at the upper end of a two-sided interval."""
    return t_quantile(0.5 + confidence / 2.0, df)


def mean_interval(values: FloatArray, *, confidence: float = 0.95, clusters: IntArray | None = None) -> Interval:
    """Student's t interval of one mean, with CR1 errors and G-1 degrees of freedom where there are clusters.

    Args:
        values: One finite value a case, shape (cases,).
        confidence: Two-sided.
        clusters: Codes (cases,), or None.
    """
    found = moments(values[:, None], clusters)
    method = "t" if clusters is None else "cluster-robust t"
    if found.df < 1:
        return unbounded(confidence, method)
    mean, error = float(found.means[0]), math.sqrt(float(found.covariance[0, 0]))
    half = upper_point(confidence, found.df) * error
    return Interval(mean - half, mean + half, confidence, method)


def mean_difference_interval(
    base: FloatArray, head: FloatArray, *, confidence: float = 0.95, clusters: IntArray | None = None
) -> Interval:
    """Paired t interval of mean(head) - mean(base); arguments as `mean_interval`, paired by position."""
    interval = mean_interval(head - base, confidence=confidence, clusters=clusters)
    return Interval(interval.low, interval.high, confidence, f"paired {interval.method}")


def looks_lognormal(values: FloatArray) -> bool:
    """True if the values are positive, skewed to the right, and clearly less skewed after taking logarithms."""
    if len(values) < _FEWEST_FOR_SHAPE or float(values.min()) <= 0.0:
        return False
    logs = np.log(values)
    skew, log_skew = _skewness(values), _skewness(logs)
    return skew > 0 and abs(log_skew) < skew and abs(log_skew) <= _SYMMETRIC


def _skewness(values: FloatArray) -> float:
    residuals = values - values.mean()
    spread = math.sqrt(float((residuals**2).mean()))
    return float((residuals**3).mean()) / spread**3 if spread > 0 else 0.0


def lognormal_mean_interval(
    values: FloatArray, *, confidence: float = 0.95, clusters: IntArray | None = None
) -> Interval:
    """Cox's interval of the mean of lognormal values (Land 1972; with Student's t, Olsson 2005).

    exp(m + s^2/2 +- t * sqrt(s^2/n + s^4/(2(n-1)))) with m, s^2 of the logarithms. With clusters the error is the CR1
    sandwich of the influence of each case on m + s^2/2.

    Args:
        values: One positive value a case, shape (cases,).
        confidence: Two-sided.
        clusters: Codes (cases,), or None.
    """
    method = "Cox" if clusters is None else "cluster-robust Cox"
    cases = len(values)
    logs = np.log(values)
    first = moments(logs[:, None], clusters)
    if first.df < 1:
        return unbounded(confidence, method)
    mean, variance = float(logs.mean()), float(logs.var(ddof=1))
    if clusters is None:
        error = math.sqrt(variance / cases + variance**2 / (2.0 * (cases - 1)))
    else:
        influence = logs + (logs - mean) ** 2 / 2.0
        error = math.sqrt(float(moments(influence[:, None], clusters).covariance[0, 0]))
    centre, half = mean + variance / 2.0, upper_point(confidence, first.df) * error
    return Interval(math.exp(centre - half), math.exp(centre + half), confidence, method)
