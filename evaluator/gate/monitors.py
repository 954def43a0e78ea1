"""Tests of one bound that are valid while cases still come in, for the first repeat in random order.

Bounded values (scores, shares, exceedances of a quantile's absolute limit) are bet on, case by case. Values without a
range (cost, time, tokens) are looked at by their interval at few points, which share the error. Quantiles and label
statistics of two runs have no valid test before the data are complete: `monitor` then gives None.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evaluator.errors import EvalGateError
from evaluator.gate.bounds import Excluded, Finding
from evaluator.gate.rule import ALPHA, EARLY_ALPHA, QUANTILE_ALPHA, Rule
from evaluator.records import Bound, BoundKind, Metric, MetricKind
from evaluator.stats import BettingProcess, FloatArray, IntArray, share_interval

_GROWTH = 1.5
"""Intervals are looked at whenever there are so many times the cases of the last time."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The cases that came in between two looks; always whole clusters."""

    base: FloatArray
    """(cases,), NaN for missing; all NaN without a base."""
    head: FloatArray
    """(cases,), NaN for missing."""
    starts: IntArray | None
    """Where in the chunk each cluster begins, (clusters,); None where all cases stand alone."""
    largest: int
    """Cases in the largest cluster of the golden set."""


class BettingMonitor:
    """Bets on a bound: against "at the far edge or beyond", and against "at the near edge or better"."""

    def __init__(self, metric: Metric, bound: Bound, rule: Rule) -> None:
        """Set up for `metric` and `bound`, which must be such that `_range` is known."""
        low, high = _range(metric, bound)
        self._metric, self._bound = metric, bound
        self._near, self._far = rule.edges(bound) if bound.kind.relative_to_base else (bound.limit, bound.limit)
        self._sign = 1.0 if bound.kind in (BoundKind.MAX, BoundKind.MAX_INCREASE) else -1.0
        fail_alpha = EARLY_ALPHA / rule.objectives
        if metric.kind is MetricKind.QUANTILE:
            fail_alpha = min(QUANTILE_ALPHA, fail_alpha)
        self._pass_needs, self._fail_needs = -math.log(EARLY_ALPHA), -math.log(fail_alpha)
        corners = np.array([(low, low), (low, high), (high, low), (high, high)])
        for_far, for_near = self._steps(corners[:, 0], corners[:, 1])
        # An edge that no value can reach is excluded from the start.
        self._for_far, self._for_near = (
            BettingProcess(float(steps.min())) if steps.min() < 0 else None for steps in (for_far, for_near)
        )
        self._base_sum = self._head_sum = 0.0
        self._count = 0

    def _steps(self, base: FloatArray, head: FloatArray) -> tuple[FloatArray, FloatArray]:
        """What each case says against the far edge and against the near edge: positive where it speaks for the test."""
        sign, bound = self._sign, self._bound
        if not bound.kind.relative_to_base:
            worse = sign * (head - self._value_limit)
            return -worse, worse
        if bound.relative:
            far, near = (1.0 + sign * edge for edge in (self._far, self._near))
            return -sign * (head - far * base), sign * (head - near * base)
        worse = sign * (head - base)
        return self._far - worse, worse - self._near

    @property
    def _value_limit(self) -> float:
        """Of the mean that is bet on: the limit, or for a quantile the share of values that may lie beyond it."""
        if self._metric.kind is not MetricKind.QUANTILE or self._metric.quantile is None:
            return self._bound.limit
        # The indicator "beyond the limit" is turned so that `sign` counts it towards the worse.
        beyond = 1.0 - self._metric.quantile if self._sign > 0 else self._metric.quantile
        return beyond if self._sign > 0 else -beyond

    def update(self, chunk: Chunk) -> None:
        """Take in a chunk.

        Raises:
            EvalGateError: If a value lies outside the metric's range, on which the test's validity rests.
        """
        compared = self._bound.kind.relative_to_base
        keep = ~np.isnan(chunk.head) & ~np.isnan(chunk.base) if compared else ~np.isnan(chunk.head)
        head, base = chunk.head, chunk.base if compared else chunk.head
        if self._metric.kind is MetricKind.QUANTILE:
            beyond = self._sign * head > self._sign * self._bound.limit
            head = self._sign * beyond.astype(np.float64)
        else:
            self._check(base[keep], head[keep])
        self._base_sum += float(base[keep].sum())
        self._head_sum += float(head[keep].sum())
        self._count += int(keep.sum())
        for process, steps in zip((self._for_far, self._for_near), self._steps(base, head), strict=True):
            if process is None:
                continue
            if chunk.starts is None:
                process.update(steps[keep])
            elif len(chunk.starts):
                process.update(np.add.reduceat(np.where(keep, steps, 0.0), chunk.starts) / chunk.largest)

    def _check(self, *sides: FloatArray) -> None:
        low, high = _range(self._metric, self._bound)
        for values in sides:
            if len(values) and (values.min() < low or values.max() > high):
                wrong = values[(values < low) | (values > high)][0]
                raise EvalGateError(
                    f"metric {self._metric.name!r}: found {wrong:g} outside its range {low:g} to {high:g}",
                    hint="give the metric its true range; early stopping rests on it",
                )

    @property
    def excluded(self) -> Excluded:
        """What is excluded by now."""
        return Excluded(
            far=self._for_far is None or self._for_far.peak >= self._pass_needs,
            near=self._for_near is None or self._for_near.peak >= self._fail_needs,
        )

    @property
    def evidence(self) -> float:
        """Share of the evidence, on a logarithmic scale, that is there for what the figure seen says."""
        process, needs = (self._for_far, self._pass_needs) if self.good else (self._for_near, self._fail_needs)
        return 1.0 if process is None else min(1.0, process.peak / needs)

    @property
    def decided(self) -> bool:
        """True if the figure seen and what is excluded agree."""
        if self._count == 0:
            return False
        return self.excluded.far if self._good else self.excluded.near

    @property
    def good(self) -> bool:
        """True if the figure seen keeps the limit."""
        return self._count > 0 and self._good

    @property
    def _good(self) -> bool:
        sign, bound = self._sign, self._bound
        if not bound.kind.relative_to_base:
            return sign * (self._head_sum / self._count - self._value_limit) <= 0
        worse = sign * (self._head_sum - self._base_sum)
        return worse <= bound.limit * (abs(self._base_sum) if bound.relative else self._count)


