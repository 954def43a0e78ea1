"""The verdict on two complete runs: objective by objective, then combined. No I/O; the rule itself is in `bounds`.

Stopping before all is known is `sequential`'s business; it ends here too.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from evaluator.errors import EvalGateError
from evaluator.gate import reasons
from evaluator.gate.bounds import Excluded, Finding, check_bound
from evaluator.gate.columns import Columns, read_columns
from evaluator.gate.estimates import estimate_change, run_value
from evaluator.gate.rule import Rule
from evaluator.records import Bound, BoundResult, Interval, MetricKind, Objective, ObjectiveResult, State, Verdict
from evaluator.stats import relative_change

ADVISED_UNITS = 31
"""Below so many cases (or clusters) intervals under-cover where failures are rare (90 % instead of 95 % at 30)."""
WIDE_BELOW = {MetricKind.PROPORTION: 60, MetricKind.LABELS: 60, MetricKind.QUANTILE: 101}
"""Below so many the intervals of these kinds err on the wide side: they hold the truth 97 to 99 % of the time."""
WORST_FIRST: tuple[State, ...] = ("fail", "error", "inconclusive", "pass")
"""How states combine: the first that occurs."""


def decide(
    base: Mapping[str, npt.ArrayLike] | None,
    head: Mapping[str, npt.ArrayLike],
    objectives: Sequence[Objective],
    *,
    clusters: npt.ArrayLike | None = None,
    seed: int = 0,
    strict: bool = False,
) -> Verdict:
    """Decide whether head keeps every objective, from complete runs.

    Head's repeats count as that many looks, the last of which this is: the answer is that of a `SequentialGate` which
    got so far.

    Args:
        base: Column name (`Metric.source`) -> values (cases, repeats) or (cases,), NaN for missing. None, or without a
            column: bounds that compare with base are then in error.
        head: Likewise, the same cases in the same order.
        objectives: The bounds to keep.
        clusters: Integers (cases,): cases that share a document or conversation share a number, a negative number
            stands alone. None: every case stands alone.
        seed: Of the bootstrap that quantiles and label statistics need.
        strict: Non-inferiority: a pass must exclude the limit itself. Weak passes become inconclusive.

    Returns:
        The verdict: `fail` if any objective fails, else `error` if any could not be judged, else `inconclusive` if any
        is, else `pass`.

    Raises:
        EvalGateError: If there is no objective, an objective without a bound or twice the same, or an array of the
            wrong shape or with a value that its metric cannot have.
    """
    check_objectives(objectives)
    rule = Rule(len(objectives), looks=_repeats(objectives, head), strict=strict, seed=seed)
    judged = [judge(objective, read_columns(objective.metric, base, head, clusters), rule) for objective in objectives]
    return combine([found.result for found in judged])


def combine(results: Sequence[ObjectiveResult]) -> Verdict:
    """The verdict that objectives' results come to."""
    state = worst([result.state for result in results])
    return Verdict(state, {result.name: result for result in results}, reasons.verdict_reason(state, results))


def worst(states: Sequence[State]) -> State:
    """The state that a number of states combine to: fail, else error, else inconclusive, else pass."""
    return next(state for state in WORST_FIRST if state in states)


def _repeats(objectives: Sequence[Objective], head: Mapping[str, npt.ArrayLike]) -> int:
    names = {objective.metric.source for objective in objectives} & set(head)
    shapes: list[tuple[int, ...]] = [np.shape(head[name]) for name in names]
    return max([1, *(shape[1] for shape in shapes if len(shape) > 1)])


def check_objectives(objectives: Sequence[Objective]) -> None:
    """Refuse what cannot be judged.

    Raises:
        EvalGateError: If there is no objective, one without a bound, twice the same, or a limit or zone that cannot be.
    """
    if not objectives:
        raise EvalGateError(
            "there is no objective, so there is nothing to decide", hint="name a metric under objectives"
        )
    names = [objective.name for objective in objectives]
    for objective in objectives:
        if names.count(objective.name) > 1:
            raise EvalGateError(f"objective {objective.name!r} is there twice", hint="put all its bounds into one")
        if not objective.bounds:
            raise EvalGateError(
                f"objective {objective.name!r} has no bound", hint="give min, max, max_drop or max_increase"
            )
        for bound in objective.bounds:
            if not math.isfinite(bound.limit) or (bound.kind.relative_to_base and bound.limit < 0):
                raise EvalGateError(f"objective {objective.name!r}: {bound.kind} cannot be {bound.limit}")
            if bound.kind.relative_to_base:
                _check_zone(objective, bound)


