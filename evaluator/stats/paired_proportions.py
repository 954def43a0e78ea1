"""Intervals of the change of a share of cases between two runs of the same cases."""

import math
from dataclasses import dataclass

import numpy as np

from evaluator.records import Interval
from evaluator.stats.arrays import FloatArray, IntArray, unit_count
from evaluator.stats.means import mean_difference_interval, unbounded
from evaluator.stats.proportions import is_plain, wilson_limits
from evaluator.stats.ratio import ratio_change_interval
from evaluator.stats.special import normal_quantile

FEWEST_DIFFERING = 5
"""With fewer units that differ between the runs, t on differences is far too sure of itself."""


@dataclass(frozen=True, slots=True)
class PairedTable:
    """Counts of a paired 2 by 2 table; fractional where a unit's mean is not 0 or 1."""

    both: float
    head_only: float
    base_only: float
    neither: float

    @property
    def total(self) -> float:
        """All units."""
        return self.both + self.head_only + self.base_only + self.neither


def paired_table(base: FloatArray, head: FloatArray) -> PairedTable:
    """The table of two columns of shares in [0, 1], shape (units,) each, as concordant as the shares allow."""
    return PairedTable(
        both=float(np.minimum(base, head).sum()),
        head_only=float(np.maximum(head - base, 0.0).sum()),
        base_only=float(np.maximum(base - head, 0.0).sum()),
        neither=float((1.0 - np.maximum(base, head)).sum()),
    )


def newcombe_interval(table: PairedTable, *, confidence: float = 0.95) -> Interval:
    """Interval of share(head) - share(base), paired: square-and-add of Wilson intervals (Newcombe 1998, method 10)."""
    z, n = normal_quantile(0.5 + confidence / 2.0), table.total
    if n <= 0:
        return unbounded(confidence, "Newcombe")
    head, base = table.both + table.head_only, table.both + table.base_only
    difference = (head - base) / n
    head_low, head_high = wilson_limits(head, n, z)
    base_low, base_high = wilson_limits(base, n, z)
    margins = head * base * (n - head) * (n - base)
    cross = table.both * table.neither - table.head_only * table.base_only
    if cross > 0:
        cross = max(cross - n / 2.0, 0.0)
    phi = cross / math.sqrt(margins) if margins > 0 else 0.0
    down = _square_and_add(head / n - head_low, base_high - base / n, phi)
    up = _square_and_add(head_high - head / n, base / n - base_low, phi)
    return Interval(max(-1.0, difference - down), min(1.0, difference + up), confidence, "Newcombe")


def _square_and_add(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2.0 * phi * one * other + other * other))


def bonett_price_interval(table: PairedTable, *, confidence: float = 0.95) -> Interval:
    """Interval of share(head) / share(base) - 1, paired: hybrid Wilson score interval (Bonett & Price 2006).

    The upper end is infinite where no unit of base is 1; everything is open where none of head is either.
    """
    method = "Bonett-Price"
    head, base = table.both + table.head_only, table.both + table.base_only
    either = table.both + table.head_only + table.base_only
    if either <= 0:
        return unbounded(confidence, method)
    joint = math.sqrt((table.head_only + table.base_only + 2.0) / ((head + 1.0) * (base + 1.0)))
    head_error = math.sqrt((1.0 - (head + 1.0) / (either + 2.0)) / (head + 1.0))
    base_error = math.sqrt((1.0 - (base + 1.0) / (either + 2.0)) / (base + 1.0))
    z = normal_quantile(0.5 + confidence / 2.0) * joint / (head_error + base_error)
    head_low, head_high = wilson_limits(head, either, z)
    base_low, base_high = wilson_limits(base, either, z)
    high = head_high / base_low - 1.0 if base_low > 0 else math.inf
    return Interval(head_low / base_high - 1.0, high, confidence, method)


def share_difference_interval(
    base: FloatArray, head: FloatArray, *, confidence: float = 0.95, clusters: IntArray | None = None
) -> Interval:
    """Interval of mean(head) - mean(base) of shares, paired by case.

    Newcombe for plain 0/1 cases. With repeats or clusters paired t (CR1), but where fewer than `FEWEST_DIFFERING` units
    differ, Newcombe with each unit as one trial.

    Args:
        base: One value in [0, 1] a case, shape (cases,).
        head: The same cases in the same order.
        confidence: Two-sided.
        clusters: Codes (cases,), or None.
    """
    if _counts_decide(base, head, clusters):
        return newcombe_interval(_unit_table(base, head, clusters), confidence=confidence)
    return mean_difference_interval(base, head, confidence=confidence, clusters=clusters)


def share_change_interval(
    base: FloatArray, head: FloatArray, *, confidence: float = 0.95, clusters: IntArray | None = None
) -> Interval:
    """Interval of mean(head) / mean(base) - 1 of shares, paired by case.

    Bonett-Price for plain 0/1 cases. With repeats or clusters Fieller (CR1), but where fewer than `FEWEST_DIFFERING`
    units differ, Bonett-Price with each unit as one trial. Arguments as `share_difference_interval`.
    """
    if _counts_decide(base, head, clusters):
        return bonett_price_interval(_unit_table(base, head, clusters), confidence=confidence)
    return ratio_change_interval(base, head, confidence=confidence, clusters=clusters)


def _counts_decide(base: FloatArray, head: FloatArray, clusters: IntArray | None) -> bool:
    if is_plain(base, clusters) and is_plain(head, clusters):
        return True
    differs = base != head
    differing = int(differs.sum()) if clusters is None else len(np.unique(clusters[differs]))
    return differing < FEWEST_DIFFERING


def _unit_table(base: FloatArray, head: FloatArray, clusters: IntArray | None) -> PairedTable:
    if clusters is None:
        return paired_table(base, head)
    units = unit_count(len(base), clusters)
    sizes = np.bincount(clusters, minlength=units)
    return paired_table(
        np.bincount(clusters, weights=base, minlength=units) / sizes,
        np.bincount(clusters, weights=head, minlength=units) / sizes,
    )
