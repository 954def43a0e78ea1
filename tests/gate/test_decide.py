"""The verdict as a whole: how objectives combine, what is refused, and properties that hold for any run."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.errors import EvalGateError
from evaluator.gate import decide
from evaluator.records import Bound, BoundKind, Objective, Verdict
from tests.gate.runs import (
    ALL,
    COST,
    EXACT,
    JUDGE,
    MACRO_F1,
    P95,
    Columns,
    drop,
    full_pair,
    increase,
    judge_pair,
    minimum,
    objective,
)

SEEDS = st.integers(0, 2**32 - 1)


def _states(verdict: Verdict) -> dict[str, list[str]]:
    return {name: [bound.state for bound in found.bounds] for name, found in verdict.objectives.items()}


def test_fail_goes_before_error_before_inconclusive_before_pass() -> None:
    good, bad = np.full(50, 5.0), np.full(50, 2.0)
    vague = np.tile([3.0, 4.9], 25)
    columns = {"judge": good, "a": bad, "b": vague}
    metrics = {
        "pass": objective(JUDGE, minimum(4.0)),
        "fail": objective(type(JUDGE)("a", JUDGE.kind), minimum(4.0)),
        "inconclusive": objective(type(JUDGE)("b", JUDGE.kind), minimum(4.0)),
        "error": objective(type(JUDGE)("c", JUDGE.kind), minimum(4.0)),
    }

    def combined(*names: str) -> Verdict:
        return decide(None, columns, [metrics[name] for name in names])

    assert combined("pass").state == "pass"
    assert combined("pass").reason == "The objective holds."
    assert combined("pass", "inconclusive").state == "inconclusive"
    assert combined("inconclusive", "error", "pass").reason == "c could not be judged: nothing was measured on head."
    found = combined("pass", "error", "fail", "inconclusive")
    assert found.state == "fail"
    assert found.reason.startswith("a fails: 2 (95% interval 2 to 2), less than the 4 asked for")


def test_real_figures_of_two_systems_fail_one_way_and_pass_the_other() -> None:
    # 1,319 arithmetic problems; the weaker system has .217 right, the stronger .390.
    rng = np.random.default_rng(0)
    weak, strong = (rng.permutation(np.arange(1319) < round(share * 1319)).astype(float) for share in (0.217, 0.390))
    wanted = [objective(EXACT, drop(0.05))]
    down = decide({"exact_match": strong}, {"exact_match": weak}, wanted)
    up = decide({"exact_match": weak}, {"exact_match": strong}, wanted)
    assert down.state == "fail"
    assert down.objectives["exact_match"].change == pytest.approx(-0.443, abs=0.002)
    assert up.state == "pass"
    assert "weak" not in up.objectives["exact_match"].reason


def test_one_repeat_may_be_given_flat() -> None:
    base, head = full_pair(np.random.default_rng(1), 80, 1)
    flat = decide({k: v[:, 0] for k, v in base.items()}, {k: v[:, 0] for k, v in head.items()}, ALL)
    assert flat == decide(base, head, ALL)


def test_an_objectives_result_does_not_hang_on_its_neighbours_place() -> None:
    base, head = full_pair(np.random.default_rng(2), 80, 2)
    one, other = decide(base, head, ALL), decide(base, head, ALL[::-1])
    assert {name: other.objectives[name] for name in one.objectives} == dict(one.objectives)


def test_a_weak_pass_of_a_bound_that_nobody_wrote_is_no_warning() -> None:
    errors = np.zeros(100)
    for implied in (False, True):
        wanted = Objective(ALL[2].metric, (Bound(BoundKind.MAX, 0.01),), implied=implied)
        found = decide(None, {"error_rate": errors}, [wanted]).objectives["error_rate"]
        assert "weak pass" in found.reason
        assert bool(found.warnings) != implied


BAD: list[tuple[Mapping[str, object], list[Objective], object, str]] = [
    ({}, [], None, "there is no objective"),
    ({}, [objective(JUDGE)], None, "has no bound"),
    ({}, [objective(JUDGE, drop(0.1)), objective(JUDGE, drop(0.2))], None, "is there twice"),
    ({}, [objective(JUDGE, drop(-0.1))], None, "cannot be -0.1"),
    ({}, [objective(JUDGE, minimum(float("nan")))], None, "cannot be nan"),
    ({"judge": [[[1.0]]]}, [objective(JUDGE, minimum(1))], None, "found 3 dimensions"),
    ({"judge": ["good"]}, [objective(JUDGE, minimum(1))], None, "could not convert"),
    ({"judge": [1.0, np.inf]}, [objective(JUDGE, minimum(1))], None, "infinite"),
    ({"exact_match": [1.0, 3.0]}, [objective(EXACT, minimum(1))], None, "found 3 where a proportion"),
    ({"label": [1.5]}, [objective(MACRO_F1, minimum(1))], None, "codes no pair of 5 labels"),
    ({"label": [30.0]}, [objective(MACRO_F1, minimum(1))], None, "codes no pair of 5 labels"),
    ({"judge": [1.0, 2.0]}, [objective(JUDGE, minimum(1))], [1, 2, 3], "clusters: found shape (3,)"),
    ({"judge": [1.0, 2.0]}, [objective(JUDGE, minimum(1))], [0.5, 1.5], "expected (2,) integers"),
    ({"judge": [1.0]}, [objective(type(P95)("judge", P95.kind), minimum(1))], None, "found quantile None"),
    ({"judge": [1.0]}, [objective(type(P95)("judge", MACRO_F1.kind), minimum(1))], None, "needs its statistic"),
]


@pytest.mark.parametrize(("head", "objectives", "clusters", "words"), BAD, ids=[row[3] for row in BAD])
def test_what_cannot_be_judged_is_refused_by_name(
    head: Mapping[str, object], objectives: list[Objective], clusters: object, words: str
) -> None:
    with pytest.raises(EvalGateError) as found:
        decide(None, head, objectives, clusters=clusters)  # type: ignore[arg-type]
    assert words in found.value.message


def test_runs_of_different_length_are_refused() -> None:
    with pytest.raises(EvalGateError, match="base has 3 cases and head has 2"):
        decide({"judge": [1, 2, 3]}, {"judge": [1, 2]}, [objective(JUDGE, drop(0.1))])


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.integers(1, 60), st.integers(1, 3), st.booleans())
def test_identical_runs_never_fail_a_comparison(seed: int, cases: int, repeats: int, clustered: bool) -> None:
    rng = np.random.default_rng(seed)
    run, _ = full_pair(rng, cases, repeats)
    clusters = rng.integers(0, max(2, cases // 3), cases) if clustered else None
    relative = [Objective(wanted.metric, wanted.bounds[-1:]) for wanted in ALL]
    verdict = decide(run, run, relative, clusters=clusters)
    assert verdict.state in ({"inconclusive"} if cases < 5 else {"pass", "inconclusive"})
    if cases >= 5 and not clustered:
        assert verdict.state == "pass"


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(5, 80), st.integers(1, 2), st.booleans())
def test_the_order_of_cases_changes_nothing(seed: int, cases: int, repeats: int, clustered: bool) -> None:
    rng = np.random.default_rng(seed)
    base, head = full_pair(rng, cases, repeats)
    clusters = rng.integers(0, max(2, cases // 3), cases) if clustered else None
    order = rng.permutation(cases)
    one = decide(base, head, ALL, clusters=clusters)
    other = decide(
        {name: column[order] for name, column in base.items()},
        {name: column[order] for name, column in head.items()},
        ALL,
        clusters=None if clusters is None else clusters[order],
    )
    assert _states(one) == _states(other)
    for name, found in one.objectives.items():
        moved = other.objectives[name]
        assert (moved.base, moved.head, moved.change) == pytest.approx((found.base, found.head, found.change))
        if found.interval is not None and moved.interval is not None:
            assert (moved.interval.low, moved.interval.high) == pytest.approx(
                (found.interval.low, found.interval.high), rel=1e-6, abs=1e-9
            )


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.floats(1e-4, 1e4))
def test_scaling_costs_changes_nothing_relative(seed: int, factor: float) -> None:
    base, head = full_pair(np.random.default_rng(seed), 50, 1)
    wanted = [objective(COST, increase(0.1)), objective(P95, increase(0.2))]
    one = decide(base, head, wanted)
    scaled = [{name: side[name] * factor for name in ("cost", "latency")} for side in (base, head)]
    other = decide(scaled[0], scaled[1], wanted)
    assert _states(one) == _states(other)
    for name, found in one.objectives.items():
        interval, again = found.interval, other.objectives[name].interval
        assert interval is not None
        assert again is not None
        assert (again.low, again.high) == pytest.approx((interval.low, interval.high), abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.integers(10, 80))
def test_swapping_base_and_head_mirrors_the_interval(seed: int, cases: int) -> None:
    base, head = full_pair(np.random.default_rng(seed), cases, 1)
    for metric, exactness in ((JUDGE, 1e-9), (COST, 1e-9), (EXACT, 1e-9), (P95, 0.25)):
        one, other = (
            decide(first, second, [objective(metric, drop(0.05))]).objectives[metric.name].interval
            for first, second in ((base, head), (head, base))
        )
        assert one is not None
        assert other is not None
        # A ratio and its inverse: their logarithms differ in sign; a bootstrap's differ by its own noise too.
        logs, mirrored = np.log1p([one.low, one.high]), -np.log1p([other.high, other.low])
        assert logs == pytest.approx(mirrored, abs=max(1e-9, exactness * (logs[1] - logs[0])))


@settings(max_examples=25, deadline=None)
@given(SEEDS, st.integers(10, 80))
def test_swapping_mirrors_absolute_differences(seed: int, cases: int) -> None:
    base, head = full_pair(np.random.default_rng(seed), cases, 1)
    for metric in (JUDGE, EXACT):
        wanted = [objective(metric, drop(0.1, relative=False))]
        one, other = (
            decide(first, second, wanted).objectives[metric.name].bounds[0].interval
            for first, second in ((base, head), (head, base))
        )
        assert one is not None
        assert other is not None
        assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(10, 80), st.integers(1, 3), st.floats(0.0, 0.12), st.floats(1.0, 20.0), st.booleans())
def test_more_noise_never_turns_inconclusive_into_pass(
    seed: int, cases: int, repeats: int, loss: float, factor: float, strict: bool
) -> None:
    base, head = judge_pair(np.random.default_rng(seed), cases, repeats, loss)
    wanted = [objective(replace(JUDGE, low=None, high=None), drop(0.05))]

    def noisier(side: Columns) -> Columns:
        mean = side["judge"].mean()
        return {"judge": mean + factor * (side["judge"] - mean)}

    before = decide(base, head, wanted, strict=strict)
    after = decide(noisier(base), noisier(head), wanted, strict=strict)
    if before.state != "pass":
        assert after.state != "pass"
    if strict and before.state == "inconclusive":
        assert after.state == "inconclusive"


def test_strict_turns_weak_passes_into_open_questions_and_never_opens_the_implied_bound() -> None:
    base, head = judge_pair(np.random.default_rng(3), 60, 1, 0.03)
    assert decide(base, head, [objective(JUDGE, drop(0.05))]).state == "pass"
    found = decide(base, head, [objective(JUDGE, drop(0.05))], strict=True)
    assert found.state == "inconclusive"
    assert "a drop of 5% or more cannot be ruled out" in found.reason
    implied = Objective(ALL[2].metric, (Bound(BoundKind.MAX, 0.01),), implied=True)
    assert decide(None, {"error_rate": np.zeros(50)}, [implied], strict=True).state == "pass"


def test_a_bound_may_name_its_own_zone() -> None:
    base, head = judge_pair(np.random.default_rng(4), 1200, 1, 0.04)
    wide, narrow = drop(0.05), replace(drop(0.05), near=0.0499, far=0.0501)
    assert "weak" not in decide(base, head, [objective(JUDGE, wide)]).reason
    assert "weak pass" in decide(base, head, [objective(JUDGE, replace(narrow, far=0.051))]).reason


def test_few_cases_of_a_share_are_told_to_err_on_the_wide_side() -> None:
    base, head = judge_pair(np.random.default_rng(5), 45, 1, 0.0)
    right = {"exact_match": (base["judge"] > 3).astype(float)}
    found = decide(right, right, [objective(EXACT, drop(0.05))]).objectives["exact_match"]
    assert "few cases: 45 cases; below 60 this interval errs on the wide side" in found.warnings
    assert decide(base, head, [objective(JUDGE, drop(0.05))]).objectives["judge"].warnings == ()
