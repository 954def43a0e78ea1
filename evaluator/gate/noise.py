"""The noise of one case's change between two runs: measured, expected from a baseline, or assumed and named as such."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy.typing as npt

from evaluator.gate.columns import Columns, Sample, read_columns
from evaluator.gate.estimates import estimate_change, run_value
from evaluator.records import Bound, BoundKind, Interval, Metric, MetricKind
from evaluator.stats import moments, run_to_run_error, t_quantile

_SHOWN = 0.95
_FLOOR = 4.0
"""What is taken off measured noise leaves at least so small a part of it."""
Basis = Literal["measured", "baseline", "assumed"]
ASSUMED_SPREAD: Mapping[str, float] = {
    "score": 0.2,
    "share": 0.35,
    "usd": 0.2,
    "seconds": 0.4,
    "tokens": 0.2,
    "count": 0.4,
}
"""Where nothing is known: standard deviation of a case's difference between two runs of the same app, as a share of the
mean. For a 1-5 judge around 4.3 this is 0.9 points; for exact match one case in ten that comes out differently."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Variance of one case's change (relative or absolute, as the bound is), one repeat a side."""

    cases: float
    """What stays however often a case is repeated: the change differs from case to case."""
    runs: float
    """What repeats average out."""
    units: float = 1.0
    """Independent units a case: below 1 with clusters."""
    added: float = 0.0
    """What a change adds to `runs`, by unit of change: right answers that now fail at random are noise of their own."""

    def under(self, change: float) -> "Noise":
        """The noise if the true change is so large, for the worse."""
        return replace(self, runs=self.runs + self.added * change)

    def error(self, cases: float, repeats: int) -> float:
        """Standard error of the change over so many cases with so many repeats."""
        return math.sqrt((self.cases + self.runs / repeats) / max(1.0, cases))

    def run_error(self, cases: float, repeats: int) -> float:
        """Its part that comes from run-to-run noise alone."""
        return math.sqrt(self.runs / repeats / max(1.0, cases))


def measured_noise(
    bound: Bound,
    columns: Columns,
    *,
    metric: Metric,
    seed: int = 0,
    repeats: int | None = None,
    known: Interval | None = None,
) -> Noise | None:
    """The noise of one case's change between two runs, around the change that was seen.

    Variance over repeats tells run-to-run noise from what differs by case. Without repeats all of it counts as
    run-to-run noise: two answers to the same case differ for little else.

    Args:
        bound: On a change.
        columns: The values.
        metric: What is compared.
        seed: Of the bootstrap of quantiles and label statistics, whose noise is taken from their interval.
        repeats: Repeats that went in; by default as many as head's values have.
        known: The 95 % interval of the change, where it is known already: bootstraps are slow.
    """
    if columns.pair is None or columns.pair[0].units <= 1:
        return None
    base, head = columns.pair
    counted = repeats or head.values.shape[1]
    if metric.kind in (MetricKind.MEAN, MetricKind.PROPORTION):
        noise = _noise_of_means(bound, base, head, counted)
        if noise is None:
            return None
        before, after = float(base.means.mean()), float(head.means.mean())
        told = _with_added(metric, bound, before, noise)
        # What the change that was seen has added is in the noise already.
        worse = (after - before if bound.kind is BoundKind.MAX_INCREASE else before - after) / (
            abs(before) if bound.relative else 1.0
        )
        return replace(told, runs=max(told.runs / _FLOOR, told.runs - told.added * max(0.0, worse)))
    if bound.relative and run_value(metric, base) == 0:
        return None
    interval = known or estimate_change(metric, base, head, seed, relative=bound.relative).at(_SHOWN)
    if not math.isfinite(interval.low) or not math.isfinite(interval.high):
        return None
    half = (interval.high - interval.low) / 2.0 / t_quantile(0.5 + _SHOWN / 2.0, base.units - 1)
    return Noise(0.0, half**2 * base.cases * counted, base.units / base.cases)


def _noise_of_means(bound: Bound, base: Sample, head: Sample, repeats: int) -> Noise | None:
    before, after = float(base.means.mean()), float(head.means.mean())
    if bound.relative and before == 0:
        return None
    factor, scale = (after / before, abs(before)) if bound.relative else (1.0, 1.0)
    found = moments((head.means - factor * base.means)[:, None], base.clusters)
    total = float(found.covariance[0, 0]) / scale**2 * base.cases
    share = base.units / base.cases
    errors = (run_to_run_error(base.values), run_to_run_error(head.values))
    if errors[0] is None or errors[1] is None:
        return Noise(0.0, total * repeats, share)
    runs = min(total, (errors[1] ** 2 + (factor * errors[0]) ** 2) / scale**2 * base.cases)
    return Noise(total - runs, runs * repeats, share)


def _with_added(metric: Metric, bound: Bound, mean: float, noise: Noise) -> Noise:
    """What a change adds to the noise of a share: the variance of answers that flip at random, p(1 - p) for each p.

    If every right answer turns wrong with the same chance c, the variance of an answer grows by c (mean - 2 w), with w
    its variance over repeats; if errors are added, by their number.
    """
    if metric.kind is not MetricKind.PROPORTION or mean <= 0:
        return noise
    within = noise.runs * (mean**2 if bound.relative else 1.0) / 2.0
    flips = 1.0 if bound.kind is BoundKind.MAX_INCREASE else max(0.0, 1.0 - 2.0 * within / mean)
    return replace(noise, added=flips / mean if bound.relative else flips)


def expected_noise(metric: Metric, bound: Bound, baseline: npt.ArrayLike | None) -> tuple[Noise, Basis] | None:
    """The noise to expect before a run: from the base's own repeats, else assumed by the metric's unit.

    Args:
        metric: What will be compared.
        bound: On a change.
        baseline: Base's values (cases, repeats), NaN for missing.

    Returns:
        The noise and what it rests on; None for an absolute bound or metric about which nothing can be assumed.
    """
    if not bound.kind.relative_to_base or metric.kind is MetricKind.LABELS:
        return None
    if baseline is not None and metric.kind in (MetricKind.MEAN, MetricKind.PROPORTION):
        columns = read_columns(metric, None, {metric.source: baseline}, None)
        error = None if columns is None else run_to_run_error(columns.head.values)
        if columns is not None and error is not None and columns.head.cases > 1:
            sample = columns.head
            mean = float(sample.means.mean())
            if not bound.relative or mean != 0:
                per_value = error**2 * sample.cases * sample.observations / sample.cases
                told = Noise(0.0, 2.0 * per_value / (mean**2 if bound.relative else 1.0))
                return _with_added(metric, bound, mean, told), "baseline"
    if not bound.relative and metric.unit != "share":
        return None
    if metric.kind is MetricKind.QUANTILE:
        return None
    return Noise(0.0, ASSUMED_SPREAD[metric.unit] ** 2), "assumed"
