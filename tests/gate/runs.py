"""Objectives and simulated runs that the gate's tests share."""

import numpy as np

from evaluator.records import Bound, BoundKind, LabelStatistic, Metric, MetricKind, Objective
from evaluator.stats import FloatArray

JUDGE = Metric("judge", MetricKind.MEAN, low=1.0, high=5.0)
EXACT = Metric("exact_match", MetricKind.PROPORTION, unit="share")
ERRORS = Metric("error_rate", MetricKind.PROPORTION, higher_is_better=False, unit="share")
COST = Metric("cost_per_request", MetricKind.MEAN, higher_is_better=False, unit="usd", column="cost")
P95 = Metric(
    "latency_p95", MetricKind.QUANTILE, higher_is_better=False, unit="seconds", column="latency", quantile=0.95
)
MACRO_F1 = Metric(
    "macro_f1", MetricKind.LABELS, unit="share", column="label", statistic=LabelStatistic.MACRO_F1, label_count=5
)
METRICS = (JUDGE, EXACT, ERRORS, COST, P95, MACRO_F1)

Columns = dict[str, FloatArray]


def minimum(limit: float) -> Bound:
    """At least `limit`."""
    return Bound(BoundKind.MIN, limit)


def maximum(limit: float) -> Bound:
    """At most `limit`."""
    return Bound(BoundKind.MAX, limit)


def drop(limit: float, *, relative: bool = True) -> Bound:
    """No lower than base by more than `limit`."""
    return Bound(BoundKind.MAX_DROP, limit, relative)


def increase(limit: float, *, relative: bool = True) -> Bound:
    """No higher than base by more than `limit`."""
    return Bound(BoundKind.MAX_INCREASE, limit, relative)


def objective(metric: Metric, *bounds: Bound) -> Objective:
    """A metric with its bounds."""
    return Objective(metric, bounds)


ALL = (
    objective(JUDGE, minimum(3.0), drop(0.05)),
    objective(EXACT, drop(0.05)),
    objective(ERRORS, maximum(0.1), increase(0.1)),
    objective(COST, maximum(0.05), increase(0.1)),
    objective(P95, maximum(9.0), increase(0.2)),
    objective(MACRO_F1, drop(0.05)),
)


def judge_pair(rng: np.random.Generator, cases: int, repeats: int, loss: float) -> tuple[Columns, Columns]:
    """A 1-5 judge around 4.2 over easy, middling and hard cases; a loss is more answers that fail altogether."""
    level = rng.choice([4.6, 4.3, 3.7], size=(cases, 1), p=[0.5, 0.3, 0.2])

    def side(failing: float) -> Columns:
        answer = level + rng.normal(0, 0.45, (cases, repeats))
        answer = np.where(rng.random((cases, repeats)) < failing, answer - 2.5, answer)
        return {"judge": np.clip(np.round(answer + rng.normal(0, 0.35, (cases, repeats))), 1, 5)}

    # An answer that fails costs 2.4 points of a mean of 4.2.
    return side(0.03), side(0.03 + loss * 4.2 / 2.4)


def exact_pair(rng: np.random.Generator, cases: int, repeats: int, loss: float) -> tuple[Columns, Columns]:
    """Right or wrong over easy, middling and hard cases, right in 84% of them."""
    chance = rng.choice([0.97, 0.8, 0.35], size=(cases, 1), p=[0.6, 0.25, 0.15])
    base, head = (rng.random((cases, repeats)) < share for share in (chance, chance * (1 - loss)))
    return {"exact_match": base.astype(float)}, {"exact_match": head.astype(float)}


def full_pair(rng: np.random.Generator, cases: int, repeats: int) -> tuple[Columns, Columns]:
    """Two runs of the same app with every metric of `METRICS`."""
    sides = []
    judge, exact = judge_pair(rng, cases, repeats, 0.0), exact_pair(rng, cases, repeats, 0.0)
    size = rng.normal(0, 0.4, (cases, 1))
    expected = rng.integers(0, 5, (cases, 1))
    for number in range(2):
        shape = (cases, repeats)
        predicted = np.where(rng.random(shape) < 0.85, expected, rng.integers(0, 6, shape))
        sides.append(
            judge[number]
            | exact[number]
            | {
                "error_rate": (rng.random(shape) < 0.02).astype(float),
                "cost": np.exp(size - 5 + rng.normal(0, 0.1, shape)),
                "latency": np.exp(size + rng.normal(0, 0.2, shape)),
                "label": (expected * 6 + predicted).astype(float),
            }
        )
    return sides[0], sides[1]
