"""Slices and the anchor: corrected, exploratory, and told by name."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.errors import EvalGateError
from evaluator.gate import anchored, decide, holm, judge_slices, with_slices
from evaluator.records import Objective
from tests.gate.runs import ALL, COST, ERRORS, EXACT, JUDGE, drop, increase, judge_pair, maximum, minimum, objective

DROP = objective(JUDGE, drop(0.05))


def test_holm_gives_the_textbooks_values() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=20))
def test_holm_keeps_the_order_and_never_lowers_a_p_value(values: list[float]) -> None:
    adjusted = holm(values)
    assert all(value <= more <= 1 for value, more in zip(values, adjusted, strict=True))
    order = sorted(range(len(values)), key=lambda place: values[place])
    assert [adjusted[place] for place in order] == sorted(adjusted)


def _broken(rng: np.random.Generator) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]:
    base, head = judge_pair(rng, 300, 1, 0.0)
    korean = np.arange(300) < 30
    head["judge"][korean] = np.maximum(1.0, head["judge"][korean] - 1.5)
    tags = {"한국어": korean, "rest": ~korean, "odd": np.arange(300) % 2 == 1, "few": np.arange(300) < 4}
    return base, head, tags


def test_a_slice_that_collapses_is_found_and_gates_only_when_asked() -> None:
    base, head, tags = _broken(np.random.default_rng(1))
    verdict = decide(base, head, [DROP])
    found = {result.tag: result for result in judge_slices(base, head, [DROP], tags)}
    assert verdict.state == "pass"
    assert [tag for tag, result in found.items() if result.state == "fail"] == ["한국어"]
    gated = with_slices(verdict, list(found.values()))
    assert gated.state == "fail"
    assert "judge in slice '한국어': " in gated.reason
    assert with_slices(verdict, [found["rest"]]) is verdict
    assert with_slices(gated, list(found.values())).reason.count("Slices fail") == 2


def test_the_headline_names_the_slices_that_fell_furthest() -> None:
    base, head = judge_pair(np.random.default_rng(6), 400, 1, 0.0)
    place = np.arange(400) // 80
    head["judge"] = np.maximum(1.0, head["judge"] - place[:, None] * 0.5)
    tags = {f"down {number}": place == number for number in range(5)}
    gated = with_slices(decide(base, head, [DROP]), judge_slices(base, head, [DROP], tags))
    told = gated.reason.split("Slices fail: ")[1]
    assert [told.index(f"'down {number}'") for number in (4, 3, 2)] == sorted(
        told.index(f"'down {number}'") for number in (4, 3, 2)
    )
    assert "down 1" not in told
    assert told.endswith("; and 1 more slices.")


def test_a_slice_of_a_few_cases_is_shown_but_not_tested() -> None:
    base, head, tags = _broken(np.random.default_rng(2))
    [found] = judge_slices(base, head, [DROP], {"few": tags["few"]})
    assert (found.pairs, found.p_value, found.adjusted, found.state) == (4, None, None, "inconclusive")


def test_more_slices_ask_for_more_evidence() -> None:
    base, head, tags = _broken(np.random.default_rng(3))
    alone = judge_slices(base, head, [DROP], {"a": tags["한국어"]})[0]
    many = judge_slices(base, head, [DROP], {f"t{number}": tags["한국어"] for number in range(30)})[0]
    assert alone.p_value == many.p_value
    assert many.adjusted == pytest.approx(min(1.0, 30 * (alone.p_value or 0)))


def test_a_p_value_is_that_of_the_t_test_against_the_near_edge() -> None:
    from scipy import stats

    base, head, tags = _broken(np.random.default_rng(4))
    head["judge"] = np.minimum(5.0, head["judge"] + 0.9)
    [found] = judge_slices(base, head, [DROP], {"한국어": tags["한국어"]})
    rows = tags["한국어"]
    difference = (head["judge"] - 0.98 * base["judge"])[rows, 0]
    assert found.p_value == pytest.approx(stats.ttest_1samp(difference, 0, alternative="less").pvalue, rel=1e-3)


def test_slices_without_values_and_of_a_zero_base_have_an_answer() -> None:
    base, head, tags = _broken(np.random.default_rng(5))
    empty = {"judge": np.where(tags["한국어"][:, None], np.nan, base["judge"])}
    assert judge_slices(empty, head, [DROP], {"x": tags["한국어"]})[0].reason == "nothing to compare"
    zero = {"error_rate": np.zeros((300, 1))}
    assert "base is 0" in judge_slices(zero, zero, [objective(ERRORS, increase(0.1))], {"x": tags["rest"]})[0].reason
    assert judge_slices(base, head, [objective(EXACT, drop(0.1)), objective(JUDGE, minimum(4))], tags) == []
    with pytest.raises(EvalGateError, match="one boolean a case"):
        judge_slices(base, head, [DROP], {"x": np.ones(300)})


def test_the_anchor_is_held_to_a_tighter_change_and_to_nothing_absolute() -> None:
    wanted = [
        objective(JUDGE, minimum(4.0), replace(drop(0.05), near=0.01, far=0.1)),
        objective(ERRORS, maximum(0.1)),
        objective(COST, increase(0.1)),
    ]
    found = anchored(wanted)
    assert [result.name for result in found] == ["judge_vs_anchor", "cost_per_request_vs_anchor"]
    assert [result.metric.source for result in found] == ["judge", "cost"]
    named = replace(JUDGE, name="judge_vs_anchor", column="judge")
    assert found[0] == Objective(named, (replace(drop(0.03), near=0.006, far=0.06),))
    assert found[1].bounds[0].limit == pytest.approx(0.06)


def test_the_anchors_latency_is_not_compared_for_it_was_measured_at_another_time() -> None:
    assert len(ALL) == 6
    assert [result.name for result in anchored(ALL)] == [
        f"{wanted.name}_vs_anchor" for wanted in ALL if wanted.metric.unit != "seconds"
    ]
