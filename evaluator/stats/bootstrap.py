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


def _expm1(x: float) -> float:
    try:
        return math.expm1(x)
    except OverflowError:
        return math.inf
