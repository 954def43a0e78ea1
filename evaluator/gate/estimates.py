"""Which estimator and interval each kind of metric has: of one run's value, and of the change between two.

The methods themselves are in `evaluator.stats`; this is the table that chooses among them.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evaluator.errors import EvalGateError
from evaluator.gate.columns import Sample
from evaluator.records import Interval, LabelStatistic, Metric, MetricKind
from evaluator.stats import (
    FloatArray,
    PairedDraws,
    difference_interval,
    label_draws,
    label_statistic,
    log_ratio_interval,
    lognormal_mean_interval,
    looks_lognormal,
    mean_difference_interval,
    mean_interval,
    one_run_interval,
    quantile,
    quantile_draws,
    quantile_interval,
    ratio_change_interval,
    relative_change,
    share_change_interval,
    share_difference_interval,
    share_interval,
    share_ratio_interval,
)

_SKEWED_UNITS = ("usd", "seconds", "tokens")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its interval at any confidence."""

    value: float
    at: Callable[[float], Interval]
    """Two-sided confidence -> interval."""


def run_value(metric: Metric, sample: Sample) -> float:
    """The metric of one run, as it is shown; the sample has at least one case."""
    if metric.kind is MetricKind.QUANTILE:
        return quantile(sample.values, _quantile(metric))
    if metric.kind is MetricKind.LABELS:
        return label_statistic(sample.values, metric.label_count, _statistic(metric))
    return float(sample.means.mean())


def estimate_value(metric: Metric, sample: Sample, seed: int) -> Estimate:
    """The metric of one run with its interval.

    Means: t, or Cox's interval where costs, times or tokens look lognormal. Shares: exact. Quantiles: order statistics.
    Labels: bootstrap over cases.
    """
    value = run_value(metric, sample)
    if metric.kind is MetricKind.MEAN:
        return Estimate(value, lambda confidence: _mean_at(metric, sample, confidence))
    if metric.kind is MetricKind.PROPORTION:
        return Estimate(value, lambda confidence: _share_at(sample, sample.means, confidence))
    if metric.kind is MetricKind.QUANTILE:
        q = _quantile(metric)
        return Estimate(
            value,
            lambda confidence: quantile_interval(sample.values, q, confidence=confidence, clusters=sample.clusters),
        )
    draws = _draws(metric, sample, sample, seed)
    return Estimate(value, lambda confidence: _labels_at(metric, sample, value, draws.head, confidence))


def estimate_change(metric: Metric, base: Sample, head: Sample, seed: int, *, relative: bool) -> Estimate:
    """The change from base to head, as a share of base's absolute value or in the metric's unit, with its interval.

    Means: Fieller, or paired t. Shares: Bonett-Price, or Newcombe. Quantiles and labels: paired bootstrap over cases.

    Args:
        metric: What is compared.
        base: Base's values; for a relative change the metric of them is not zero.
        head: Head's values of the same cases.
        seed: Of the bootstrap.
        relative: Which of the two changes.
    """
    before, after = run_value(metric, base), run_value(metric, head)
    change = relative_change(before, after) if relative else after - before
    if change is None:
        raise EvalGateError(f"metric {metric.name!r}: base is 0, so there is no relative change")
    if metric.kind in (MetricKind.MEAN, MetricKind.PROPORTION):
        shares = metric.kind is MetricKind.PROPORTION
        method = {
            (False, True): ratio_change_interval,
            (False, False): mean_difference_interval,
            (True, True): share_change_interval,
            (True, False): share_difference_interval,
        }[shares, relative]
        return Estimate(
            change, lambda confidence: method(base.means, head.means, confidence=confidence, clusters=base.clusters)
        )
    draws = _draws(metric, base, head, seed)
    of_ratio = share_ratio_interval if metric.kind is MetricKind.LABELS else log_ratio_interval
    from_draws = of_ratio if relative else difference_interval
    return Estimate(
        change,
        lambda confidence: from_draws(before, after, draws, confidence=confidence),
    )


def _mean_at(metric: Metric, sample: Sample, confidence: float) -> Interval:
    if metric.unit in _SKEWED_UNITS and looks_lognormal(sample.means):
        cox = lognormal_mean_interval(sample.means, confidence=confidence, clusters=sample.clusters)
        # Where the sample's own mean falls outside, the values were not lognormal after all.
        if cox.low <= float(sample.means.mean()) <= cox.high:
            return cox
    found = mean_interval(sample.means, confidence=confidence, clusters=sample.clusters)
    low = found.low if metric.low is None else max(found.low, metric.low)
    high = found.high if metric.high is None else min(found.high, metric.high)
    return Interval(low, high, found.confidence, found.method)


def _share_at(sample: Sample, shares: FloatArray, confidence: float) -> Interval:
    return share_interval(shares, confidence=confidence, clusters=sample.clusters, observations=sample.observations)


def _labels_at(metric: Metric, sample: Sample, value: float, draws: FloatArray, confidence: float) -> Interval:
    if float(np.ptp(draws)) == 0:
        # Every case right (or every one wrong): draws cannot differ, but the exact interval of the accuracy can tell.
        expected, predicted = np.divmod(sample.values, metric.label_count + 1)
        right = np.where(np.isnan(sample.values), 0.0, expected == predicted).sum(axis=1)
        return _share_at(sample, right / (~np.isnan(sample.values)).sum(axis=1), confidence)
    found = one_run_interval(value, draws, sample.units, confidence=confidence)
    return Interval(max(0.0, found.low), min(1.0, found.high), confidence, found.method)


def _draws(metric: Metric, base: Sample, head: Sample, seed: int) -> PairedDraws:
    # Seeded by the metric's name too: an objective's interval does not hang on which others are there.
    rng = np.random.default_rng([seed, zlib.crc32(metric.name.encode())])
    if metric.kind is MetricKind.QUANTILE:
        return quantile_draws(base.values, head.values, _quantile(metric), rng, clusters=base.clusters)
    pair = (base.values, head.values)
    return label_draws(pair, metric.label_count, _statistic(metric), rng, clusters=base.clusters)


def _quantile(metric: Metric) -> float:
    if metric.quantile is None:
        raise EvalGateError(f"metric {metric.name!r} names no quantile")
    return metric.quantile


def _statistic(metric: Metric) -> LabelStatistic:
    if metric.statistic is None:
        raise EvalGateError(f"metric {metric.name!r} names no label statistic")
    return metric.statistic
