"""How often the gate blocks, passes and asks: simulated pull requests through the real `SequentialGate`."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bench.simulation.apps import METRICS, App, Effect, Values, draw_pair
from evaluator.gate import SequentialGate
from evaluator.records import Bound, BoundKind, Metric, Objective, Side

LIMITS = {"judge": 0.05, "exact_match": 0.05, "f1": 0.05, "cost": 0.10, "latency_p95": 0.20}


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table: an app, an effect, a number of cases, and how the gate is set."""

    apps: tuple[App, ...]
    effect: Effect
    cases: int
    max_repeats: int = 3
    baseline: int = 0
    """Repeats of base that are known before; 0: base is asked."""
    strict: bool = False
    limits: Mapping[str, float] = field(default_factory=lambda: LIMITS)
    hit: tuple[str, ...] = ("judge", "exact_match", "f1", "cost", "latency_p95")
    """Metrics that the effect touches; the others stay as they were."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of draws, 0 to 1."""

    draws: int
    fail: float
    passed: float
    """Weak passes included."""
    weak: float
    inconclusive: float
    calls: float
    """Mean requests as a share of two runs of all cases."""
    naive: float
    """Blocked by "worse than base by more than the limit" on one repeat, any metric."""
    decided_early: float
    """Stopped before all cases were asked once."""


def objectives(cell: Cell) -> list[Objective]:
    """The objectives of a cell: one bound on the change of each metric."""
    return [objective(METRICS[app.metric], cell.limits[app.metric]) for app in cell.apps]


def objective(metric: Metric, limit: float) -> Objective:
    """A metric that may not become worse by more than `limit`."""
    kind = BoundKind.MAX_DROP if metric.higher_is_better else BoundKind.MAX_INCREASE
    return Objective(metric, (Bound(kind, limit),))


def answer(gate: SequentialGate, columns: Mapping[Side, Mapping[str, Values]]) -> int:
    """Give the gate what it asks for; returns how many requests there were."""
    lists = {side: {name: values.tolist() for name, values in found.items()} for side, found in columns.items()}
    calls = 0
    while requests := gate.ask():
        for side, case, repeat in requests:
            gate.tell(side, case, repeat, {name: rows[case][repeat] for name, rows in lists[side].items()})
        calls += len(requests)
    return calls


def rates(cell: Cell, draws: int, seed: int = 0) -> Rates:
    """Simulate a cell.

    Args:
        cell: What to simulate.
        draws: Pull requests.
        seed: Of everything; the same cell and seed give the same rates.
    """
    wanted = objectives(cell)
    rng = np.random.default_rng([seed, cell.cases, len(cell.apps)])
    states: Counter[str] = Counter()
    calls = naive = early = 0
    for draw in range(draws):
        base, head = draw_columns(cell, rng)
        gate = SequentialGate(
            cell.cases,
            wanted,
            max_repeats=cell.max_repeats,
            seed=draw,
            baseline=base if cell.baseline else None,
            clusters=_clusters(cell),
            strict=cell.strict,
        )
        calls += answer(gate, {"base": base, "head": head})
        verdict = gate.verdict()
        weak = verdict.state == "pass" and any("weak pass" in found.reason for found in verdict.objectives.values())
        states["weak" if weak else verdict.state] += 1
        naive += any(_naive(one, base, head) for one in wanted)
        early += gate.cases_used < cell.cases
    share = {state: count / draws for state, count in states.items()}
    return Rates(
        draws=draws,
        fail=share.get("fail", 0.0),
        passed=share.get("pass", 0.0) + share.get("weak", 0.0),
        weak=share.get("weak", 0.0),
        inconclusive=share.get("inconclusive", 0.0) + share.get("error", 0.0),
        calls=calls / draws / (2 * cell.cases),
        naive=naive / draws,
        decided_early=early / draws,
    )


def draw_columns(cell: Cell, rng: np.random.Generator) -> tuple[dict[str, Values], dict[str, Values]]:
    """Base's and head's columns of one simulated pull request."""
    base, head = {}, {}
    for app in cell.apps:
        effect = cell.effect if app.metric in cell.hit else Effect()
        name = METRICS[app.metric].source
        base[name], head[name] = draw_pair(app, effect, cell.cases, cell.max_repeats, rng, base_repeats=cell.baseline)
    return base, head


def _clusters(cell: Cell) -> npt.NDArray[np.int64] | None:
    size = cell.apps[0].cluster_size
    return None if size == 1 else np.arange(cell.cases, dtype=np.int64) // size


def _naive(objective: Objective, base: Mapping[str, Values], head: Mapping[str, Values]) -> bool:
    """The rule that everybody writes, on one repeat: new < old * 0.95."""
    metric, bound = objective.metric, objective.bounds[0]
    before, after = base[metric.source][:, 0], head[metric.source][:, 0]
    old, new = (
        (before.mean(), after.mean())
        if metric.quantile is None
        else (np.quantile(before, metric.quantile), np.quantile(after, metric.quantile))
    )
    return bool(new < old * (1 - bound.limit) if metric.higher_is_better else new > old * (1 + bound.limit))
