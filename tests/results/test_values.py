"""What an answer contributes: what is known of its cost, on which side, and what a failed one cost."""

import math

import pytest

from evaluator.gate.missing import COST_OF_FAILURE
from evaluator.records import Call, Case, Failure, FailureKind, Output, Side, Usage
from evaluator.results.values import answer_values, cost_of_failure, measured_values

CASE = Case("c1", "q")


def call(cost: float | None) -> Call:
    return Call("openai", "m", Usage(10, 5), cost, 0.1)


def failed(kind: FailureKind, *costs: float | None, total: float | None = None) -> Output:
    return Output(calls=tuple(map(call, costs)), cost_usd=total, failure=Failure(kind, "no"))


def test_a_failed_answer_has_no_cost_of_its_own_and_tells_what_it_took() -> None:
    values = answer_values(CASE, failed(FailureKind.CRASH, 0.2, total=0.2), ())
    assert values == {"error_rate": 1.0, COST_OF_FAILURE: 0.2}


@pytest.mark.parametrize(
    ("side", "kind", "cost"),
    [
        ("head", FailureKind.HANG, math.nan),  # it may have done its work here
        ("base", FailureKind.HANG, 0.2),
        ("head", FailureKind.SERVER, 0.2),
    ],
)
def test_where_a_failed_answers_cost_is_unknown_heads_own_failure_may_be_anything(
    side: Side, kind: FailureKind, cost: float
) -> None:
    assert cost_of_failure(failed(kind, 0.2, None), side) == pytest.approx(cost, nan_ok=True)
    assert cost_of_failure(failed(kind), side) == 0.0


@pytest.mark.parametrize("side", ["base", "head"])
def test_what_is_known_of_an_answer_is_the_same_on_both_sides(side: Side) -> None:
    output = Output(text="a", calls=(call(0.2),), usage=Usage(10, 5), cost_usd=0.2, latency_s=1.0)
    known = {"latency": 1.0, "cost": 0.2, "tokens": 15.0, "input_tokens": 10.0, "output_tokens": 5.0}
    assert measured_values(output, side) == known
    assert answer_values(CASE, output, (), side) == {**known, "error_rate": 0.0}
