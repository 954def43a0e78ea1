"""Case parts of the result document: what both refs answered, what changed, how much it matters; distributions.

A per-case change is told by the scores alone and is not a statistic: the verdict comes from the comparison.
"""

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluator.records import Case, Metric, MetricKind, Output, Score
from evaluator.report.build_calls import call_parts
from evaluator.report.document_parts import (
    Answer,
    CaseChange,
    CasePart,
    Distribution,
    FailurePart,
    ToolCallPart,
    json_safe,
)
from evaluator.report.escape import shorten

TEXT_LIMIT = 20_000
"""Characters of one text kept in the document; longer ones end in a note."""
MAX_CASES = 2_000
MAX_DIFFERENCES = 400
MAX_DISCRETE = 8
BINS = 16
_EQUAL = 1e-9


@dataclass(frozen=True, slots=True)
class Observed:
    """One answer to a case and its scores."""

    output: Output
    scores: Sequence[Score] = ()


@dataclass(frozen=True, slots=True)
class CaseSelection:
    """The cases to show, most important first, and how many there were."""

    cases: Sequence[CasePart]
    total: int


def select_cases(
    cases: Iterable[Case],
    base: Mapping[str, Sequence[Observed]] | None,
    head: Mapping[str, Sequence[Observed]],
    metrics: Sequence[Metric],
    *,
    limit: int = MAX_CASES,
    gated: frozenset[str] | None = None,
) -> CaseSelection:
    """Build the case parts and keep the `limit` most important ones.

    Args:
        cases: The golden set's cases, each once.
        base: Case id -> answers in order of repeat; None for a run of one ref.
        head: The same of head.
        metrics: All metrics of the run; quality metrics among them decide what counts as a regression.
        limit: How many cases to keep.
        gated: Ids of the cases that count for the verdict; None if all do.
    """
    return most_important(
        ((case, None if base is None else base.get(case.id, ()), head.get(case.id, ())) for case in cases),
        metrics,
        limit=limit,
        gated=gated,
    )


def most_important(
    answered: Iterable[tuple[Case, Sequence[Observed] | None, Sequence[Observed]]],
    metrics: Sequence[Metric],
    *,
    limit: int = MAX_CASES,
    gated: frozenset[str] | None = None,
) -> CaseSelection:
    """As `select_cases`, of cases that come one at a time with their answers: no more than `limit` are ever held.

    Args:
        answered: Each case with its answers at base (None for a run of one ref) and at head.
        metrics: All metrics of the run.
        limit: How many cases to keep.
        gated: Ids of the cases that count for the verdict; None if all do.
    """
    kept: list[tuple[float, int, CasePart]] = []
    total = 0
    for case, base, head in answered:
        part = case_part(case, base, head, metrics, gated=gated is None or case.id in gated)
        entry = (part.importance, -total, part)  # of two that matter alike the earlier one stays
        total += 1
        if len(kept) < limit:
            heapq.heappush(kept, entry)
        elif kept and entry[:2] > kept[0][:2]:
            heapq.heapreplace(kept, entry)
    return CaseSelection([part for *_, part in sorted(kept, key=lambda one: one[:2], reverse=True)], total)


def case_part(
    case: Case,
    base: Sequence[Observed] | None,
    head: Sequence[Observed],
    metrics: Sequence[Metric],
    *,
    gated: bool = True,
) -> CasePart:
    """Build one case's part; `base` is None for a run of one ref, and empty where only head has the case."""
    columns = _shown_columns(metrics)
    before = answer_part(base, columns) if base else None
    after = answer_part(head, columns) if head else None
    change, importance = _change(before, after, metrics, compared=base is not None)
    return CasePart(
        id=case.id,
        line=case.line,
        tags=list(case.tags),
        input=_capped(case.input),
        expected=_capped(case.expected),
        change=change,
        importance=importance,
        gated=gated,
        base=before,
        head=after,
    )


def answer_part(observed: Sequence[Observed], columns: frozenset[str] | None = None) -> Answer:
    """Build one side's answer: the first repeat that answered, with means over all repeats.

    Args:
        observed: At least one answer.
        columns: Score columns to show; all of them if None.
    """
    shown = next((one for one in observed if one.output.failure is None), observed[0])
    output = shown.output
    values: dict[str, list[float]] = {}
    for one in observed:
        for score in one.scores:
            for column, value in score.values.items():
                if columns is None or column in columns:
                    values.setdefault(column, []).append(float(value))
    reasons: dict[str, str] = {}
    for score in shown.scores:
        told = f"failed: {score.failure.kind.value}: {score.failure.message}" if score.failure else score.reason
        if told:
            reasons[score.scorer] = _cut(told)
    failure = output.failure
    return Answer(
        text=None if output.text is None else _cut(output.text),
        data=_capped(output.data),
        tool_calls=[ToolCallPart(name=call.name, arguments=_capped(call.arguments)) for call in output.tool_calls],
        contexts=[_cut(context) for context in output.contexts],
        latency_s=_mean([one.output.latency_s for one in observed if one.output.latency_s is not None]),
        cost_usd=_mean([one.output.cost_usd for one in observed if one.output.cost_usd is not None]),
        cached=output.cached,
        failure=None if failure is None else FailurePart(kind=failure.kind.value, message=_cut(failure.message)),
        repeats=len(observed),
        failed_repeats=sum(one.output.failure is not None for one in observed),
        scores={column: _mean(found) for column, found in values.items()},
        reasons=reasons,
        calls=call_parts(output),
        calls_made=max(len(output.requests), len(output.calls)),
    )


