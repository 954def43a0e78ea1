"""Tests on the way, the order of cases, and how the error is shared out."""

from dataclasses import replace

import numpy as np
import pytest

from evaluator.errors import EvalGateError
from evaluator.gate import SequentialGate, decide
from evaluator.gate.monitors import BettingMonitor, Chunk, attainable, can_bet, needs_all
from evaluator.gate.rule import ALPHA, EARLY_ALPHA, NOISE_ALPHA, Rule
from evaluator.records import Bound, Metric
from tests.gate.runs import (
    COST,
    ERRORS,
    EXACT,
    JUDGE,
    MACRO_F1,
    P95,
    drop,
    increase,
    judge_pair,
    maximum,
    minimum,
    objective,
)
from tests.gate.test_sequential import play

DROP = objective(JUDGE, drop(0.05))


def _chunk(base: float, head: float, cases: int) -> Chunk:
    return Chunk(np.full(cases, base), np.full(cases, head), None, 1)


def _cases_until(metric: Metric, bound: Bound, rule: Rule, base: float, head: float, *, edge: str) -> int:
    monitor = BettingMonitor(metric, bound, rule)
    for cases in range(1, 3000):
        monitor.update(_chunk(base, head, 1))
        if getattr(monitor.excluded, edge):
            return cases
    return 3000


def test_more_objectives_ask_for_more_evidence_of_a_fail_but_not_of_a_pass() -> None:
    alone, many = Rule(), Rule(objectives=20)
    bad, good = (4.5, 3.9), (4.5, 4.5)
    assert _cases_until(JUDGE, drop(0.05), many, *bad, edge="near") > _cases_until(
        JUDGE, drop(0.05), alone, *bad, edge="near"
    )
    assert _cases_until(JUDGE, drop(0.05), many, *good, edge="far") == _cases_until(
        JUDGE, drop(0.05), alone, *good, edge="far"
    )


@pytest.mark.parametrize(
    ("metric", "bound", "good", "bad"),
    [
        (JUDGE, drop(0.05), (4.5, 4.5), (4.5, 4.0)),
        (JUDGE, drop(0.2, relative=False), (4.5, 4.5), (4.5, 4.0)),
        (JUDGE, minimum(4.0), (1.0, 4.5), (1.0, 3.5)),
        (EXACT, drop(0.1), (0.8, 0.8), (0.8, 0.5)),
        (ERRORS, maximum(0.1), (0.0, 0.0), (0.0, 0.4)),
        (ERRORS, increase(0.5), (0.4, 0.4), (0.4, 0.9)),
        (ERRORS, increase(0.1, relative=False), (0.2, 0.2), (0.2, 0.6)),
        (P95, maximum(2.0), (0.0, 1.0), (0.0, 3.0)),
        (replace(P95, higher_is_better=True, quantile=0.05), minimum(2.0), (0.0, 3.0), (0.0, 1.0)),
    ],
)
def test_a_bound_is_bet_on_in_both_directions(
    metric: Metric, bound: Bound, good: tuple[float, float], bad: tuple[float, float]
) -> None:
    for (base, head), keeps in ((good, True), (bad, False)):
        monitor = BettingMonitor(metric, bound, Rule())
        assert not monitor.decided
        monitor.update(_chunk(base, head, 600))
        assert monitor.good == keeps
        assert (monitor.excluded.far, monitor.excluded.near) == (keeps, not keeps)
        assert monitor.decided


def test_what_is_excluded_must_agree_with_the_figure_seen() -> None:
    # 4 % worse of 5 % allowed: "no drop at all" is excluded long before "5.1 %" is.
    monitor = BettingMonitor(JUDGE, replace(drop(0.05), near=0.0, far=0.051), Rule())
    monitor.update(_chunk(4.5, 4.32, 250))
    assert monitor.good
    assert (monitor.excluded.far, monitor.excluded.near, monitor.decided) == (False, True, False)


def test_an_edge_beyond_the_range_is_excluded_from_the_start() -> None:
    monitor = BettingMonitor(ERRORS, maximum(1.0), Rule())
    monitor.update(_chunk(0.0, 1.0, 1))
    assert monitor.decided


def test_which_bounds_can_be_bet_on() -> None:
    assert can_bet(JUDGE, drop(0.05))
    assert can_bet(EXACT, drop(0.05))
    assert can_bet(P95, maximum(2.0))
    assert not can_bet(P95, increase(0.2))
    assert not can_bet(COST, increase(0.1))
    assert not can_bet(replace(JUDGE, low=-1.0), drop(0.05)), "a mean of zero has no share"
    assert can_bet(replace(JUDGE, low=-1.0), drop(0.2, relative=False))
    assert [needs_all(metric, increase(0.1)) for metric in (P95, MACRO_F1, COST)] == [True, True, False]


