"""Intervals of one share of cases: exact, by score, and with repeats or clusters."""

import math

import numpy as np

from evaluator.records import Interval
from evaluator.stats.arrays import FloatArray, IntArray, moments, unit_count
from evaluator.stats.special import beta_quantile, normal_quantile, t_quantile


def is_plain(shares: FloatArray, clusters: IntArray | None) -> bool:
    """True if every case is one independent 0 or 1, so that counting methods hold exactly."""
    return clusters is None and bool(np.isin(shares, (0.0, 1.0)).all())


def wilson_limits(successes: float, trials: float, z: float) -> tuple[float, float]:
    """Score limits of one proportion (Wilson 1927) at the normal deviate z; (0, 1) without a trial."""
    if trials <= 0:
        return 0.0, 1.0
    z_square = z * z
    middle = 2.0 * successes + z_square
    root = z * math.sqrt(z_square + 4.0 * successes * (1.0 - successes / trials))
    scale = 2.0 * (trials + z_square)
    # At 0 and at all successes the limit is exact; rounding must not leave a hair's breadth.
    low = 0.0 if successes <= 0 else (middle - root) / scale
    high = 1.0 if successes >= trials else (middle + root) / scale
    return max(0.0, low), min(1.0, high)


def wilson_interval(successes: float, trials: float, *, confidence: float = 0.95) -> Interval:
    """Wilson's score interval (1927) of one proportion. For showing: its one-sided error near 0 is above nominal."""
    low, high = wilson_limits(successes, trials, normal_quantile(0.5 + confidence / 2.0))
    return Interval(low, high, confidence, "Wilson")


def clopper_pearson_interval(successes: float, trials: float, *, confidence: float = 0.95) -> Interval:
    """Exact interval of one proportion (Clopper & Pearson 1934): never errs more often than it says, on either side.

    Args:
        successes: Count; may be fractional where it is an effective count.
        trials: Count, likewise.
        confidence: Two-sided.
    """
    tail = (1.0 - confidence) / 2.0
    failures = trials - successes
    low = 0.0 if successes <= 0 else beta_quantile(tail, successes, failures + 1.0)
    high = 1.0 if failures <= 0 else beta_quantile(1.0 - tail, successes + 1.0, failures)
    return Interval(low, high, confidence, "Clopper-Pearson")


def share_interval(
    shares: FloatArray,
    *,
    confidence: float = 0.95,
    clusters: IntArray | None = None,
    observations: int | None = None,
) -> Interval:
    """Interval of the mean share of cases, exact for plain 0/1 cases.

    With repeats or clusters: Clopper-Pearson on the effective number of trials, p(1-p)/V with V the CR1 variance of the
    mean, reduced by (t_{n-1}/t_{G-1})^2 (Korn & Graubard 1998). At p = 0 or 1 the trials are the independent units.

    Args:
        shares: One value in [0, 1] a case (the mean over its repeats), shape (cases,).
        confidence: Two-sided.
        clusters: Codes (cases,), or None.
        observations: Values behind the shares (cases times repeats), the most that the effective number may reach.
    """
    cases = len(shares)
    mean = min(1.0, max(0.0, float(shares.mean())))
    if is_plain(shares, clusters):
        return clopper_pearson_interval(float(shares.sum()), cases, confidence=confidence)
    units = unit_count(cases, clusters)
    effective = float(units)
    found = moments(shares[:, None], clusters)
    variance = float(found.covariance[0, 0])
    if 0.0 < mean < 1.0 and variance > 0:
        upper = 0.5 + confidence / 2.0
        shrink = (t_quantile(upper, max(1, cases - 1)) / t_quantile(upper, found.df)) ** 2
        effective = min(mean * (1.0 - mean) / variance * shrink, float(max(cases, observations or cases)))
    exact = clopper_pearson_interval(mean * effective, effective, confidence=confidence)
    return Interval(exact.low, exact.high, confidence, "Korn-Graubard")
