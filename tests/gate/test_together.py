"""Head against base and against an anchor at once: one order of cases, one verdict."""

from dataclasses import replace

import numpy as np

from evaluator.gate import AnchoredGate, SequentialGate
from tests.gate.runs import JUDGE, P95, Columns, drop, full_pair, increase, judge_pair, minimum, objective

DROP = objective(JUDGE, drop(0.05))


def play(gate: AnchoredGate | SequentialGate, sides: dict[str, Columns]) -> dict[str, int]:
    """Answer what is asked until nothing is; counts answers by side."""
    asked = {"base": 0, "head": 0}
    while requests := gate.ask():
        for side, case, repeat in requests:
            told = {name: float(values[case, repeat]) for name, values in sides[side].items()}
            gate.tell(side, case, repeat, told)
            asked[side] += 1
    return asked


def rotten(seed: int, loss: float) -> tuple[Columns, Columns, Columns]:
    """An anchor, and a base and a head that both are worse than it by `loss`."""
    anchor, head = judge_pair(np.random.default_rng(seed), 200, 3, loss)
    _, base = judge_pair(np.random.default_rng(seed + 1), 200, 3, loss)
    return anchor, base, head


def test_a_loss_that_base_has_too_passes_against_base_and_fails_against_the_anchor() -> None:
    anchor, base, head = rotten(3, 0.08)
    gate = AnchoredGate(200, [DROP], anchor, share=0.6, seed=5)
    asked = play(gate, {"base": base, "head": head})
    verdict = gate.verdict()
    assert {name: found.state for name, found in verdict.objectives.items()} == {
        "judge": "pass", "judge_vs_anchor": "fail"
    }  # fmt: skip
    assert verdict.state == "fail"
    assert asked["head"] >= asked["base"] > 0  # the anchor is never asked, and base no longer than it is needed


def test_without_a_loss_both_comparisons_pass_and_it_stops_early() -> None:
    anchor, base, head = rotten(8, 0.0)
    gate = AnchoredGate(200, [DROP], anchor, share=1.0, seed=5)
    asked = play(gate, {"base": base, "head": head})
    verdict = gate.verdict()
    assert verdict.state == "pass"
    assert sum(asked.values()) < 400
    assert (f"Decided after {gate.cases_used} of 200 cases." in verdict.reason) == (gate.cases_used < 200)


def test_with_a_known_base_only_head_is_asked() -> None:
    anchor, base, head = rotten(11, 0.0)
    gate = AnchoredGate(200, [DROP], anchor, share=1.0, seed=5, baseline=base)
    assert play(gate, {"base": base, "head": head})["base"] == 0
    assert set(gate.verdict().objectives) == {"judge", "judge_vs_anchor"}


def test_objectives_that_have_nothing_to_do_with_an_anchor_are_judged_as_without_one() -> None:
    base, head = full_pair(np.random.default_rng(2), 120, 3)
    wanted = [objective(JUDGE, minimum(3.0)), objective(P95, increase(0.2))]
    alone, anchored = SequentialGate(120, wanted, seed=1), AnchoredGate(120, wanted, base, share=0.6, seed=1)
    play(alone, {"base": base, "head": head})
    play(anchored, {"base": base, "head": head})
    assert alone.verdict() == anchored.verdict()


def test_the_error_rate_is_shared_over_both_comparisons() -> None:
    anchor, _, _ = rotten(3, 0.08)
    gate = AnchoredGate(200, [DROP], anchor, share=0.6, seed=5)
    single = SequentialGate(200, [DROP], seed=5, others=1)
    assert gate._near._rule == single._rule
    assert replace(single._rule, objectives=1) == SequentialGate(200, [DROP], seed=5)._rule
