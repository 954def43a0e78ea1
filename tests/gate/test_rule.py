"""What the gate answers to each kind of evidence: the zone, weak passes, noise, and every degenerate run."""

from dataclasses import replace

import numpy as np
import pytest

from evaluator.gate import decide
from evaluator.records import Objective, ObjectiveResult
from tests.gate.runs import COST, ERRORS, EXACT, JUDGE, MACRO_F1, P95, drop, increase, maximum, minimum, objective

RNG = np.random.default_rng(1)


def _one(base: np.ndarray | None, head: np.ndarray, wanted: Objective, **more: object) -> ObjectiveResult:
    name = wanted.metric.source
    clusters = more.get("clusters")
    verdict = decide(None if base is None else {name: base}, {name: head}, [wanted], clusters=clusters)  # type: ignore[arg-type]
    assert verdict.state == verdict.objectives[wanted.name].state
    return verdict.objectives[wanted.name]


def _scores(change: float, noise: float, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Scores whose mean changes by exactly `change`, with per-case noise."""
    base = 4.0 + 0.5 * np.sin(np.arange(n))
    wobble = noise * np.cos(np.arange(n) * 2.1)
    head = base + wobble - wobble.mean()
    return base, head + base.mean() * change


@pytest.mark.parametrize(
    ("change", "noise", "state", "words"),
    [
        (-0.12, 0.5, "fail", "12% worse (95% interval 10.8% to 13.2%), more than the 5% allowed"),
        (-0.055, 0.5, "fail", "more than the 5% allowed"),
        (-0.055, 3.0, "inconclusive", "but it may be chance: the true drop may be 2% or less"),
        (-0.045, 0.5, "pass", "within the 5% allowed"),
        (-0.045, 3.0, "pass", "a weak pass: a drop of 8% or more cannot be ruled out"),
        (0.03, 0.5, "pass", "3% better (95% interval 1.8% to 4.2%), within the 5% allowed"),
    ],
)
def test_the_zone_decides(change: float, noise: float, state: str, words: str) -> None:
    found = _one(*_scores(change, noise), objective(JUDGE, drop(0.05)))
    assert found.state == state
    assert words in found.reason
    assert found.change == pytest.approx(change)
    assert found.pairs == 200
    assert any("weak pass" in warning for warning in found.warnings) == ("weak" in words)


@pytest.mark.parametrize("change", [-0.12, -0.045, 0.03])
def test_lower_is_better_mirrors_higher_is_better(change: float) -> None:
    base, head = _scores(change, 0.5)
    falling = _one(base, head, objective(JUDGE, drop(0.05)))
    rising = _one(base, 2 * base.mean() - head + (base - base.mean()) * 2, objective(COST, increase(0.05)))
    assert falling.state == rising.state
    assert falling.change == pytest.approx(-rising.change if rising.change is not None else None)


def test_a_limit_in_the_metrics_unit_is_held_against_the_difference() -> None:
    base, head = np.r_[np.ones(800), np.zeros(200)], np.r_[np.ones(650), np.zeros(350)]
    found = _one(base, head, objective(EXACT, drop(0.05, relative=False)))
    assert found.state == "fail"
    assert found.reason.startswith("15 points worse (95% interval 12.")
    assert found.reason.endswith("more than the 5 points allowed")


def test_exactly_the_limit_is_kept() -> None:
    base, head = np.r_[np.ones(200), np.zeros(0)], np.r_[np.ones(190), np.zeros(10)]
    assert _one(base, head, objective(EXACT, drop(0.05))).state == "pass"
    assert _one(None, np.r_[4.0, 5.0, np.full(40, 4.5)], objective(JUDGE, minimum(4.5))).state == "pass"


def test_a_limit_of_zero_passes_identical_runs_and_fails_a_clear_drop() -> None:
    base, head = _scores(-0.03, 0.3)
    assert _one(base, base, objective(JUDGE, drop(0.0))).state == "pass"
    assert _one(base, head, objective(JUDGE, drop(0.0))).state == "fail"


def test_repeats_turn_an_open_question_into_a_fail_only_beyond_run_to_run_noise() -> None:
    base, head = _scores(-0.055, 3.0)
    quiet = np.array([-0.1, 0.1])
    loud = np.array([-4.0, 4.0])
    wanted = objective(JUDGE, drop(0.05))
    found = _one(base[:, None] + quiet, head[:, None] + quiet, wanted)
    assert found.state == "fail"
    assert found.reason.endswith("more than run-to-run noise explains on these cases")
    assert _one(base[:, None] + loud, head[:, None] + loud, wanted).state == "inconclusive"
    assert _one(base[:, None] + 0 * quiet, head[:, None] + 0 * quiet, wanted).state == "inconclusive"
    thrice = np.zeros(3)  # of which the mean may round
    assert _one(base[:, None] + thrice, head[:, None] + thrice, wanted).state == "inconclusive"
    assert _one(base, head[:, None] + quiet, wanted).state == "inconclusive"


def test_more_objectives_ask_for_more_evidence_of_a_fail() -> None:
    base, head = _scores(-0.07, 1.4)
    assert _one(base, head, objective(JUDGE, drop(0.05))).state == "fail"
    many = [objective(replace(JUDGE, name=f"judge_{number}", column="judge"), drop(0.05)) for number in range(20)]
    verdict = decide({"judge": base}, {"judge": head}, many)
    assert verdict.state == "inconclusive"
    assert "with 20 objectives tested at once" in verdict.objectives["judge_0"].reason
    assert verdict.reason.startswith("20 of 20 objectives are inconclusive: judge_0, ")


@pytest.mark.parametrize("n", [1, 2, 4])
def test_so_few_cases_never_decide_a_comparison(n: int) -> None:
    for head in (np.full(n, 1.0), np.full(n, 5.0)):
        found = _one(np.full(n, 5.0), head, objective(JUDGE, drop(0.05)))
        assert found.state == "inconclusive"
        assert "at least 5 are needed to decide" in found.reason
        assert any(warning.startswith("too few cases") for warning in found.warnings)


def test_an_exact_test_decides_even_with_three_cases() -> None:
    assert _one(None, np.ones(3), objective(ERRORS, maximum(0.01))).state == "fail"
    assert _one(None, np.array([0.0, 0.0, 1.0]), objective(ERRORS, maximum(0.01))).state == "inconclusive"
    assert _one(None, np.full(3, 1.0), objective(JUDGE, minimum(4.0))).state == "inconclusive"


def test_a_macro_f1_that_collapsed_fails_and_is_not_called_chance() -> None:
    expected = np.arange(60) % MACRO_F1.label_count
    right = expected * (MACRO_F1.label_count + 1.0) + expected
    found = _one(right, right + np.where(expected == 0, 1.0, -1.0), objective(MACRO_F1, drop(0.05)))
    assert (found.base, found.head, found.state) == (1.0, 0.0, "fail")
    assert "100% worse (95% interval 94% to 100%), more than the 5% allowed" in found.reason


def test_all_equal_scores_decide() -> None:
    assert _one(np.full(40, 4.0), np.full(40, 4.0), objective(JUDGE, drop(0.05))).state == "pass"
    assert _one(np.full(40, 4.0), np.full(40, 3.0), objective(JUDGE, drop(0.05))).state == "fail"
    assert _one(None, np.full(40, 3.9), objective(JUDGE, minimum(4.0))).state == "fail"


@pytest.mark.parametrize("bound", [minimum(4.0), drop(0.05)])
def test_nothing_measured_is_an_error_not_a_zero(bound: object) -> None:
    base = np.full(40, 4.0)
    wanted = objective(JUDGE, bound)  # type: ignore[arg-type]
    assert _one(base, np.full(40, np.nan), wanted).reason == "nothing was measured on head"
    assert decide({"judge": base}, {}, [wanted]).state == "error"
    if bound == drop(0.05):
        assert _one(np.full(40, np.nan), base, wanted).reason == "nothing was measured on base"
        assert _one(None, base, wanted).reason == "there is no base to compare with"
        halves = np.arange(40) < 20
        apart = _one(np.where(halves, base, np.nan), np.where(halves, np.nan, base), wanted)
        assert (apart.state, apart.reason) == ("error", "no case has a value on both sides")


def test_cases_lost_on_one_side_are_told_and_too_many_are_an_error() -> None:
    base, head = _scores(0.0, 0.3)
    few, many = head.copy(), head.copy()
    few[:6], many[:60] = np.nan, np.nan
    wanted = objective(JUDGE, minimum(3.0), drop(0.05))
    found = _one(base, few, wanted)
    assert (found.state, found.pairs) == ("pass", 194)
    assert "6 of 200 cases count on one side only" in found.warnings
    lost = _one(base, many, wanted)
    assert [bound.state for bound in lost.bounds] == ["error", "error"]
    assert "60 of 200 cases count on one side only, too many to compare" in lost.reason
    # What base lost says nothing against head's own value.
    assert [bound.state for bound in _one(many, base, wanted).bounds] == ["pass", "error"]


def test_a_case_that_a_metric_does_not_apply_to_is_not_lost() -> None:
    base, head = _scores(0.0, 0.3)
    base[50:], head[50:] = np.nan, np.nan
    found = _one(base, head, objective(JUDGE, drop(0.05)))
    assert (found.state, found.pairs, found.warnings) == ("pass", 50, ())


def test_an_error_rate_from_zero_has_a_defined_answer() -> None:
    none = np.zeros(200)
    wanted = objective(ERRORS, increase(0.1))
    assert _one(none, none, wanted).state == "pass"
    one = _one(none, np.r_[1.0, none[1:]], wanted)
    assert one.state == "inconclusive"
    assert "base is 0, so no share of it is allowed" in one.reason
    assert one.change is None
    assert _one(none, np.r_[np.ones(30), none[30:]], wanted).state == "fail"
    assert _one(np.r_[np.ones(30), none[30:]], none, wanted).state == "pass"


def test_a_negative_baseline_counts_a_rise_as_better() -> None:
    base, head = _scores(0.0, 0.3)
    metric = replace(JUDGE, name="utility", low=None, high=None)
    up = _one(-base, -head + 0.8, objective(metric, drop(0.05)))
    down = _one(-base, -head - 0.8, objective(metric, drop(0.05)))
    assert (up.state, down.state) == ("pass", "fail")
    assert up.change == pytest.approx(0.2, abs=0.01)


def test_a_mean_that_is_not_told_from_zero_decides_nothing_relative() -> None:
    values = RNG.normal(0.0, 1.0, 100)
    found = _one(values - values.mean() + 1e-6, values - 1.0, objective(replace(JUDGE, low=None), drop(0.05)))
    assert found.state == "inconclusive"
    assert "no interval: too little is known" in found.reason


def test_p95_is_held_by_the_exact_test_of_exceedances() -> None:
    fast, wanted = np.full(100, 0.8), objective(P95, maximum(2.0))
    assert _one(None, fast, wanted).state == "pass"
    four = _one(None, np.r_[np.full(4, 3.0), fast[4:]], wanted)
    assert (four.state, "weak pass" in four.reason) == ("pass", True)
    # Eleven of a hundred have a chance of 1.2% at the bound: not enough at the 1% that is asked for.
    assert _one(None, np.r_[np.full(11, 3.0), fast[11:]], wanted).state == "inconclusive"
    assert _one(None, np.r_[np.full(12, 3.0), fast[12:]], wanted).state == "fail"
    assert _one(None, -fast, objective(P95, minimum(1.0))).state == "fail"


def test_cases_of_one_cluster_are_one_piece_of_evidence() -> None:
    base = np.repeat(4.0 + 0.5 * np.sin(np.arange(8)), 25)
    # Two of eight conversations collapse: 50 cases, but two pieces of evidence.
    head = base - np.repeat([2.0, 2.0, 0, 0, 0, 0, 0, 0], 25)
    wanted = objective(JUDGE, drop(0.05))
    assert _one(base, head, wanted).state == "fail"
    clustered = _one(base, head, wanted, clusters=np.repeat(np.arange(8), 25))
    assert clustered.state == "inconclusive"
    assert any(warning.startswith("too few clusters: 8 clusters") for warning in clustered.warnings)


def test_a_verdict_names_its_weak_passes() -> None:
    base, head = _scores(-0.045, 3.0)
    sure = objective(replace(JUDGE, name="sure", column="judge"), minimum(3.0))
    verdict = decide({"judge": base}, {"judge": head}, [objective(JUDGE, drop(0.05)), sure])
    assert verdict.reason == "All 2 objectives hold; a weak pass for judge."