def distribution(metric: Metric, base: Mapping[str, float] | None, head: Mapping[str, float]) -> Distribution | None:
    """Count per-case values in bins, and list the paired differences.

    Args:
        metric: The metric; a LABELS metric has no per-case values to spread and gives None.
        base: Case id -> value; None for a run of one ref.
        head: The same of head.

    Returns:
        Up to 16 equal bins, or one bin per distinct value where there are at most 8; None without finite values.
    """
    if metric.kind is MetricKind.LABELS:
        return None
    first = {case: value for case, value in (base or {}).items() if math.isfinite(value)}
    second = {case: value for case, value in head.items() if math.isfinite(value)}
    everything = [*first.values(), *second.values()]
    if not everything:
        return None
    distinct = sorted({round(value, 9) for value in everything})
    discrete = len(distinct) <= MAX_DISCRETE
    low, high = min(everything), max(everything)
    edges = distinct if discrete else [low + (high - low) * step / BINS for step in range(BINS + 1)]
    differences = sorted(second[case] - first[case] for case in first.keys() & second.keys())
    stride = max(1, -(-len(differences) // MAX_DIFFERENCES))
    return Distribution(
        metric=metric.source,
        unit=metric.unit,
        higher_is_better=metric.higher_is_better,
        edges=edges,
        discrete=discrete,
        base=_counts(first.values(), edges, discrete=discrete),
        head=_counts(second.values(), edges, discrete=discrete),
        differences=differences[::stride],
    )


def _counts(values: Iterable[float], edges: list[float], *, discrete: bool) -> list[int]:
    if discrete:
        found = [round(value, 9) for value in values]
        return [found.count(edge) for edge in edges]
    counts = [0] * BINS
    width = (edges[-1] - edges[0]) / BINS
    for value in values:
        counts[min(int((value - edges[0]) / width), BINS - 1)] += 1
    return counts


def _shown_columns(metrics: Sequence[Metric]) -> frozenset[str] | None:
    # The values of a LABELS metric are codes of (expected, predicted): they mean nothing to a reader.
    if not metrics:
        return None
    return frozenset(metric.source for metric in metrics if metric.kind is not MetricKind.LABELS)


def _change(
    base: Answer | None, head: Answer | None, metrics: Sequence[Metric], *, compared: bool
) -> tuple[CaseChange, float]:
    """Say what happened to a case, and how early a reviewer should see it (larger is earlier)."""
    if head is None:
        return "removed", 0.4
    if base is None:
        if head.failed_repeats:
            return "failed", 4.0
        if compared:
            return "added", 0.7
        # One ref alone: the lowest scores first.
        return "same", 1.0 - _goodness(head, metrics)
    if head.failed_repeats > base.failed_repeats:
        return "failed", 4.0
    if head.failure:
        return "failed", 0.9
    if base.failed_repeats > head.failed_repeats:
        return "improved", 2.0
    deltas = [
        (head_value - base_value) / _scale(metric, base_value, head_value) * (1 if metric.higher_is_better else -1)
        for metric in metrics
        if _is_quality(metric)
        and (base_value := base.scores.get(metric.source)) is not None
        and (head_value := head.scores.get(metric.source)) is not None
    ]
    worst, best = min(deltas, default=0.0), max(deltas, default=0.0)
    if worst < -_EQUAL and -worst >= best:
        return "regressed", 2.0 + min(-worst, 1.0)
    if best > _EQUAL:
        return "improved", 1.0 + min(best, 1.0)
    same = (base.text, base.data, base.tool_calls) == (head.text, head.data, head.tool_calls)
    return ("same", 0.0) if same else ("changed", 0.5)


def _is_quality(metric: Metric) -> bool:
    return metric.unit in ("score", "share") and metric.kind is not MetricKind.LABELS and metric.name != "error_rate"


def _scale(metric: Metric, base: float, head: float) -> float:
    if metric.low is not None and metric.high is not None and metric.high > metric.low:
        return metric.high - metric.low
    return max(abs(base), abs(head), _EQUAL)


def _goodness(answer: Answer, metrics: Sequence[Metric]) -> float:
    shares = [
        min(max((value - (metric.low or 0.0)) / _scale(metric, metric.low or 0.0, value), 0.0), 1.0)
        for metric in metrics
        if _is_quality(metric) and metric.higher_is_better and (value := answer.scores.get(metric.source)) is not None
    ]
    return min(shares, default=1.0)


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _cut(text: str) -> str:
    if len(text) <= TEXT_LIMIT:
        return text
    return f"{shorten(text, TEXT_LIMIT)} ({len(text):,} characters in all)"


def _capped(value: object) -> Any:
    """Shorten the strings inside a JSON value, and a value that is large as a whole to its text."""
    safe = json_safe(value)
    if isinstance(safe, str):
        return _cut(safe)
    if safe is None or isinstance(safe, bool | int | float):
        return safe
    import json

    text = json.dumps(safe, ensure_ascii=False)
    return safe if len(text) <= TEXT_LIMIT else _cut(text)
