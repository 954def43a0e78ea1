"""A base that fails in most cases is no measure: what is compared then, and what is not."""

from dataclasses import replace

import numpy as np
import pytest

from evaluator.gate import decide, with_outages
from evaluator.gate.broken_base import is_beyond, not_compared, without_base
from evaluator.records import BoundKind, Objective, ObjectiveResult, State, Verdict
from evaluator.stats import FloatArray
from tests.gate.runs import ERRORS, EXACT, drop, increase, maximum, minimum, objective

NAN = float("nan")


def sides(base_fails: int, head_right: int, cases: int = 60) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
    """Base fails so often, by its own fault, and is right otherwise; head answers all, so many of them rightly."""
    failed, right = (np.arange(cases) < count for count in (base_fails, head_right))
    base = {"exact_match": (~failed).astype(np.float64), "error_rate": failed.astype(np.float64)}
    return base, {"exact_match": right.astype(np.float64), "error_rate": np.zeros(cases)}


def judged(base_fails: int, head_right: int, *objectives: Objective) -> Verdict:
    base, head = sides(base_fails, head_right)
    return without_base(decide(base, head, objectives), base_fails, 60)


RELATIVE = objective(EXACT, drop(0.05))
ABSOLUTE = objective(EXACT, minimum(0.8))
BOTH = objective(EXACT, minimum(0.8), drop(0.05))
FEW_ERRORS = objective(ERRORS, maximum(0.2))


@pytest.mark.parametrize(
    ("base_fails", "head_right", "wanted", "state"),
    [
        (0, 60, RELATIVE, "pass"),
        (12, 60, RELATIVE, "pass"),  # a base that still measures
        (12, 20, RELATIVE, "fail"),
        (60, 60, RELATIVE, "error"),  # nothing to hold it against
        (45, 60, RELATIVE, "error"),
        (60, 0, RELATIVE, "error"),  # garbage is no worse than a base that answers nothing
        (45, 2, RELATIVE, "fail"),  # worse even than such a base
        (60, 60, BOTH, "pass"),  # a fix, by the absolute bound
        (60, 0, BOTH, "fail"),
        (60, 30, BOTH, "fail"),
        (60, 60, ABSOLUTE, "pass"),
        (60, 0, ABSOLUTE, "fail"),
        (60, 49, BOTH, "pass"),  # weakly
    ],
)
def test_what_is_compared_where_base_fails_by_itself(
    base_fails: int, head_right: int, wanted: Objective, state: State
) -> None:
    assert judged(base_fails, head_right, wanted, FEW_ERRORS).objectives["exact_match"].state == state


def test_the_report_says_what_was_not_compared() -> None:
    found = judged(50, 60, BOTH, FEW_ERRORS)
    assert found.state == "pass"
    result = found.objectives["exact_match"]
    assert [bound.bound.kind for bound in result.bounds] == [BoundKind.MIN]
    assert "base itself failed in 50 of 60 answers: max_drop was not compared" in result.warnings
    alone = judged(50, 60, RELATIVE, FEW_ERRORS)
    assert alone.state == "error"
    assert "base itself failed in 50 of 60 answers, so there is nothing to compare with" in alone.reason


def test_an_increase_of_errors_over_a_broken_base_is_not_compared_either() -> None:
    found = judged(60, 60, BOTH, objective(ERRORS, increase(0.1)))
    assert (found.state, found.objectives["error_rate"].state) == ("error", "error")
    assert judged(60, 60, BOTH, objective(ERRORS, maximum(0.2), increase(0.1))).state == "pass"


def test_what_is_compared_with_the_anchor_stays() -> None:
    base, head = sides(60, 60)
    verdict = decide(base, head, [RELATIVE])
    anchored = Verdict("pass", {"x_vs_anchor": objective_named(verdict, "x_vs_anchor")}, "fine")
    assert without_base(anchored, 60, 60).state == "pass"


def objective_named(verdict: Verdict, name: str) -> ObjectiveResult:
    result = verdict.objectives["exact_match"]
    metric = replace(result.objective.metric, name=name, column="exact_match")
    return replace(result, objective=replace(result.objective, metric=metric), state="pass")


@pytest.mark.parametrize(
    ("base_out", "head_out", "state"),
    [(0, 0, "pass"), (2, 2, "pass"), (20, 0, "error"), (0, 20, "error"), (60, 60, "error"), (60, 0, "error")],
)
def test_a_base_or_head_without_answers_for_reasons_outside_the_app_is_no_verdict(
    base_out: int, head_out: int, state: State
) -> None:
    """Both lose their first answers to an outage."""
    columns = []
    for out in (base_out, head_out):
        lost = np.arange(60) < out
        columns.append({"exact_match": np.where(lost, NAN, 1.0), "error_rate": lost * 1.0})
    verdict = decide(columns[0], columns[1], [BOTH, objective(ERRORS, maximum(1.0))])
    found = with_outages(verdict, {"base": base_out, "head": head_out}, {"base": 60, "head": 60}, 0.05, said="503")
    assert found.state == state


def test_too_few_answers_of_base_to_compare_is_no_pass() -> None:
    base, head = sides(0, 4, cases=4)
    assert decide(base, head, [RELATIVE]).state == "inconclusive"
    base["exact_match"][:] = NAN
    assert decide(base, head, [RELATIVE]).state == "error"


def test_beyond_the_bound_means_by_a_clear_margin() -> None:
    assert not is_beyond(4, 60, 0.05)  # 6.7 % is within chance
    assert is_beyond(9, 60, 0.05)
    assert not is_beyond(0, 0, 0.05)


@pytest.mark.parametrize(("before", "after"), [("pass", "error"), ("inconclusive", "error"), ("fail", "fail")])
def test_a_base_that_was_held_up_is_no_verdict_and_takes_back_no_fail(before: State, after: State) -> None:
    found = not_compared(Verdict(before, {}, "why"), "base was held up")
    assert found.state == after
    assert ("base was held up" in found.reason) == (after == "error")
