"""What is missing on head alone: failures count as its worst value, unknown costs are never within a bound."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.gate import SequentialGate, decide, judge_slices
from evaluator.gate.columns import read_columns
from evaluator.gate.missing import COST_OF_FAILURE, Tally, blamed, spread
from evaluator.records import Bound, BoundKind, Objective, Side
from evaluator.stats import FloatArray
from tests.gate.runs import COST, ERRORS, EXACT, JUDGE, MACRO_F1, drop, increase, maximum, minimum, objective

NAN = float("nan")
IMPLIED = Objective(ERRORS, (Bound(BoundKind.MAX, 0.05),), implied=True)


def run(values: list[float], failed: list[int] | None = None, name: str = "exact_match") -> dict[str, FloatArray]:
    """A run of one metric: values, and which answers failed."""
    errors = [float(np.isnan(value)) for value in values] if failed is None else failed
    return {name: np.array(values), "error_rate": np.array(errors, dtype=np.float64)}


def test_what_failed_on_head_alone_counts_as_the_worst_value() -> None:
    base, head = run([1.0] * 6), run([NAN, 1.0, NAN, 1.0, 1.0, 1.0])
    found = read_columns(EXACT, base, head, None)
    assert found is not None
    assert found.pair is not None
    assert found.pair[1].means.tolist() == [0, 1, 0, 1, 1, 1]
    assert (found.blamed, found.lost_by_head, found.head.cases) == (2, 0, 6)


def test_what_failed_on_both_or_as_often_on_base_is_nobodys_and_left_out() -> None:
    for base, head, pairs in (
        (run([NAN, 1, 1, 1]), run([NAN, 1, 1, 1]), 3),  # the same case
        (run([1, NAN, 1, 1]), run([NAN, 1, 1, 1]), 2),  # one each
        (run([1, NAN, NAN, 1]), run([NAN, 1, 1, 1]), 1),  # more on base
    ):
        found = read_columns(EXACT, base, head, None)
        assert found is not None
        assert found.pair is not None
        assert (found.blamed, found.pair[1].cases, found.pair[1].means.min()) == (0, pairs, 1.0)


def test_only_the_excess_over_base_and_over_chance_counts() -> None:
    base = run([1, 1, 1, NAN, 1, 1])
    head = run([NAN, NAN, NAN, 1, 1, 1])
    found = read_columns(EXACT, base, head, None)
    assert found is not None
    assert (found.blamed, found.lost_by_head, found.lost_by_base) == (1, 2, 1)


@pytest.mark.parametrize(
    ("metric", "worst"), [(EXACT, 0.0), (JUDGE, 1.0), (MACRO_F1, 1 * 6 + 5)], ids=["share", "scale", "labels"]
)
def test_the_worst_value_is_that_of_the_metric(metric: object, worst: float) -> None:
    values = np.array([1.0, 7.0, 3.0]) if metric is MACRO_F1 else np.array([1.0, 1.0, 1.0])
    head, tally = values.copy(), Tally()
    head[1] = NAN
    filled = blamed(metric, values, head, (np.zeros(3), np.isnan(head).astype(float)), tally)  # type: ignore[arg-type]
    assert (filled[1], tally.counted) == (worst, 1)
    assert np.isnan(head[1]), "the values that were told stay as they are"


def test_what_does_not_apply_to_a_case_is_no_failure() -> None:
    base, head = run([1.0] * 4), run([NAN, 1, 1, 1], failed=[0, 0, 0, 0])
    found = read_columns(EXACT, base, head, None)
    assert found is not None
    assert (found.blamed, found.lost_by_head) == (0, 1)


def test_wrong_answers_cannot_hide_as_failures_of_the_provider_up_to_the_bound_on_errors() -> None:
    """Head is wrong in 15 of 300 cases (5 %); failing there would have left 285 right answers of 285."""
    right, hidden = [1.0] * 300, [NAN] * 15 + [1.0] * 285
    shown = decide(run(right), run([0.0] * 15 + [1.0] * 285), [objective(EXACT, drop(0.02)), IMPLIED])
    found = decide(run(right), run(hidden), [objective(EXACT, drop(0.02)), IMPLIED])
    assert found.objectives["exact_match"].head == shown.objectives["exact_match"].head == 0.95
    assert found.state == shown.state == "fail"
    told = "15 answers more failed on head alone than on base alone, and count as the worst value"
    assert told in found.objectives["exact_match"].warnings
    alike = decide(run(hidden), run(hidden), [objective(EXACT, drop(0.02)), IMPLIED])
    assert alike.objectives["exact_match"].state == "pass"


def test_nor_do_they_make_it_stop_early() -> None:
    """Every sixth answer of head is wrong, or fails: both are the same to the looks on the way."""
    used = {}
    for name, told in (("wrong", {"exact_match": 0.0}), ("failed", {"error_rate": 1.0})):
        gate = SequentialGate(400, [objective(EXACT, drop(0.05))], max_repeats=1, seed=4)
        gate_with_errors = SequentialGate(
            400, [objective(EXACT, drop(0.05)), objective(ERRORS, maximum(0.9))], max_repeats=1, seed=4
        )
        for one in (gate, gate_with_errors):
            while requests := one.ask():
                for side, case, repeat in requests:
                    one.tell(side, case, repeat, told if side == "head" and case % 6 == 0 else {"exact_match": 1.0})
        used[name] = gate_with_errors.cases_used, gate_with_errors.verdict().objectives["exact_match"].state
    assert used["wrong"] == used["failed"]
    assert used["failed"][1] == "fail"
    assert used["failed"][0] < 400


def test_slices_count_them_too() -> None:
    base, head = run([1.0] * 40), run([NAN] * 15 + [1.0] * 25)
    tag = np.arange(40) < 20
    [found] = judge_slices(base, head, [objective(EXACT, drop(0.05))], {"t": tag})
    assert (found.state, found.head) == ("fail", 0.25)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0, NAN]), st.sampled_from([0.0, 1.0, NAN])), min_size=1, max_size=40))
def test_whatever_fails_failing_never_pays(rows: list[tuple[float, float]]) -> None:
    """Head's mean is never above what it would be if its failures on its side alone were right answers less the rest."""
    base, head = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    tally = Tally()
    filled = blamed(EXACT, base, head, (np.isnan(base) * 1.0, np.isnan(head) * 1.0), tally)
    head_only = int((np.isnan(head) & ~np.isnan(base)).sum())
    base_only = int((np.isnan(base) & ~np.isnan(head)).sum())
    assert tally.counted == max(0, head_only - base_only - math.isqrt(2 * base_only))
    assert int(np.isnan(filled).sum()) == int(np.isnan(head).sum()) - tally.counted
    assert (filled[~np.isnan(head)] == head[~np.isnan(head)]).all()
    # In portions, as the looks on the way see it, as many are counted as at once, or more.
    parts = Tally()
    for at in range(0, len(rows), 7):
        part = slice(at, at + 7)
        blamed(EXACT, base[part], head[part], (np.isnan(base[part]) * 1.0, np.isnan(head[part]) * 1.0), parts)
    assert parts.counted >= tally.counted


