"""Simulations beyond one pull request: slow rot against a pinned anchor, many slices, and the smallest visible drop."""

import numpy as np

from bench.simulation.apps import METRICS, App, Effect, Kind, draw_pair
from bench.simulation.rates import Cell, answer, draw_columns, objective, objectives, rates
from evaluator.gate import SequentialGate, decide, judge_slices, measured_sight, with_slices

MERGES = 10
_TAGS = {"a": 0.5, "b": 0.3, "c": 0.2, "d": 0.2, "e": 0.1}


def noticed_at(
    app: App, cases: int, limit: float, draws: int, *, anchored: bool, each: float = 0.01, seed: int = 0
) -> list[float]:
    """Ten merges that each lose a little: the share of series noticed by merge 1, 2, ... 10.

    Args:
        app: What is measured.
        cases: How many.
        limit: Allowed drop against what is compared with.
        draws: Series.
        anchored: Compare with the state before the first merge (three known repeats), else with the merge before.
        each: What each merge loses, as a share.
        seed: Of everything.
    """
    rng = np.random.default_rng([seed, cases, anchored])
    metric = METRICS[app.metric]
    noticed = np.zeros(MERGES)
    for draw in range(draws):
        for merge in range(1, MERGES + 1):
            lost = 1.0 - (1.0 - each) ** merge if anchored else each
            base, head = draw_pair(app, Effect("flaky", round(lost, 6)), cases, 3, rng)
            gate = SequentialGate(
                cases, [objective(metric, limit)], seed=draw, baseline={metric.source: base} if anchored else None
            )
            answer(gate, {"base": {metric.source: base}, "head": {metric.source: head}})
            if gate.verdict().state == "fail":
                noticed[merge - 1 :] += 1
                break
    return [float(share) for share in noticed / draws]


def sliced(cell: Cell, draws: int, seed: int = 0) -> dict[str, float]:
    """All objectives of a cell on five overlapping tags, complete data: shares of draws blocked.

    Returns:
        "gate": by the objectives and the slices together; "slices": by a slice alone; "naive": any slice or objective
        whose figure is worse than the limit; "tests": slice tests a draw.
    """
    rng = np.random.default_rng([seed, cell.cases])
    wanted = objectives(cell)
    counts = {"gate": 0.0, "slices": 0.0, "naive": 0.0, "tests": 0.0}
    for draw in range(draws):
        base, head = draw_columns(cell, rng)
        tags = {tag: rng.random(cell.cases) < share for tag, share in _TAGS.items()}
        verdict = decide(base, head, wanted, seed=draw)
        slices = judge_slices(base, head, wanted, tags, seed=draw)
        both = with_slices(verdict, slices)
        counts["gate"] += both.state == "fail"
        counts["slices"] += any(found.state == "fail" for found in slices)
        seen = [found.bounds[0] for found in verdict.objectives.values()]
        broken = any(not within(bound.value, bound.bound.limit, bound.bound.kind.value) for bound in seen)
        counts["naive"] += broken or any(found.state != "pass" for found in slices)
        counts["tests"] += len(slices)
    return {name: count / draws for name, count in counts.items()}


def within(change: float | None, limit: float, kind: str) -> bool:
    """Whether a change seen keeps its limit."""
    return change is None or (change >= -limit if kind == "max_drop" else change <= limit)


def visible(app: App, kind: Kind, cases: int, draws: int, seed: int = 0) -> tuple[float, float]:
    """The smallest visible drop as printed (median over draws of the same app twice) and as simulated."""
    rng = np.random.default_rng([seed, cases])
    none = Cell((app,), Effect(), cases)
    told = []
    for _ in range(40):
        base, head = draw_columns(none, rng)
        found = measured_sight(objectives(none), base, head)[METRICS[app.metric].name].smallest
        told.append(np.nan if found is None else found)
    printed = float(np.median(told))
    # The chance of a fail rises almost straight around the point wanted: two sides of it suffice.
    changes = [round(printed * factor, 4) for factor in (0.88, 1.0, 1.12)]
    fails = [rates(Cell((app,), Effect(kind, change), cases), draws, seed).fail for change in changes]
    slope, start = np.polyfit(changes, fails, 1)
    return printed, float((0.8 - start) / slope)
