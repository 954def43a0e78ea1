"""How far a gate is, told on the way: true at its looks, and no more than that."""

import numpy as np

from evaluator.gate import AnchoredGate, SequentialGate
from evaluator.records import Bound, BoundKind, Metric, MetricKind, Objective

JUDGE = Objective(Metric("judge", MetricKind.MEAN, low=1, high=5), (Bound(BoundKind.MAX_DROP, 0.05),))
MATCH = Objective(Metric("match", MetricKind.PROPORTION), (Bound(BoundKind.MAX_DROP, 0.05),))


def tell(gate: SequentialGate | AnchoredGate, drop: float, *, until: int = 10_000) -> None:
    """Answer what is asked: the judge is 4 to 5 at base, and so much less at head; `match` differs at random."""
    dice = np.random.default_rng(1)
    while (requests := gate.ask()) and gate.cases_used < until:
        for side, case, repeat in requests:
            judge = 4.0 + case % 2 - (drop if side == "head" else 0.0)
            gate.tell(side, case, repeat, {"judge": judge, "match": float(dice.random() < 0.7)})


def test_before_the_first_look_nothing_is_claimed() -> None:
    standing = SequentialGate(200, [JUDGE]).standing
    assert (standing.decided, standing.cases, standing.of, standing.share) == (0, 0, 200, 1.0)
    assert str(standing) == "too early to tell"


def test_on_the_way_one_objective_is_decided_and_another_is_not() -> None:
    gate = SequentialGate(400, [JUDGE, MATCH], max_repeats=1)
    tell(gate, 0.0, until=100)
    standing = gate.standing
    assert (standing.objectives, standing.decided, standing.failing) == (2, 1, 0)
    assert 100 <= standing.cases < 400
    assert standing.cases / 400 <= standing.share <= 1.0
    assert gate.verdict().state == "inconclusive"


def test_a_decided_failure_is_told_as_one() -> None:
    gate = SequentialGate(400, [JUDGE, MATCH], max_repeats=1)
    tell(gate, 1.5, until=100)
    assert (gate.standing.decided, gate.standing.failing) == (1, 1)


def test_the_share_that_will_be_needed_is_foreseen_from_the_evidence() -> None:
    gate = SequentialGate(2_000, [JUDGE], max_repeats=1)
    foreseen: list[float] = []
    while requests := gate.ask():
        for side, case, repeat in requests:
            gate.tell(side, case, repeat, {"judge": 4.0 + case % 2})
        foreseen.append(gate.standing.share)
    used = gate.cases_used / 2_000
    assert gate.verdict().state == "pass"
    assert used < 0.1
    assert foreseen[-1] <= 1.2 * used
    assert max(foreseen[1:]) <= 2 * used


def test_in_further_repeats_the_share_passes_one() -> None:
    gate = SequentialGate(60, [MATCH], max_repeats=3)
    tell(gate, 0.0)
    assert gate.repeats_used > 1
    assert gate.standing.share == gate.repeats_used
    assert (gate.standing.cases, gate.standing.of) == (60, 60)


def test_against_base_and_an_anchor_both_are_counted() -> None:
    gate = AnchoredGate(400, [JUDGE], {"judge": np.full(400, 4.5)}, share=0.6, max_repeats=1)
    tell(gate, 0.0)
    assert (gate.standing.objectives, gate.standing.decided) == (2, 2)