@pytest.mark.parametrize("bound", [maximum(1.0), increase(0.5)])
def test_an_unknown_cost_is_never_within_a_bound(bound: Bound) -> None:
    base = run([0.1] * 50, name="cost")
    head = run([0.1] * 49 + [NAN], failed=[0] * 50, name="cost")
    found = decide(base, head, [objective(COST, bound), IMPLIED]).objectives["cost_per_request"]
    assert found.state == "error"
    assert found.reason.startswith("not known for 1 of head's answers, which may be anything (of the rest: ")
    failed = run([0.1] * 49 + [NAN], failed=[0] * 49 + [1], name="cost")
    assert decide(base, failed, [objective(COST, bound), IMPLIED]).objectives["cost_per_request"].state == "pass"
    dear = run([9.0] * 49 + [NAN], failed=[0] * 50, name="cost")
    assert decide(base, dear, [objective(COST, bound), IMPLIED]).objectives["cost_per_request"].state == "fail"


def test_an_unknown_cost_of_base_leaves_the_pair_out_and_is_told() -> None:
    base, head = run([NAN] * 2 + [0.1] * 48, failed=[0] * 50, name="cost"), run([0.1] * 50, name="cost")
    found = decide(base, head, [objective(COST, increase(0.5)), IMPLIED]).objectives["cost_per_request"]
    assert (found.state, found.pairs) == ("pass", 48)
    assert "2 of 50 cases count on one side only" in found.warnings


def told_gate(beside: dict[Side, float], *, wasted: float = 0.0) -> SequentialGate:
    """A gate on cost with 40 cases of $0.10; head fails in two, at a price."""
    wanted = [objective(COST, increase(0.1)), objective(ERRORS, maximum(0.9))]
    gate = SequentialGate(40, wanted, max_repeats=1, seed=1, early=False, beside=lambda side: beside.get(side, 0.0))
    while requests := gate.ask():
        for side, case, repeat in requests:
            failed = side == "head" and case < 2
            row = {"error_rate": 1.0, COST_OF_FAILURE: wasted} if failed else {"cost": 0.1 + 0.001 * (case % 3)}
            gate.tell(side, case, repeat, row)
    return gate


@pytest.mark.parametrize(
    ("beside", "wasted", "state"),
    [({}, 0.0, "pass"), ({"head": 2.0}, 0.0, "fail"), ({"base": 2.0, "head": 2.0}, 0.0, "pass"), ({}, 1.0, "fail")],
    ids=["nothing", "head starts dearly", "both do", "head fails dearly"],
)
def test_what_a_side_pays_beside_its_answers_is_spread_over_them(
    beside: dict[Side, float], wasted: float, state: str
) -> None:
    assert told_gate(beside, wasted=wasted).verdict().objectives["cost_per_request"].state == state


def test_what_head_pays_beside_its_answers_and_nobody_knows_is_an_error() -> None:
    found = told_gate({"head": NAN}).verdict().objectives["cost_per_request"]
    assert (found.state, found.reason) == ("error", "the cost, time or tokens of head's answers are not known")


def test_spreading_keeps_the_sum() -> None:
    costs = np.array([[0.1, NAN], [0.3, 0.2]])
    assert np.nansum(spread(costs, 0.9, 3)) == pytest.approx(1.5)
    assert spread(costs, 0.0, 3) is costs


def test_an_honest_run_is_judged_as_before() -> None:
    """Without failures nothing is filled, whatever the columns: the same figures with and without a column of errors."""
    rng = np.random.default_rng(7)
    base, head = (rng.integers(0, 2, 80).astype(float) for _ in range(2))
    wanted = [objective(EXACT, drop(0.05), minimum(0.3))]
    plain = decide({"exact_match": base}, {"exact_match": head}, wanted)
    zeros = np.zeros(80)
    assert (
        decide({"exact_match": base, "error_rate": zeros}, {"exact_match": head, "error_rate": zeros}, wanted) == plain
    )