class IntervalMonitor:
    """Looks at the interval of what is there, at a few numbers of cases that share the error among them."""

    def __init__(self, looks: list[int], check: Callable[[int, int], Finding]) -> None:
        """Set up.

        Args:
            looks: Numbers of cases at which the gate looks, ascending.
            check: (cases, looks that share the error) -> what the interval says of so many cases.
        """
        chosen: list[int] = []
        for at in looks:
            if not chosen or at >= _GROWTH * chosen[-1]:
                chosen.append(at)
        self._looks, self._check = chosen, check
        self.excluded = Excluded(far=False, near=False)
        self.good = self.decided = False

    def look(self, cases: int) -> None:
        """Look at the first `cases` cases, if they are as many as were waited for."""
        if cases not in self._looks:
            return
        finding = self._check(cases, len(self._looks))
        self.good = finding.good
        self.excluded = Excluded(
            far=self.excluded.far or (finding.decided and finding.result.state == "pass"),
            near=self.excluded.near or (finding.decided and finding.result.state == "fail"),
        )
        self.decided = self.excluded.far if self.good else self.excluded.near


Monitor = BettingMonitor | IntervalMonitor


def can_bet(metric: Metric, bound: Bound) -> bool:
    """True if values of this metric are bounded such that the bound can be bet on."""
    if metric.kind is MetricKind.LABELS or (metric.kind is MetricKind.QUANTILE and bound.kind.relative_to_base):
        return False
    low, high = _range(metric, bound)
    bounded = math.isfinite(low) and math.isfinite(high) and low < high
    return bounded and (low >= 0 or not (bound.kind.relative_to_base and bound.relative))


def needs_all(metric: Metric, bound: Bound) -> bool:
    """True if nothing but complete data can decide this bound."""
    return metric.kind is MetricKind.LABELS or (metric.kind is MetricKind.QUANTILE and bound.kind.relative_to_base)


def attainable(metric: Metric, bound: Bound, clusters: IntArray | None, cases: int) -> bool:
    """False for a share bounded so tightly that not even a run without a single exception could show it."""
    if bound.kind.relative_to_base or metric.kind not in (MetricKind.PROPORTION, MetricKind.QUANTILE):
        return True
    allowed = bound.limit
    if metric.kind is MetricKind.QUANTILE and metric.quantile is not None:
        allowed = 1.0 - metric.quantile if bound.kind is BoundKind.MAX else metric.quantile
    elif bound.kind is BoundKind.MIN:
        allowed = 1.0 - bound.limit
    none = share_interval(np.zeros(cases), confidence=1.0 - 2.0 * ALPHA, clusters=clusters)
    return none.high <= allowed


def _range(metric: Metric, bound: Bound) -> tuple[float, float]:
    """Smallest and largest value of a case, infinite where unknown."""
    if metric.kind is MetricKind.PROPORTION:
        return 0.0, 1.0
    if metric.kind is MetricKind.QUANTILE:
        # Its values become indicators, turned by the bound's direction.
        return (0.0, 1.0) if bound.kind is BoundKind.MAX else (-1.0, 0.0)
    return -math.inf if metric.low is None else metric.low, math.inf if metric.high is None else metric.high
