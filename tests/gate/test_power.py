"""What the gate can see: against simulation, and what it is told by baseline, assumption and measurement."""

from dataclasses import replace

import numpy as np
import pytest

from evaluator.gate import Noise, SequentialGate, cases_for, expected_sight, measured_sight
from evaluator.gate.power import smallest_visible
from tests.gate.runs import ALL, ERRORS, EXACT, JUDGE, drop, exact_pair, full_pair, judge_pair, maximum, objective
from tests.gate.test_sequential import play

DROP, RIGHT = objective(JUDGE, drop(0.05)), objective(EXACT, drop(0.05))


def test_the_smallest_visible_drop_is_failed_four_times_in_five_within_a_tenth() -> None:
    rng = np.random.default_rng(1)
    seen = measured_sight([RIGHT], *exact_pair(rng, 4000, 3, 0.0), cases=150)["exact_match"]
    assert seen.smallest is not None
    failed = {}
    for factor in (0.9, 1.1):
        verdicts = []
        for draw in range(150):
            gate = SequentialGate(150, [RIGHT], seed=draw)
            play(gate, *exact_pair(rng, 150, 3, factor * seen.smallest))
            verdicts.append(gate.verdict().state)
        failed[factor] = verdicts.count("fail") / 150
    assert failed[0.9] < 0.83 <= failed[1.1] + 0.06


def test_repeats_and_cases_sharpen_the_sight_until_the_zone_is_the_limit() -> None:
    noise, bound = Noise(0.0, 0.16), drop(0.05)
    sights = [smallest_visible(noise, bound, cases, repeats) for cases, repeats in ((60, 1), (60, 3), (200, 3))]
    assert sights[0] > sights[1] > sights[2]
    assert smallest_visible(noise, bound, 1e6, 3) == pytest.approx(0.05 + 0.38 * 0.03)
    assert smallest_visible(Noise(0.16, 0.0), bound, 60, 3) > smallest_visible(noise, bound, 60, 3)


def test_the_cases_for_a_bound_bring_its_far_edge_into_sight() -> None:
    noise = Noise(0.02, 0.1)
    needed = cases_for(noise, drop(0.02), 3)
    assert needed is not None
    assert smallest_visible(noise, drop(0.02), needed, 3) <= 0.032 < smallest_visible(noise, drop(0.02), needed - 1, 3)
    assert (cases_for(noise, drop(0.05), 3) or 0) < needed
    assert cases_for(noise, drop(0.05), 3, wished=0.051) is None, "nearer to the limit than any zone can see"


def test_before_a_run_noise_is_the_baselines_or_an_assumption_named_as_such() -> None:
    base, _ = judge_pair(np.random.default_rng(2), 300, 4, 0.0)
    told = expected_sight([DROP, objective(ERRORS, maximum(0.1))], 300, baseline=base)
    assert list(told) == ["judge"]
    assert (told["judge"].basis, told["judge"].cases) == ("baseline", 300)
    measured = measured_sight([DROP], *judge_pair(np.random.default_rng(3), 300, 3, 0.0))["judge"]
    assert told["judge"].error == pytest.approx(measured.error, rel=0.2)
    for known in (None, {"judge": base["judge"][:, :1]}, {}):
        assert expected_sight([DROP], 300, baseline=known)["judge"].basis == "assumed"
    clustered = expected_sight([DROP], 300, clusters=np.repeat(np.arange(3), 100))["judge"].smallest
    assert clustered is None or clustered >= (expected_sight([DROP], 300)["judge"].smallest or 0)


def test_assumptions_are_near_a_simulated_app() -> None:
    rng = np.random.default_rng(4)
    for wanted, draw in ((DROP, judge_pair), (RIGHT, exact_pair)):
        measured = measured_sight([wanted], *draw(rng, 2000, 1, 0.0))[wanted.name]
        assumed = expected_sight([wanted], 2000, max_repeats=1)[wanted.name]
        assert assumed.error == pytest.approx(measured.error, rel=0.5)


def test_every_kind_of_metric_is_measured() -> None:
    found = measured_sight(ALL, *full_pair(np.random.default_rng(5), 200, 2))
    assert set(found) == {wanted.name for wanted in ALL}
    assert all(sight.smallest is not None and sight.repeats == 2 for sight in found.values())


def test_a_run_that_stopped_early_is_told_by_what_it_might_have_used() -> None:
    base, head = judge_pair(np.random.default_rng(6), 60, 1, 0.0)
    short = measured_sight([DROP], base, head)["judge"]
    whole = measured_sight([DROP], base, head, cases=400, max_repeats=3)["judge"]
    assert (whole.smallest or 1) < (short.smallest or 0)
    assert (short.cases, whole.cases) == (60, 400)


def test_what_cannot_be_known_is_none() -> None:
    nothing = {"judge": np.full((30, 1), np.nan)}
    assert measured_sight([DROP], nothing, nothing)["judge"].smallest is None
    zero = {"judge": np.zeros((30, 1))}
    assert measured_sight([objective(replace(JUDGE, low=0.0), drop(0.05))], zero, zero)["judge"].smallest is None
    assert measured_sight([DROP], None, zero)["judge"].smallest is None
