"""Head's waits for us beyond base's: a bound on latency is then an error, unless it is broken already."""

import numpy as np
import pytest

from evaluator.gate import decide
from evaluator.gate.own_waits import with_own_waits
from evaluator.records import Metric, MetricKind, Verdict
from tests.gate.runs import EXACT, drop, maximum, objective

LATENCY = Metric(
    "latency_p50", MetricKind.QUANTILE, higher_is_better=False, unit="seconds", column="latency", quantile=0.5
)
RIGHT = np.ones(80)
TOOK = np.full(80, 0.2)


def judged(most_s: float, base_waited: list[float], head_waited: list[float]) -> Verdict:
    columns = {"exact_match": RIGHT, "latency": TOOK}
    verdict = decide(columns, columns, [objective(EXACT, drop(0.05)), objective(LATENCY, maximum(most_s))])
    return with_own_waits(verdict, base_waited, head_waited, TOOK)


@pytest.mark.parametrize(
    ("base_waited", "head_waited", "state"),
    [
        ([0.0] * 80, [0.0] * 80, "pass"),
        ([5.0] * 80, [5.0] * 80, "pass"),  # a provider that holds up both
        ([0.0, 10.0] * 40, [10.0, 0.0, 10.0, 10.0, 0.0, 0.0, 10.0, 10.0] * 10, "pass"),  # by chance
        ([0.0] * 80, [0.01] * 80, "pass"),
        ([0.0] * 80, [1.5] * 80, "error"),
        ([0.0, 10.0] * 40, [10.0] * 80, "error"),
        ([], [1.5] * 80, "error"),  # base was not asked
    ],
)
def test_waits_of_heads_own_let_no_bound_on_latency_pass(
    base_waited: list[float], head_waited: list[float], state: str
) -> None:
    found = judged(1.0, base_waited, head_waited)
    assert (found.objectives["latency_p50"].state, found.state) == (state, state)
    assert found.objectives["exact_match"].state == "pass"


def test_a_latency_beyond_its_bound_stays_a_fail() -> None:
    assert judged(0.1, [0.0] * 80, [9.0] * 80).objectives["latency_p50"].state == "fail"