def _check_zone(objective: Objective, bound: Bound) -> None:
    near, far = Rule().edges(bound)
    if not 0 <= near <= bound.limit <= far < math.inf:
        raise EvalGateError(
            f"objective {objective.name!r}: the zone from {near:g} to {far:g} does not hold the limit {bound.limit:g}",
            hint="give edges with 0 <= near <= limit <= far",
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """An objective's result, and how sure its bounds are."""

    result: ObjectiveResult
    findings: tuple[Finding, ...] = ()


def judge(
    objective: Objective, columns: Columns | None, rule: Rule, excluded: Sequence[Excluded] | None = None
) -> Judged:
    """Hold one objective's bounds against its columns.

    Args:
        objective: The bounds to keep.
        columns: The values; None if head has no such column.
        rule: How strictly.
        excluded: For each bound what sequential tests have excluded, where the columns are not complete yet.
    """
    if columns is None:
        reason = "nothing was measured on head"
        missing = tuple(BoundResult(bound, "error", None, None, reason) for bound in objective.bounds)
        return Judged(ObjectiveResult(objective, "error", None, None, None, None, 0, reason, missing))
    # Nobody asked for the implied bound on errors, so it need not be shown to hold beyond doubt.
    mine = replace(rule, strict=rule.strict and not objective.implied)
    seen: Sequence[Excluded | None] = excluded or [None] * len(objective.bounds)
    findings = tuple(
        check_bound(objective.metric, bound, columns, mine, known)
        for bound, known in zip(objective.bounds, seen, strict=True)
    )
    results = tuple(finding.result for finding in findings)
    state = worst([result.state for result in results])
    shares = [found.interval for found in results if found.bound.kind.relative_to_base and found.bound.relative]
    before, after, change, interval = summarise(objective, columns, rule.seed, known=shares[0] if shares else None)
    result = ObjectiveResult(
        objective=objective,
        state=state,
        base=before,
        head=after,
        change=change,
        interval=interval if interval is not None else results[0].interval,
        pairs=columns.pair[0].cases if columns.pair else 0,
        reason="; ".join(dict.fromkeys(result.reason for result in results if result.state == state)),
        bounds=results,
        warnings=_warnings(objective, columns, findings, partial=excluded is not None),
    )
    return Judged(result, findings)


def summarise(
    objective: Objective, columns: Columns, seed: int, *, known: Interval | None = None
) -> tuple[float | None, float | None, float | None, Interval | None]:
    """Sum up as (base, head, relative change, its 95 % interval): cases that count on both sides, else head alone.

    Args:
        objective: Its metric is summed up; its bounds do not matter.
        columns: The values.
        seed: Of the bootstrap.
        known: The interval of the relative change, where a bound has asked for it already.
    """
    metric = objective.metric
    if columns.pair is None or columns.pair[0].cases == 0:
        return None, run_value(metric, columns.head) if columns.head.cases else None, None, None
    base, head = columns.pair
    before, after = run_value(metric, base), run_value(metric, head)
    change = relative_change(before, after)
    if change is None:
        return before, after, None, None
    return before, after, change, known or estimate_change(metric, base, head, seed, relative=True).at(0.95)


def _warnings(objective: Objective, columns: Columns, findings: Sequence[Finding], *, partial: bool) -> tuple[str, ...]:
    sample = columns.pair[0] if columns.pair else columns.head
    lost = columns.lost_by_base + columns.lost_by_head
    found = [reasons.blamed_answers(columns.blamed)] if columns.blamed else []
    if columns.pair is not None and lost:
        found.append(reasons.lost_cases(lost, columns.seen))
    elif lost and columns.head.cases:
        found.append(f"{columns.head.cases} of {columns.seen} cases have a value")
    # A test that is valid at every look needs no such advice.
    if 0 < sample.units < ADVISED_UNITS and not partial:
        found.append(reasons.few_warning(sample.units, ADVISED_UNITS, clustered=sample.clusters is not None))
    elif sample.units < WIDE_BELOW.get(objective.metric.kind, 0) and not partial and not objective.implied:
        found.append(
            reasons.wide_warning(sample.units, WIDE_BELOW[objective.metric.kind], clustered=sample.clusters is not None)
        )
    # The bound on errors that nobody wrote passes weakly with any small golden set: no news.
    if not objective.implied:
        found.extend(finding.result.reason for finding in findings if finding.weak)
    return tuple(found)


def settled(finding: Finding) -> bool:
    """Whether more repeats are not worth their cost: a value that is good needs none, a change must be beyond doubt."""
    return finding.decided or (finding.good and not finding.result.bound.kind.relative_to_base)


def enough(judged: Judged, place: int, hopeless: Collection[tuple[int, int]]) -> bool:
    """Whether an early look may end the run: every bound is decided, or good and beyond what data could ever show.

    Args:
        judged: The objective.
        place: Its place among the objectives.
        hopeless: Bounds, as (objective's place, bound's number), that are never beyond doubt.
    """
    return judged.result.state != "error" and all(
        finding.decided or (finding.good and (place, number) in hopeless)
        for number, finding in enumerate(judged.findings)
    )
