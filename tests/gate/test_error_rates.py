"""The gate's error rates on simulated apps: short, seeded, with room for Monte-Carlo error.

The long version, with tables, is bench/operating_characteristics.py.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest

from bench.simulation.apps import App, Effect
from bench.simulation.rates import Cell, rates
from bench.simulation.series import noticed_at
from evaluator.gate import decide
from evaluator.records import Metric, Objective
from tests.gate.runs import ALL, EXACT, JUDGE, Columns, drop, exact_pair, full_pair, judge_pair, objective

Draw = Callable[[np.random.Generator, int, int, float], tuple[Columns, Columns]]
DRAWS = 300


def _rates(draw: Draw, wanted: Objective, repeats: int, loss: float, cases: int = 200) -> dict[str, float]:
    rng = np.random.default_rng(17)
    states = [decide(*draw(rng, cases, repeats, loss), [wanted]).state for _ in range(DRAWS)]
    return {state: states.count(state) / DRAWS for state in ("pass", "fail", "inconclusive", "error")}


@pytest.mark.parametrize(
    ("draw", "wanted"),
    [(judge_pair, objective(JUDGE, drop(0.05))), (exact_pair, objective(EXACT, drop(0.05)))],
    ids=["judge", "exact match"],
)
@pytest.mark.parametrize("repeats", [1, 3])
def test_the_same_app_twice_is_hardly_ever_blocked(draw: Draw, wanted: Objective, repeats: int) -> None:
    assert _rates(draw, wanted, repeats, 0.0)["fail"] <= 0.02


@pytest.mark.parametrize(
    ("draw", "wanted", "repeats", "seen", "missed"),
    [
        (judge_pair, objective(JUDGE, drop(0.05)), 1, 0.90, 0.02),
        (judge_pair, objective(JUDGE, drop(0.05)), 3, 0.99, 0.005),
        (exact_pair, objective(EXACT, drop(0.05)), 1, 0.40, 0.16),
        (exact_pair, objective(EXACT, drop(0.05)), 3, 0.93, 0.03),
    ],
)
def test_a_drop_of_a_tenth_is_seen(draw: Draw, wanted: Objective, repeats: int, seen: float, missed: float) -> None:
    rates = _rates(draw, wanted, repeats, 0.10)
    assert rates["fail"] >= seen
    assert rates["pass"] <= missed


def test_six_objectives_together_hardly_ever_block_the_same_app() -> None:
    rng = np.random.default_rng(18)
    verdicts = [decide(*full_pair(rng, 120, 1), ALL).state for _ in range(60)]
    assert verdicts.count("fail") <= 3
    assert verdicts.count("error") == 0


def _outage(columns: Columns, share: float, rng: np.random.Generator) -> Columns:
    """The same run with so many of its answers lost to a provider, at random."""
    lost = rng.random(next(iter(columns.values())).shape) < share
    return {name: np.where(lost, np.nan, values) for name, values in columns.items()} | {"error_rate": lost * 1.0}


@pytest.mark.parametrize(("draw", "metric"), [(judge_pair, JUDGE), (exact_pair, EXACT)], ids=["judge", "exact match"])
@pytest.mark.parametrize("share", [0.01, 0.03])
def test_a_provider_that_fails_both_sides_alike_blocks_no_more(draw: Draw, metric: Metric, share: float) -> None:
    rng, states = np.random.default_rng(19), []
    for _ in range(DRAWS):
        base, head = (_outage(columns, share, rng) for columns in draw(rng, 200, 1, 0.0))
        states.append(decide(base, head, [objective(metric, drop(0.05))]).state)
    assert states.count("fail") / DRAWS <= 0.02
    assert states.count("pass") / DRAWS >= 0.85


JUDGED, RIGHT = (App("judge"),), (App("exact_match"),)
FOUR = (*JUDGED, App("f1"), App("cost"), App("latency_p95"))


@pytest.mark.parametrize(
    ("cell", "blocked", "calls"),
    [
        (Cell(JUDGED, Effect(), 200), 0.01, 0.45),
        (Cell(JUDGED, Effect(), 500), 0.01, 0.20),
        (Cell(JUDGED, Effect(), 200, baseline=8), 0.01, 0.20),
        (Cell(JUDGED, Effect("flaky", 0.01), 200), 0.02, 0.65),
        (Cell((App("judge", "high"),), Effect(), 100), 0.015, 1.4),
        (Cell(RIGHT, Effect(), 200), 0.015, 1.4),
        (Cell(FOUR, Effect(), 200), 0.02, 1.6),
    ],
)
def test_harmless_changes_are_let_through_for_few_calls(cell: Cell, blocked: float, calls: float) -> None:
    found = rates(cell, 60 if len(cell.apps) > 1 else 200)
    assert found.fail <= blocked
    assert found.calls <= calls


@pytest.mark.parametrize(
    ("cell", "missed"),
    [
        (Cell(JUDGED, Effect("flaky", 0.08), 200), 0.04),
        (Cell(JUDGED, Effect("flaky", 0.10), 200), 0.015),
        (Cell((App("judge", "high"),), Effect("flaky", 0.10), 100), 0.025),
        (Cell(RIGHT, Effect("flaky", 0.10), 200), 0.035),
    ],
)
def test_regressions_are_blocked(cell: Cell, missed: float) -> None:
    assert 1.0 - rates(cell, 200).fail <= missed


@pytest.mark.parametrize("kind", ["flaky", "uniform"])
@pytest.mark.parametrize("app", [JUDGED, RIGHT])
def test_at_the_far_edge_hardly_any_passes_and_at_the_near_edge_hardly_any_fails(
    app: tuple[App, ...], kind: Literal["flaky", "uniform"]
) -> None:
    far, near = (rates(Cell(app, Effect(kind, drop), 200), 150) for drop in (0.08, 0.02))
    assert far.passed - far.weak <= 0.025 + 0.025
    assert near.fail <= 0.025 + 0.025


def test_ten_small_losses_are_noticed_against_an_anchor() -> None:
    assert noticed_at(App("judge"), 200, 0.6 * 0.05, 40, anchored=True)[5] >= 0.97
    assert noticed_at(App("judge"), 200, 0.05, 15, anchored=False)[9] <= 0.4
