"""The ask-and-tell gate: what it asks, when it stops, and that its answer is the rule's."""

import doctest
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.errors import EvalGateError
from evaluator.gate import Request, SequentialGate, decide, sequential
from evaluator.records import Bound, BoundKind, Failure, FailureKind, Objective, Verdict
from tests.gate.runs import (
    ALL,
    COST,
    ERRORS,
    EXACT,
    JUDGE,
    P95,
    Columns,
    drop,
    exact_pair,
    full_pair,
    increase,
    judge_pair,
    maximum,
    minimum,
    objective,
)

DROP = objective(JUDGE, drop(0.05))


def play(gate: SequentialGate, base: Columns, head: Columns, *, at_least: int = 1, backwards: bool = False) -> int:
    """Answer what is asked until nothing is; returns how many answers there were."""
    answers = 0
    while requests := gate.ask(at_least):
        for side, case, repeat in reversed(requests) if backwards else requests:
            columns = base if side == "base" else head
            gate.tell(side, case, repeat, {name: float(values[case, repeat]) for name, values in columns.items()})
            answers += 1
    return answers


def flat(verdict: Verdict) -> dict[str, list[str]]:
    return {name: [bound.state for bound in found.bounds] for name, found in verdict.objectives.items()}


def test_a_harmless_change_stops_early_and_says_after_how_many_cases() -> None:
    gate = SequentialGate(400, [DROP], seed=1)
    answers = play(gate, *judge_pair(np.random.default_rng(1), 400, 3, 0.0))
    assert gate.verdict().state == "pass"
    assert 30 <= gate.cases_used <= 150
    assert (gate.cases_used % 10, gate.repeats_used, answers) == (0, 1, 2 * gate.cases_used)
    assert gate.verdict().objectives["judge"].pairs == gate.cases_used
    assert gate.verdict().reason == f"The objective holds. Decided after {gate.cases_used} of 400 cases."


def test_the_example_of_its_description_is_true() -> None:
    assert doctest.testmod(sequential).failed == 0


def test_a_collapse_stops_early_too() -> None:
    gate = SequentialGate(400, [DROP], seed=1)
    play(gate, *judge_pair(np.random.default_rng(2), 400, 3, 0.2))
    assert gate.verdict().state == "fail"
    assert gate.cases_used <= 100


def test_both_sides_of_a_case_are_asked_together_and_nothing_twice() -> None:
    gate = SequentialGate(45, [DROP], seed=3)
    first = gate.ask()
    assert {(request.case, request.repeat) for request in first if request.side == "base"} == {
        (request.case, request.repeat) for request in first if request.side == "head"
    }
    assert len(first) == len(set(first)) == 60
    assert gate.ask() == first
    gate.tell(*first[0], {"judge": 4.0})
    assert gate.ask() == first[1:]


def test_whoever_keeps_many_requests_in_flight_may_run_ahead_of_the_next_look() -> None:
    gate = SequentialGate(100, [DROP], seed=3)
    assert len(gate.ask(70)) == 80
    assert len(gate.ask(1000)) == 200, "but not ahead of the repeat"


@pytest.mark.parametrize("loss", [0.0, 0.05, 0.1])
def test_the_verdict_hangs_on_the_seed_not_on_the_order_of_answers_or_on_how_far_one_ran_ahead(loss: float) -> None:
    base, head = judge_pair(np.random.default_rng(5), 150, 3, loss)
    verdicts = []
    for at_least, backwards in ((1, False), (1, True), (90, False), (64, True)):
        gate = SequentialGate(150, [DROP], seed=8)
        play(gate, base, head, at_least=at_least, backwards=backwards)
        verdicts.append(gate.verdict())
    assert all(verdict == verdicts[0] for verdict in verdicts)


