"""Slices by tag: a second family of tests beside the objectives, so that many slices do not mean many false alarms.

The first level is the objectives on all cases, which `decide` judges with their own error rate. The second level is
every objective on every slice, by Holm's step-down procedure (Holm 1979) at a much smaller rate. Slices are
exploratory: they gate only through `with_slices`, and only complete data should be handed in.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from evaluator.errors import EvalGateError
from evaluator.gate import reasons, wording
from evaluator.gate.columns import read_columns
from evaluator.gate.estimates import Estimate, estimate_change, run_value
from evaluator.gate.missing import ERROR_COLUMN
from evaluator.gate.rule import Rule
from evaluator.records import Bound, BoundKind, Interval, Objective, State, Verdict

SLICE_ALPHA = 0.01
"""Chance that any slice at all is blamed where none changed for the worse."""
FEWEST_IN_SLICE = 10
"""Cases (or clusters) below which a slice is shown but not tested."""
_STEPS = 24
_SMALLEST = 1e-9
_SHOWN = 0.95


@dataclass(frozen=True, slots=True)
class SliceResult:
    """What the data say of one objective's bound on the cases of one tag."""

    tag: str
    """Untrusted text."""
    objective: str
    state: State
    """`fail` if blamed after correction; `inconclusive` if the change seen breaks the limit, or there is too little."""
    base: float | None
    head: float | None
    change: float | None
    """Relative or absolute, as the bound is."""
    interval: Interval | None
    """95 %, of this slice alone: not corrected."""
    pairs: int
    p_value: float | None
    """Against "no worse than the near edge of the zone", one-sided; None if not tested."""
    adjusted: float | None
    """The same after Holm's correction over all slices tested."""
    reason: str


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values (1979), in the order given: those at most alpha hold jointly with error alpha."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    adjusted, worst = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        worst = max(worst, min(1.0, p_values[place] * (len(p_values) - rank)))
        adjusted[place] = worst
    return adjusted


def judge_slices(
    base: Mapping[str, npt.ArrayLike],
    head: Mapping[str, npt.ArrayLike],
    objectives: Sequence[Objective],
    slices: Mapping[str, npt.ArrayLike],
    *,
    clusters: npt.ArrayLike | None = None,
    seed: int = 0,
    alpha: float = SLICE_ALPHA,
) -> list[SliceResult]:
    """Hold every bound on a change against every slice.

    A slice fails if its change breaks the limit and Holm's adjusted p-value against "no worse than the near edge" is at
    most `alpha`.

    Args:
        base: As for `decide`; complete data.
        head: Likewise.
        objectives: Only bounds that compare with base count here.
        slices: Tag -> which cases have it, booleans (cases,). Slices may overlap.
        clusters: As for `decide`.
        seed: Of the bootstrap.
        alpha: Chance that any slice is blamed where none is worse than the near edge.

    Returns:
        One result a slice and bound, slices in the order given.

    Raises:
        EvalGateError: As `decide`, or if a slice is not one boolean a case.
    """
    found: list[SliceResult] = []
    for tag, rows in slices.items():
        keep = np.asarray(rows)
        for objective in objectives:
            bounds = [bound for bound in objective.bounds if bound.kind.relative_to_base]
            name = objective.metric.source
            if name not in head or name not in base:
                continue
            if keep.dtype != np.bool_ or keep.shape != (len(np.asarray(head[name])),):
                raise EvalGateError(f"slice {tag!r}: expected one boolean a case, found {keep.shape} of {keep.dtype}")
            part = {
                side: {key: np.asarray(columns[key])[keep] for key in {name, ERROR_COLUMN} & set(columns)}
                for side, columns in (("b", base), ("h", head))
            }
            codes = None if clusters is None else np.asarray(clusters)[keep]
            found += [_one(tag, objective, bound, part["b"], part["h"], codes, seed) for bound in bounds]
    tested = [place for place, result in enumerate(found) if result.p_value is not None]
    adjusted = holm([found[place].p_value or 0.0 for place in tested])
    for place, value in zip(tested, adjusted, strict=True):
        result = found[place]
        state: State = "fail" if result.state == "inconclusive" and value <= alpha else result.state
        found[place] = replace(result, adjusted=value, state=state)
    return found


def with_slices(verdict: Verdict, slices: Sequence[SliceResult]) -> Verdict:
    """Let slices gate too, where the config says so: one that fails makes the verdict fail; the worst are named."""
    failed = sorted((result for result in slices if result.state == "fail"), key=_widest_first)
    if not failed:
        return verdict
    named = "; ".join(f"{result.objective} in slice {result.tag!r}: {result.reason}" for result in failed[:3])
    more = f"; and {len(failed) - 3} more slices" if len(failed) > 3 else ""
    before = f"{verdict.reason} " if verdict.state == "fail" else ""
    return replace(verdict, state="fail", reason=f"{before}Slices fail: {named}{more}.")


def _widest_first(result: SliceResult) -> tuple[float, str, str]:
    """For sorting slices that fail: by the size of the change as a share of base, which bounds in points can share."""
    if result.base is None or result.head is None:
        return math.inf, result.tag, result.objective
    size = abs(result.head - result.base)
    return -(size / abs(result.base) if result.base else math.inf), result.tag, result.objective


def _one(
    tag: str,
    objective: Objective,
    bound: Bound,
    base: Mapping[str, npt.ArrayLike],
    head: Mapping[str, npt.ArrayLike],
    clusters: npt.ArrayLike | None,
    seed: int,
) -> SliceResult:
    metric = objective.metric
    columns = read_columns(metric, base, head, clusters)
    if columns is None or columns.pair is None or columns.pair[0].cases == 0:
        return SliceResult(
            tag, objective.name, "inconclusive", None, None, None, None, 0, None, None, "nothing to compare"
        )
    before, after = columns.pair
    old, new = run_value(metric, before), run_value(metric, after)
    if bound.relative and old == 0:
        reason = "base is 0, so there is no relative change"
        return SliceResult(tag, objective.name, "inconclusive", old, new, None, None, before.cases, None, None, reason)
    estimate = estimate_change(metric, before, after, seed, relative=bound.relative)
    sign = 1.0 if bound.kind is BoundKind.MAX_INCREASE else -1.0
    near, _ = Rule().edges(bound)
    worse, shown = sign * estimate.value, estimate.at(_SHOWN)
    good = worse <= bound.limit
    p_value = _p_value(estimate, sign, near) if before.units >= FEWEST_IN_SLICE else None
    seen = wording.worsening(metric, worse, relative=bound.relative)
    return SliceResult(
        tag=tag,
        objective=objective.name,
        state="pass" if good else "inconclusive",
        base=old,
        head=new,
        change=estimate.value,
        interval=shown,
        pairs=before.cases,
        p_value=p_value,
        adjusted=None,
        reason=f"{seen}, {'within' if good else 'more than'} {reasons.limit_words(metric, bound)}",
    )


def _p_value(estimate: Estimate, sign: float, near: float) -> float:
    """The smallest one-sided error at which the interval still excludes the near edge, by bisection of its log."""

    def excludes(alpha: float) -> bool:
        interval = estimate.at(1.0 - 2.0 * alpha)
        return (interval.low if sign > 0 else -interval.high) > near

    low, high = np.log(_SMALLEST), np.log(0.5)
    if not excludes(float(np.exp(high)) * (1.0 - 1e-9)):
        return 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        if excludes(float(np.exp(middle))):
            high = middle
        else:
            low = middle
    return float(np.exp(high))
