"""Comparisons without a bound, what the gate could have seen, and outages."""

import numpy as np
import pytest

from evaluator.gate import decide, describe, detectable_changes, with_outages
from evaluator.records import Bound, BoundKind, Metric, MetricKind, Objective

SCORE = Metric("judge", MetricKind.MEAN, low=1, high=5)
DROP = Objective(SCORE, (Bound(BoundKind.MAX_DROP, 0.05),))


def runs(cases: int, *, noise: float) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    dice = np.random.default_rng(7)
    base = dice.uniform(3, 5, (cases, 1))
    return {"judge": base}, {"judge": base + dice.normal(0, noise, (cases, 1))}


def test_a_metric_without_a_bound_is_described_with_its_interval() -> None:
    base, head = runs(100, noise=0.1)
    [found] = describe([SCORE], base, head)
    assert found.base == pytest.approx(base["judge"].mean())
    assert found.interval is not None
    assert found.interval.low < (found.change or 0) < found.interval.high
    assert found.bounds == ()


def test_what_was_not_measured_is_left_out() -> None:
    base, head = runs(20, noise=0.1)
    assert describe([Metric("other", MetricKind.MEAN)], base, head) == []
    assert describe([SCORE], base, {"judge": np.full((20, 1), np.nan)}) == []
    [alone] = describe([SCORE], None, head)
    assert (alone.base, alone.change, alone.pairs) == (None, None, 0)


def test_more_noise_and_fewer_cases_hide_larger_drops() -> None:
    def seen(cases: int, noise: float) -> float:
        base, head = runs(cases, noise=noise)
        found = detectable_changes(decide(base, head, [DROP]), base, head)["judge"]
        assert found is not None
        return found

    assert seen(400, 0.8) < seen(100, 0.8) < seen(100, 1.6)
    assert seen(400, 0.1) == seen(100, 0.1)  # the zone is the limit then
    assert seen(100, 0.1) > 0.05  # the limit itself is seen half the time at best


def test_what_could_be_seen_is_unknown_without_a_relative_bound() -> None:
    base, head = runs(50, noise=0.1)
    absolute = Objective(SCORE, (Bound(BoundKind.MIN, 2.0),))
    assert detectable_changes(decide(base, head, [absolute]), base, head) == {"judge": None}
    assert detectable_changes(decide(None, head, [absolute]), None, head) == {"judge": None}


def test_outages_beyond_the_bound_leave_no_verdict() -> None:
    base, head = runs(100, noise=0.01)
    verdict = decide(base, head, [DROP])
    assert with_outages(verdict, {"base": 0, "head": 5}, {"base": 20, "head": 100}, 0.05, said="HTTP 500") is verdict
    stopped = with_outages(verdict, {"base": 2, "head": 0}, {"base": 30, "head": 100}, 0.05, said="HTTP 500: down")
    assert stopped.state == "error"
    assert "2 of 30 answers of base" in stopped.reason
    assert "HTTP 500: down" in stopped.reason
    assert stopped.objectives == verdict.objectives