def test_a_share_bounded_too_tightly_for_its_cases_is_known_to_be() -> None:
    assert not attainable(ERRORS, maximum(0.01), None, 100)
    assert attainable(ERRORS, maximum(0.01), None, 500)
    assert attainable(EXACT, minimum(0.9), None, 100)
    assert not attainable(EXACT, minimum(0.99), None, 100)
    assert [attainable(P95, maximum(2.0), None, cases) for cases in (50, 100)] == [False, True]
    assert not attainable(ERRORS, maximum(0.01), np.repeat(np.arange(50), 10), 500)
    assert attainable(JUDGE, minimum(4.0), None, 3)


def test_the_error_is_shared_among_stages_looks_and_objectives() -> None:
    rule = Rule(objectives=4, looks=3, alpha=ALPHA - EARLY_ALPHA)
    assert rule.pass_alpha * 3 + EARLY_ALPHA == pytest.approx(ALPHA)
    assert rule.fail_alpha == pytest.approx(rule.pass_alpha / 4)
    assert rule.noise_alpha == pytest.approx(NOISE_ALPHA / 4)
    assert rule.on_the_way(6).pass_alpha * 6 == pytest.approx(EARLY_ALPHA)
    assert rule.edges(drop(0.05)) == pytest.approx((0.02, 0.08))
    assert replace(rule, strict=True).edges(drop(0.05)) == pytest.approx((0.02, 0.05))


def test_cases_come_in_a_random_order_that_the_seed_decides() -> None:
    orders = [
        [case for side, case, _ in SequentialGate(100, [DROP], seed=seed).ask() if side == "head"] for seed in (1, 1, 2)
    ]
    assert orders[0] == orders[1] != orders[2]
    assert orders[0] != sorted(orders[0])
    assert max(orders[0]) > 60


def test_cases_lost_on_one_side_keep_a_run_from_stopping_early() -> None:
    base, head = judge_pair(np.random.default_rng(1), 200, 1, 0.0)
    head["judge"][np.arange(200) % 3 == 0] = np.nan
    gate = SequentialGate(200, [DROP], max_repeats=1, seed=1)
    play(gate, base, head)
    assert (gate.cases_used, gate.verdict().state) == (200, "error")


def test_the_last_resort_is_for_the_last_look() -> None:
    rng = np.random.default_rng(2)
    cases = 60
    base = {"judge": np.full((cases, 3), 4.5)}
    broken = np.where(rng.random((cases, 1)) < 0.12, 2.2, 4.5)
    head = {"judge": broken + rng.choice([-0.02, 0.02], (cases, 3))}
    base["judge"] = base["judge"] + rng.choice([-0.02, 0.02], (cases, 3))
    gate = SequentialGate(cases, [DROP], max_repeats=3, seed=1, early=False)
    for side, columns in (("base", base), ("head", head)):
        for case in range(cases):
            for repeat in range(2):
                gate.tell(side, case, repeat, {"judge": float(columns["judge"][case, repeat])})  # type: ignore[arg-type]
    gate.ask()
    assert gate.verdict().state == "inconclusive"
    play(gate, base, head)
    assert gate.verdict().state == "fail"
    assert "run-to-run noise" in gate.verdict().reason


def test_a_drop_within_run_to_run_noise_stays_open() -> None:
    rng = np.random.default_rng(3)
    pattern = np.tile([[-1.0, 0.0, 1.0], [1.0, -1.0, 0.0], [0.0, 1.0, -1.0]], (20, 1))
    spread = rng.permutation(np.linspace(-2.5, 2.5, 60))[:, None]
    base = {"judge": 4.0 + 1.9 * pattern}
    head = {"judge": 4.0 - 0.35 + spread + 1.9 * pattern[rng.permutation(60)]}
    # 1.75 standard errors of the noise alone: 2.33 would be beyond it.
    assert decide(base, head, [objective(replace(JUDGE, low=None, high=None), drop(0.05))]).state == "inconclusive"


def test_a_range_that_is_not_true_is_told() -> None:
    monitor = BettingMonitor(EXACT, drop(0.05), Rule())
    with pytest.raises(EvalGateError, match="outside its range 0 to 1"):
        monitor.update(_chunk(0.5, 1.5, 1))
