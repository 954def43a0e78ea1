"""The relative change of a mean, paired by case: (mean(head) - mean(base)) / |mean(base)|."""

import math

import numpy as np

from evaluator.records import Interval
from evaluator.stats.arrays import FloatArray, IntArray, moments
from evaluator.stats.means import unbounded, upper_point


def relative_change(base: float, head: float) -> float | None:
    """(head - base) / |base|; None where base is zero."""
    return None if base == 0 else (head - base) / abs(base)


def ratio_change_interval(
    base: FloatArray, head: FloatArray, *, confidence: float = 0.95, clusters: IntArray | None = None
) -> Interval:
    """Fieller's interval (1954) of the relative change of a mean.

    The set of all changes r for which a t test of mean(head - (1 + r) base) = 0 does not reject. Clusters: the same
    with CR1 errors and G-1 degrees of freedom. Where the base mean is not told from zero that set is not an interval;
    the answer is then (-inf, inf), which decides nothing. With a negative base mean the change is counted against its
    absolute value, so that a rise stays positive.

    Args:
        base: One finite value a case, shape (cases,).
        head: The same cases in the same order.
        confidence: Two-sided.
        clusters: Codes (cases,), or None.
    """
    method = "Fieller" if clusters is None else "cluster-robust Fieller"
    base_mean = float(base.mean())
    if base_mean == 0:
        return unbounded(confidence, method)
    ratio = float(head.mean()) / base_mean
    # Centred on the ratio seen: no digits are lost where head and base are nearly the same.
    found = moments(np.column_stack([base, head - ratio * base]), clusters)
    if found.df < 1:
        return unbounded(confidence, method)
    t_square = upper_point(confidence, found.df) ** 2
    base_variance, covariance, variance = (float(found.covariance[i, j]) for i, j in ((0, 0), (0, 1), (1, 1)))
    leading = base_mean**2 - t_square * base_variance
    if leading <= 0:
        return unbounded(confidence, method)
    middle = -t_square * covariance
    root = math.sqrt(middle**2 + leading * t_square * variance)
    low, high = ratio - 1.0 + (middle - root) / leading, ratio - 1.0 + (middle + root) / leading
    return Interval(low, high, confidence, method) if base_mean > 0 else Interval(-high, -low, confidence, method)
