"""Quantiles (p50, p95 latency): their value, exact intervals of one run, and paired bootstrap draws of two.

A quantile is taken over all values, repeats included: the p95 of requests, not of per-case means. The independent units
are still cases, or clusters of cases.
"""

import math

import numpy as np
import numpy.typing as npt

from evaluator.records import Interval
from evaluator.stats.arrays import FloatArray, IntArray, as_matrix, case_means, unit_count
from evaluator.stats.bootstrap import PairedDraws, draw_count
from evaluator.stats.proportions import is_plain, share_interval
from evaluator.stats.special import binomial_cdf

_CHUNK = 400_000
"""Cells of the table of draws held at a time: 3 MB, several times over. The draws do not hang on it."""
_ROUNDING = 1e-9


def quantile(values: npt.ArrayLike, q: float) -> float:
    """The smallest value with at least the share q of all values at or below it; NaN is left out.

    Args:
        values: (cases,) or (cases, repeats), with at least one value that is not NaN.
        q: Between 0 and 1, exclusive.
    """
    flat = as_matrix(values).ravel()
    flat = np.sort(flat[~np.isnan(flat)])
    return float(flat[_position(len(flat), q)])


def _position(count: int, q: float) -> int:
    # 0.95 * 20 is 19.000000000000004 or so in binary: that must not become the 20th value.
    return min(count - 1, max(0, math.ceil(q * count - _ROUNDING) - 1))


def quantile_interval(
    values: npt.ArrayLike, q: float, *, confidence: float = 0.95, clusters: IntArray | None = None
) -> Interval:
    """Distribution-free interval of a quantile.

    One value a case: order statistics whose ranks the binomial distribution gives exactly; infinite on a side where no
    rank is far enough out (p95 of fewer than 72 cases at 95 %). With repeats or clusters: the values at the limits of
    the share below the quantile (Woodruff 1952), by `share_interval`.

    Args:
        values: (cases,) or (cases, repeats); every case has a value.
        q: Between 0 and 1, exclusive.
        confidence: Two-sided.
        clusters: Codes (cases,), or None.
    """
    matrix = as_matrix(values)
    flat = np.sort(matrix[~np.isnan(matrix)])
    count, tail = len(flat), (1.0 - confidence) / 2.0
    if clusters is None and count == len(matrix):
        low_rank = _largest_rank(count, q, tail)
        high_rank = count + 1 - _largest_rank(count, 1.0 - q, tail)
        method = "order statistics"
    else:
        here = flat[_position(count, q)]
        below = case_means(np.where(np.isnan(matrix), np.nan, (matrix <= here).astype(np.float64)))
        limits = share_interval(below, confidence=confidence, clusters=clusters, observations=count)
        low_rank = math.floor(limits.low * count)
        high_rank = math.ceil(limits.high * count) + 1
        method = "Woodruff"
    low = float(flat[low_rank - 1]) if low_rank >= 1 else -math.inf
    high = float(flat[high_rank - 1]) if high_rank <= count else math.inf
    return Interval(low, high, confidence, method)


def _largest_rank(count: int, q: float, tail: float) -> int:
    """The largest rank r whose order statistic exceeds the q-quantile with a chance of at most `tail`; 0 if none."""
    low, high = 0, count
    while low < high:
        middle = (low + high + 1) // 2
        if binomial_cdf(middle - 1, count, q) <= tail:
            low = middle
        else:
            high = middle - 1
    return low


def exceedance_interval(
    values: npt.ArrayLike, limit: float, *, confidence: float = 0.95, clusters: IntArray | None = None
) -> Interval:
    """Interval of the share of values above `limit`; a q-quantile is within the limit if that share is at most 1 - q.

    Exact binomial (Clopper & Pearson 1934) for one value a case; by the effective number of trials with repeats or
    clusters. 72 cases without exceedance certify a p95 at one-sided 2.5 %. Arguments as `quantile_interval`.
    """
    matrix = as_matrix(values)
    above = case_means(np.where(np.isnan(matrix), np.nan, (matrix > limit).astype(np.float64)))
    single = is_plain(above, clusters)
    return share_interval(
        above,
        confidence=confidence,
        clusters=clusters,
        observations=None if single else int((~np.isnan(matrix)).sum()),
    )


def quantile_draws(
    base: npt.ArrayLike,
    head: npt.ArrayLike,
    q: float,
    rng: np.random.Generator,
    *,
    clusters: IntArray | None = None,
) -> PairedDraws:
    """Paired bootstrap draws of a quantile: cases (or clusters) are drawn, with all their values on both sides.

    Args:
        base: (cases, repeats), NaN for missing.
        head: The same cases in the same order; its number of repeats may differ.
        q: Between 0 and 1, exclusive.
        rng: Source of randomness. The cases' order does not matter: units are sorted by their values first.
        clusters: Codes (cases,), or None.
    """
    sides = (as_matrix(base), as_matrix(head))
    cases = len(sides[0])
    units = unit_count(cases, clusters)
    codes = np.arange(cases) if clusters is None else clusters
    rank = _canonical_rank([case_means(side) for side in sides], codes, units)
    prepared = [_sorted_values(side, rank[codes]) for side in sides]
    draws, chunk = draw_count(units), max(1, _CHUNK // max(1, *(len(values) for values, _ in prepared)))
    results: tuple[list[FloatArray], list[FloatArray]] = ([], [])
    for start in range(0, draws, chunk):
        size = min(chunk, draws - start)
        picked = rng.integers(0, units, size=(size, units)) + np.arange(size)[:, None] * units
        counts = np.bincount(picked.ravel(), minlength=size * units).reshape(size, units).astype(np.int32)
        for (values, owners), found in zip(prepared, results, strict=True):
            below = np.cumsum(counts[:, owners], axis=1)
            needed = np.ceil(q * below[:, -1:] - _ROUNDING)
            found.append(values[np.argmax(below >= needed, axis=1)])
    return PairedDraws(np.concatenate(results[0]), np.concatenate(results[1]), units)


def _canonical_rank(keys: list[FloatArray], codes: IntArray, units: int) -> IntArray:
    """A place for each unit that depends on its values alone, so that a shuffled golden set gives the same draws."""
    sums = [np.bincount(codes, weights=key, minlength=units) for key in keys]
    rank = np.empty(units, dtype=np.int64)
    rank[np.lexsort(sums)] = np.arange(units)
    return rank


def _sorted_values(matrix: FloatArray, owner: IntArray) -> tuple[FloatArray, IntArray]:
    """All values in rising order, with the unit that each belongs to."""
    present = ~np.isnan(matrix)
    values, owners = matrix[present], np.broadcast_to(owner[:, None], matrix.shape)[present]
    order = np.argsort(values, kind="stable")
    return values[order], owners[order]
