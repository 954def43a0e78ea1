"""How often the intervals that decide hold the truth, over skewed, ceiling, rare-failure and clustered data."""

from dataclasses import dataclass

import numpy as np

from bench.simulation.apps import METRICS, App, Effect, Values, draw_pair
from evaluator.gate.columns import read_columns
from evaluator.gate.estimates import estimate_change, estimate_value
from evaluator.records import LabelStatistic, Metric, MetricKind

CASES = (30, 50, 100, 200, 500)
MACRO_F1 = Metric("macro_f1", MetricKind.LABELS, unit="share", statistic=LabelStatistic.MACRO_F1, label_count=4)


@dataclass(frozen=True, slots=True)
class Subject:
    """An interval on a kind of data."""

    name: str
    app: App
    change: bool = True
    """Of the change between two runs of the same app; else of one run's value."""
    relative: bool = True
    repeats: int = 1
    slow: bool = False
    """True for bootstraps."""

    @property
    def kind(self) -> MetricKind:
        """The kind of metric."""
        return self.metric.kind

    @property
    def metric(self) -> Metric:
        """The metric that the interval is of."""
        return MACRO_F1 if self.app.metric == MACRO_F1.name else METRICS[self.app.metric]


SUBJECTS = (
    Subject("judge, ceiling (low noise)", App("judge", "low")),
    Subject("judge, rare failures (mid noise)", App("judge", "mid")),
    Subject("judge, absolute difference", App("judge", "mid"), relative=False),
    Subject("judge, 3 repeats", App("judge", "high"), repeats=3),
    Subject("judge, clusters of 5", App("judge", "mid", 5)),
    Subject("judge, one run's mean", App("judge", "mid"), change=False),
    Subject("exact match", App("exact_match", "mid")),
    Subject("exact match, absolute difference", App("exact_match", "mid"), relative=False),
    Subject("exact match, 3 repeats", App("exact_match", "high"), repeats=3),
    Subject("exact match, clusters of 5", App("exact_match", "mid", 5)),
    Subject("exact match, one run's share", App("exact_match", "mid"), change=False),
    Subject("F1 per case, ceiling", App("f1", "mid")),
    Subject("cost, skewed", App("cost", "high")),
    Subject("cost, clusters of 5", App("cost", "high", 5)),
    Subject("cost, one run's mean", App("cost", "high"), change=False),
    Subject("latency p95, change", App("latency_p95", "mid"), slow=True),
    Subject("latency p95, one run", App("latency_p95", "mid"), change=False),
    Subject("macro-F1, change", App("macro_f1", "mid"), slow=True),
)


def coverage(subject: Subject, cases: int, draws: int, seed: int = 0) -> float:
    """The share of draws whose 95 % interval holds the truth."""
    rng = np.random.default_rng([seed, cases])
    truth = 0.0 if subject.change else _truth(subject)
    held = 0
    metric = subject.metric
    clusters = None if subject.app.cluster_size == 1 else np.arange(cases) // subject.app.cluster_size
    for draw in range(draws):
        base, head = _pair(subject, cases, rng)
        columns = read_columns(metric, {metric.source: base}, {metric.source: head}, clusters)
        if columns is None or columns.pair is None:
            raise ValueError("a simulated run has no values")
        one, other = columns.pair
        estimate = (
            estimate_change(metric, one, other, draw, relative=subject.relative)
            if subject.change
            else estimate_value(metric, other, draw)
        )
        interval = estimate.at(0.95)
        held += interval.low <= truth <= interval.high
    return held / draws


def _pair(subject: Subject, cases: int, rng: np.random.Generator) -> tuple[Values, Values]:
    if subject.app.metric != "macro_f1":
        return draw_pair(subject.app, Effect(), cases, subject.repeats, rng)
    expected = rng.integers(0, 4, (cases, 1))
    sides = [
        np.asarray(
            expected * 5 + np.where(rng.random((cases, 1)) < 0.85, expected, rng.integers(0, 5, (cases, 1))), np.float64
        )
        for _ in range(2)
    ]
    return sides[0], sides[1]


def _truth(subject: Subject) -> float:
    """Of one run's value, from a run large enough that its own error does not matter."""
    base, _ = draw_pair(subject.app, Effect(), 400_000, 1, np.random.default_rng(99))
    quantile = METRICS[subject.app.metric].quantile
    return float(base.mean() if quantile is None else np.quantile(base, quantile))
