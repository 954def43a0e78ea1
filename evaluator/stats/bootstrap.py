"""Intervals from paired bootstrap draws of a statistic: the draws themselves are made beside each statistic.

The spread of the draws is used, not their percentiles: it holds at the small error rates that several objectives need,
and does not move the interval away from the value seen.
"""

import math
from dataclasses import dataclass

import numpy as np

from evaluator.records import Interval
from evaluator.stats.arrays import FloatArray
from evaluator.stats.means import unbounded
from evaluator.stats.special import t_quantile


@dataclass(frozen=True, slots=True)
class PairedDraws:
    """Bootstrap draws of a statistic of two runs: each draw takes the same cases (or clusters) on both sides."""

    base: FloatArray
    """(draws,)"""
    head: FloatArray
    """(draws,)"""
    units: int
    """Independent units drawn from."""


_MOST_DRAWS = 600
_FEWEST_DRAWS = 200
_CELLS = 20_000_000
"""Random numbers spent on one interval: large golden sets get fewer draws, and need fewer."""


def draw_count(units: int) -> int:
    """How many draws to make for so many units; 200 of them give a standard error within 5 %."""
    return max(_FEWEST_DRAWS, min(_MOST_DRAWS, _CELLS // max(1, units)))


def one_run_interval(value: float, draws: FloatArray, units: int, *, confidence: float = 0.95) -> Interval:
    """The value +- t * sd(draws), with units - 1 degrees of freedom.

    Args:
        value: The statistic of the run.
        draws: The statistic of each bootstrap draw, shape (draws,).
        units: Independent units drawn from.
        confidence: Two-sided.
    """
    if units <= 1:
        return unbounded(confidence, "bootstrap")
    half = t_quantile(0.5 + confidence / 2.0, units - 1) * float(draws.std(ddof=1))
    return Interval(value - half, value + half, confidence, "bootstrap")


def difference_interval(base: float, head: float, draws: PairedDraws, *, confidence: float = 0.95) -> Interval:
    """The difference head - base +- t * sd of the draws' differences, with units - 1 degrees of freedom.

    Args:
        base: The statistic of base.
        head: The statistic of head.
        draws: Of both.
        confidence: Two-sided.
    """
    return one_run_interval(head - base, draws.head - draws.base, draws.units, confidence=confidence)


def log_ratio_interval(base: float, head: float, draws: PairedDraws, *, confidence: float = 0.95) -> Interval:
    """Interval of head / base - 1 by the paired log bootstrap: exp(log(head / base) +- t * sd(log ratios)) - 1.

    Everything is open where a value, or a draw, is not positive. Arguments as `difference_interval`.
    """
    positive = base > 0 and head > 0 and bool((draws.base > 0).all()) and bool((draws.head > 0).all())
    if not positive:
        return unbounded(confidence, "log bootstrap")
    logs = np.log(draws.head) - np.log(draws.base)
    interval = one_run_interval(math.log(head / base), logs, draws.units, confidence=confidence)
    return Interval(math.expm1(interval.low), _expm1(interval.high), confidence, "log bootstrap")


def share_ratio_interval(base: float, head: float, draws: PairedDraws, *, confidence: float = 0.95) -> Interval:
    """As `log_ratio_interval`, of a statistic from 0 to 1 such as macro-F1: it has an interval where head fell to zero.

    Where head, or a draw of it, is zero there is no logarithm. Then each side's own limits are divided, value +- t * sd
    of its draws, which errs on the wide side. Draws of nothing but zeros do not spread: head's upper limit is at least
    as far above head as that of a share of which no success was seen in so many units (Clopper & Pearson 1934).
    """
    logarithms = head > 0 and bool((draws.head > 0).all())
    if base <= 0 or draws.units <= 1 or logarithms:
        return log_ratio_interval(base, head, draws, confidence=confidence)
    t = t_quantile(0.5 + confidence / 2.0, draws.units - 1)
    base_half, head_half = t * float(draws.base.std(ddof=1)), t * float(draws.head.std(ddof=1))
    if base <= base_half:
        return unbounded(confidence, "bootstrap of each side")
    unseen = 1.0 - (0.5 - confidence / 2.0) ** (1.0 / draws.units)
    low = max(0.0, head - head_half) / (base + base_half) - 1.0
    high = min(1.0, head + max(head_half, unseen)) / (base - base_half) - 1.0
    return Interval(low, high, confidence, "bootstrap of each side")


def _expm1(x: float) -> float:
    try:
        return math.expm1(x)
    except OverflowError:
        return math.inf