def test_a_resumed_run_tells_what_it_has_and_is_asked_for_the_rest_only() -> None:
    base, head = judge_pair(np.random.default_rng(6), 120, 3, 0.05)
    whole = SequentialGate(120, [DROP], seed=2)
    answers = play(whole, base, head)
    resumed = SequentialGate(120, [DROP], seed=2)
    known = [Request("base", case, 0) for case in range(0, 120, 2)]
    for side, case, repeat in known:
        resumed.tell(side, case, repeat, {"judge": float(base["judge"][case, repeat])})
    assert not set(resumed.ask()) & set(known)
    assert play(resumed, base, head) < answers
    assert resumed.verdict() == whole.verdict()


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 3), st.sampled_from([0.0, 0.05, 0.2]), st.booleans()
)
def test_told_everything_it_says_what_the_rule_for_complete_data_says(
    seed: int, cases: int, repeats: int, loss: float, strict: bool
) -> None:
    rng = np.random.default_rng(seed)
    base, head = judge_pair(rng, cases, repeats, loss)
    clusters = rng.integers(0, max(2, cases // 2), cases) if seed % 2 else None
    gate = SequentialGate(cases, [DROP], max_repeats=repeats, seed=seed, clusters=clusters, strict=strict, early=False)
    play(gate, base, head)
    if gate.repeats_used == repeats:
        assert gate.verdict() == decide(base, head, [DROP], clusters=clusters, seed=seed, strict=strict)


def test_a_run_stops_only_when_every_objective_is_decided() -> None:
    rng = np.random.default_rng(7)
    base, head = judge_pair(rng, 300, 3, 0.0)
    more_base, more_head = exact_pair(rng, 300, 3, 0.0)
    alone = SequentialGate(300, [DROP], seed=1)
    play(alone, base, head)
    both = SequentialGate(300, [DROP, objective(EXACT, drop(0.05))], seed=1)
    play(both, base | more_base, head | more_head)
    assert both.cases_used > alone.cases_used
    assert both.verdict().state == "pass"


def test_a_quantile_of_two_runs_is_decided_on_complete_data_only() -> None:
    base, head = full_pair(np.random.default_rng(8), 60, 3)
    gate = SequentialGate(60, ALL, max_repeats=3, seed=1)
    play(gate, base, head)
    assert gate.cases_used == 60
    assert len(gate.verdict().objectives) == len(ALL)


def test_costs_without_a_range_are_decided_early_by_their_interval() -> None:
    rng = np.random.default_rng(9)
    size = rng.normal(0, 0.5, (300, 1))
    base = {"cost": np.exp(size + rng.normal(0, 0.1, (300, 3)))}
    for factor, state in ((1.0, "pass"), (1.3, "fail")):
        gate = SequentialGate(300, [objective(COST, increase(0.1))], seed=1)
        play(gate, base, {"cost": base["cost"] * factor * np.exp(rng.normal(0, 0.1, (300, 3)))})
        assert (gate.verdict().state, gate.cases_used <= 110) == (state, True)


def test_an_interval_over_too_few_clusters_stops_nothing() -> None:
    clusters = np.repeat(np.arange(8), 30)
    cost = {"cost": np.exp(np.random.default_rng(9).normal(0, 0.5, (240, 3)))}
    gate = SequentialGate(240, [objective(COST, increase(0.1))], seed=1, clusters=clusters)
    play(gate, cost, cost)
    assert gate.cases_used >= 150, "five clusters at least"


def test_a_known_baseline_is_not_asked_again() -> None:
    rng = np.random.default_rng(10)
    base, head = judge_pair(rng, 200, 8, 0.0)
    gate = SequentialGate(200, [DROP], baseline=base, seed=1)
    answers = play(gate, base, head)
    assert gate.verdict().state == "pass"
    assert answers == gate.cases_used < 100
    with pytest.raises(EvalGateError, match="there is no base case"):
        gate.tell("base", 0, 0, {"judge": 4.0})
    with pytest.raises(EvalGateError, match="found 200 cases, expected 30"):
        SequentialGate(30, [DROP], baseline=base)
    missing = SequentialGate(20, [DROP], baseline={}, max_repeats=1)
    play(missing, {}, {"judge": head["judge"][:20]})
    assert missing.verdict().objectives["judge"].reason == "there is no base to compare with"


def test_cases_of_a_cluster_are_asked_together_and_count_as_one_step() -> None:
    rng = np.random.default_rng(11)
    clusters = np.repeat(np.arange(30), 10)
    base, head = judge_pair(rng, 300, 3, 0.0)
    gate = SequentialGate(300, [DROP], clusters=clusters, seed=1)
    asked = {request.case for request in gate.ask()}
    assert all(set(np.flatnonzero(clusters == clusters[case])) <= asked for case in asked)
    play(gate, base, head)
    alone = SequentialGate(300, [DROP], seed=1)
    play(alone, base, head)
    assert gate.verdict().state == "pass"
    assert gate.cases_used > alone.cases_used


@pytest.mark.parametrize("alone", [False, True])
def test_failures_count_as_errors_and_leave_the_rest_missing_but_on_head_alone_they_are_its_own(alone: bool) -> None:
    wanted = [DROP, objective(ERRORS, maximum(0.1))]
    gate = SequentialGate(100, wanted, max_repeats=1, seed=1)
    while requests := gate.ask():
        for side, case, repeat in requests:
            failed = case % 5 == 0 and (side == "head" or not alone)
            gate.tell(side, case, repeat, Failure(FailureKind.SERVER, "down") if failed else {"judge": 4.0 + case % 2})
    found = gate.verdict()
    assert found.state == "fail"
    assert found.objectives["error_rate"].head == pytest.approx(0.2, abs=0.05)
    assert (found.objectives["judge"].pairs == gate.cases_used) == alone
    assert found.objectives["judge"].state == ("fail" if alone else "pass")


def test_the_bound_on_errors_that_nobody_wrote_does_not_hold_up_a_decision() -> None:
    base, head = judge_pair(np.random.default_rng(12), 400, 3, 0.0)
    implied = Objective(ERRORS, (Bound(BoundKind.MAX, 0.01),), implied=True)
    for wanted in ([DROP], [DROP, implied]):
        gate = SequentialGate(400, wanted, seed=4)
        play(gate, base, head)
        assert gate.cases_used < 150
        assert gate.verdict().state == "pass"


def test_absolute_bounds_are_tested_on_the_way_and_buy_no_repeats_when_they_hold() -> None:
    rng = np.random.default_rng(13)
    base, head = full_pair(rng, 400, 3)
    sure = [objective(JUDGE, minimum(3.5)), objective(P95, maximum(9.0)), objective(EXACT, minimum(0.5))]
    gate = SequentialGate(400, sure, seed=1)
    play(gate, base, head)
    assert (gate.verdict().state, gate.cases_used < 400) == ("pass", True)
    tight = objective(JUDGE, minimum(float(head["judge"][:, 0].mean()) - 0.01))
    gate = SequentialGate(400, [tight], seed=1)
    play(gate, base, head)
    assert (gate.verdict().state, gate.cases_used, gate.repeats_used) == ("pass", 400, 1)
    assert "weak pass" in gate.verdict().objectives["judge"].reason


def test_repeats_that_never_differ_are_not_bought_on_and_on() -> None:
    rng = np.random.default_rng(14)
    right = np.repeat(rng.random((100, 1)) < 0.8, 5, axis=1).astype(float)
    worse = np.where(rng.random((100, 1)) < 0.055, 0.0, right)
    gate = SequentialGate(100, [objective(EXACT, drop(0.05))], max_repeats=5, seed=1)
    play(gate, {"exact_match": right}, {"exact_match": worse})
    assert gate.repeats_used <= 2


def test_before_the_end_nothing_undecided_passes() -> None:
    gate = SequentialGate(200, [DROP], seed=1)
    assert gate.verdict().state == "error"
    for side, case, repeat in gate.ask():
        gate.tell(side, case, repeat, {"judge": 3.0 + 2 * ((case + (side == "base")) % 2)})
    found = gate.verdict()
    assert found.state == "inconclusive"


def test_strict_asks_for_more_than_the_default() -> None:
    base, head = judge_pair(np.random.default_rng(15), 200, 3, 0.0)
    answers = []
    for strict in (False, True):
        gate = SequentialGate(200, [DROP], seed=1, strict=strict)
        answers.append(play(gate, base, head))
    assert answers[1] > answers[0]


BAD = {
    "found 0 cases": lambda: SequentialGate(0, [DROP]),
    "max_repeats 0": lambda: SequentialGate(5, [DROP], max_repeats=0),
    "there is no objective": lambda: SequentialGate(5, []),
    "does not hold the limit": lambda: SequentialGate(5, [objective(JUDGE, replace(drop(0.05), near=0.06))]),
    "expected (5,) integers": lambda: SequentialGate(5, [DROP], clusters=[1, 2]),
    "could not convert": lambda: SequentialGate(1, [DROP], baseline={"judge": ["good"]}),
}


@pytest.mark.parametrize("words", BAD)
def test_a_gate_that_cannot_be_is_refused(words: str) -> None:
    with pytest.raises(EvalGateError) as found:
        BAD[words]()
    assert words in found.value.message


def test_answers_that_cannot_be_are_refused() -> None:
    gate = SequentialGate(40, [DROP], seed=1)
    gate.tell("head", 3, 0, {"judge": 4.0})
    for place, words in ((("head", 3, 0), "told before"), (("head", 40, 0), "there is no"), (("base", 0, 3), "there")):
        with pytest.raises(EvalGateError, match=words):
            gate.tell(*place, {"judge": 4.0})  # type: ignore[arg-type]
    with pytest.raises(EvalGateError, match="infinite"):
        gate.tell("head", 4, 0, {"judge": float("inf")})
    with pytest.raises(EvalGateError, match=r"found 7 outside its range 1 to 5"):
        play(gate, {"judge": np.full((40, 3), 7.0)}, {"judge": np.full((40, 3), 4.0)})


def test_fifty_thousand_cases_are_no_burden() -> None:
    cases = 50_000
    rng = np.random.default_rng(16)
    base, head = (rng.integers(3, 6, cases).astype(float) for _ in range(2))
    # Exactly at the limit of a narrow zone: nothing is ever decided, and all 4,998 looks are taken.
    head *= 0.95
    metric, bound = replace(JUDGE, low=0.0), replace(drop(0.05), near=0.0495, far=0.0505)
    gate = SequentialGate(cases, [objective(metric, bound)], max_repeats=1, seed=1)
    values = {"base": base.tolist(), "head": head.tolist()}
    while requests := gate.ask(500):
        for side, case, repeat in requests:
            gate.tell(side, case, repeat, {"judge": values[side][case]})
    assert gate.cases_used == cases
    assert gate.verdict().objectives["judge"].pairs == cases
