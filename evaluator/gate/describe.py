"""Comparisons without a bound: metrics that nobody set an objective for, slices, and what the gate could have seen."""

from collections.abc import Mapping, Sequence

import numpy.typing as npt

from evaluator.gate.columns import read_columns
from evaluator.gate.decide import summarise
from evaluator.gate.power import measured_sight
from evaluator.records import Metric, Objective, ObjectiveResult, Verdict

_Columns = Mapping[str, npt.ArrayLike]


def describe(
    metrics: Sequence[Metric],
    base: _Columns | None,
    head: _Columns,
    *,
    clusters: npt.ArrayLike | None = None,
    seed: int = 0,
) -> list[ObjectiveResult]:
    """Compare metrics that have no bound.

    Args:
        metrics: What to compare; those without a value on head are left out.
        base: As for `decide`; None for a run of one ref.
        head: As for `decide`.
        clusters: As for `decide`.
        seed: Of the bootstrap.

    Returns:
        A result a metric, with base, head, change and interval, without bounds; its state says nothing.
    """
    found = []
    for metric in metrics:
        columns = read_columns(metric, base, head, clusters)
        if columns is None or columns.head.cases == 0:
            continue
        objective = Objective(metric, ())
        before, after, change, interval = summarise(objective, columns, seed)
        pairs = columns.pair[0].cases if columns.pair else 0
        found.append(ObjectiveResult(objective, "pass", before, after, change, interval, pairs, "no bound", ()))
    return found


def detectable_changes(
    verdict: Verdict,
    base: _Columns | None,
    head: _Columns,
    *,
    clusters: npt.ArrayLike | None = None,
    cases: int | None = None,
    max_repeats: int | None = None,
) -> dict[str, float | None]:
    """The smallest relative change for the worse that the gate would have failed 80 % of the time, by objective.

    None where that is not known: no relative bound, or too few cases. The noise is what was seen between these two
    runs; see `power`, whose `measured_sight` says more.

    Args:
        verdict: Names the objectives.
        base: As for `decide`.
        head: As for `decide`.
        clusters: As for `decide`.
        cases: Cases that could have been used, where the run stopped early.
        max_repeats: Repeats that could have been used, likewise.
    """
    objectives = [result.objective for result in verdict.objectives.values()]
    found: dict[str, float | None] = dict.fromkeys(verdict.objectives)
    if base is None:
        return found
    known = {
        name: next(bound.interval for bound in result.bounds if bound.bound.kind.relative_to_base)
        for name, result in verdict.objectives.items()
        if any(bound.bound.kind.relative_to_base for bound in result.bounds)
    }
    intervals = {name: interval for name, interval in known.items() if interval is not None}
    seen = measured_sight(
        objectives, base, head, cases=cases, max_repeats=max_repeats, clusters=clusters, known=intervals
    )
    for objective in objectives:
        bound = next((bound for bound in objective.bounds if bound.kind.relative_to_base), None)
        if bound is not None and bound.relative and objective.name in seen:
            found[objective.name] = seen[objective.name].smallest
    return found
