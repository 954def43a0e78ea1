"""Fills the result document from records: verdict, comparison rows, spend. Cases are in `build_cases.py`.

Pure functions: no files, no clock. Everything that is not in the records is a parameter.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from evaluator.records import BoundResult, Call, Interval, ObjectiveResult, Verdict
from evaluator.report.build_cases import CaseSelection, Observed
from evaluator.report.document import ResultDocument, Tool
from evaluator.report.document_parts import (
    BoundPart,
    ConfigInfo,
    DatasetInfo,
    Distribution,
    EstimatePart,
    IntervalPart,
    LabelTable,
    MetricRow,
    ObjectivePart,
    PolicyChange,
    RefInfo,
    SlicePart,
    Spend,
    VerdictPart,
)


def interval_part(interval: Interval | None) -> IntervalPart | None:
    """Give an interval as the document holds it; infinite ends become null."""
    if interval is None:
        return None
    return IntervalPart(low=interval.low, high=interval.high, confidence=interval.confidence, method=interval.method)


def metric_row(result: ObjectiveResult) -> MetricRow:
    """Give one metric's comparison without its bounds, for metrics that have no objective and for slices."""
    return MetricRow(
        name=result.name,
        unit=result.objective.metric.unit,
        higher_is_better=result.objective.metric.higher_is_better,
        base=result.base,
        head=result.head,
        change=result.change,
        interval=interval_part(result.interval),
        pairs=result.pairs,
    )


def objective_part(result: ObjectiveResult, detectable: float | None = None) -> ObjectivePart:
    """Give one objective's result.

    Args:
        result: What the data say of the objective.
        detectable: Smallest relative change for the worse that is seen 80 % of the time (0.03 is 3 %), if known.
    """
    return ObjectivePart(
        **metric_row(result).model_dump(),
        state=result.state,
        implied=result.objective.implied,
        reason=result.reason,
        warnings=list(result.warnings),
        bounds=[_bound_part(bound) for bound in result.bounds],
        detectable=detectable,
    )


def verdict_part(verdict: Verdict, detectable: Mapping[str, float | None] | None = None) -> VerdictPart:
    """Give a verdict; `detectable` holds the smallest visible change per objective's name."""
    seen = detectable or {}
    return VerdictPart(
        state=verdict.state,
        reason=verdict.reason,
        warnings=list(verdict.warnings),
        objectives=[objective_part(result, seen.get(name)) for name, result in verdict.objectives.items()],
    )


def slice_part(
    tag: str,
    cases: int,
    results: Iterable[ObjectiveResult],
    failed: Sequence[str] | None = None,
    undecided: Sequence[str] = (),
) -> SlicePart:
    """Give the comparison of one tag's cases.

    Args:
        tag: The tag.
        cases: Its cases that were answered.
        results: A comparison a metric.
        failed: What a gated slice failed on, maybe nothing; None for a slice that is exploratory.
        undecided: What is left open of a gated slice.
    """
    return SlicePart(
        tag=tag,
        cases=cases,
        rows=[metric_row(result) for result in results],
        gated=failed is not None,
        state="fail" if failed else "inconclusive" if undecided else "pass",
        failed=list(failed or ()),
        undecided=list(undecided),
    )


def spend_part(observed: Iterable[Observed]) -> Spend:
    """Add up what answers and scores cost, in US dollars by the price list, cached calls told apart.

    An answer without metered calls counts with the cost and tokens that the app told itself.
    """
    target, evaluation, real = 0.0, 0.0, 0.0
    calls: list[Call] = []
    tokens_in = tokens_out = 0
    for one in observed:
        judged = [call for score in one.scores for call in score.calls]
        calls += [*one.output.calls, *judged]
        evaluation += sum(call.counted_usd or 0.0 for call in judged)
        if one.output.calls:
            target += sum(call.counted_usd or 0.0 for call in one.output.calls)
        else:
            target += one.output.cost_usd or 0.0
            real += one.output.cost_usd or 0.0
            if one.output.usage:
                tokens_in += one.output.usage.input_tokens
                tokens_out += one.output.usage.output_tokens
    return Spend(
        target_usd=target,
        evaluation_usd=evaluation,
        total_usd=target + evaluation,
        real_usd=real + sum(call.counted_usd or 0.0 for call in calls if not call.cached),
        calls=len(calls),
        cached_calls=sum(call.cached for call in calls),
        unpriced_calls=sum(call.counted_usd is None for call in calls),
        input_tokens=tokens_in + sum(call.counted_usage.input_tokens for call in calls if call.counted_usage),
        output_tokens=tokens_out + sum(call.counted_usage.output_tokens for call in calls if call.counted_usage),
    )


def estimate_part(
    calls: int | None, usd: float | None, spent_calls: int, spent_usd: float | None
) -> EstimatePart | None:
    """Hold what was estimated beside what was spent; None if nothing was estimated."""
    if calls is None and usd is None:
        return None
    priced = bool(usd) and spent_usd is not None
    estimated, spent = (usd, spent_usd) if priced else (calls, spent_calls)
    error = (spent - estimated) / estimated if estimated and spent is not None else None
    return EstimatePart(calls=calls, usd=usd, spent_calls=spent_calls, spent_usd=spent_usd, error=error)


def from_verdict(
    verdict: Verdict,
    *,
    version: str,
    kind: Literal["gate", "run", "compare"],
    created_at: str,
    duration_s: float,
    head: RefInfo,
    base: RefInfo | None = None,
    config: ConfigInfo | None = None,
    dataset: DatasetInfo | None = None,
    repeats: int = 1,
    detectable: Mapping[str, float | None] | None = None,
    other_metrics: Sequence[ObjectiveResult] = (),
    slices: Sequence[SlicePart] = (),
    label_tables: Sequence[LabelTable] = (),
    distributions: Sequence[Distribution] = (),
    spend: Spend | None = None,
    estimate: EstimatePart | None = None,
    timings: Mapping[str, float] | None = None,
    cases: CaseSelection | None = None,
    policy_changes: Sequence[PolicyChange] = (),
    notes: Sequence[str] = (),
    rerun: str = "",
) -> ResultDocument:
    """Put the result document together.

    Args:
        verdict: The verdict with its objectives, in the order in which to show them.
        version: Version of this program.
        kind: Which command made it.
        created_at: Time of the run, ISO 8601.
        duration_s: Wall time in seconds.
        head: The ref under test.
        base: The ref that it is compared with; None for a run of one ref.
        config: The config file that ruled.
        dataset: The golden set.
        repeats: Answers per case and side.
        detectable: Objective's name -> smallest relative change for the worse that is seen 80 % of the time.
        other_metrics: Comparisons of metrics without an objective.
        slices: From `slice_part`.
        label_tables: From `build_labels.label_table`.
        distributions: From `build_cases.distribution`.
        spend: From `spend_part`.
        estimate: From `estimate_part`.
        timings: Phase -> seconds.
        cases: From `build_cases.select_cases`.
        policy_changes: What head changes in config, golden set or rubric.
        notes: Anything the reader should know, one sentence each.
        rerun: The command that repeats the run.
    """
    return ResultDocument(
        tool=Tool(version=version),
        kind=kind,
        created_at=created_at,
        duration_s=duration_s,
        base=base,
        head=head,
        config=config,
        dataset=dataset,
        repeats=repeats,
        verdict=verdict_part(verdict, detectable),
        other_metrics=[metric_row(result) for result in other_metrics],
        slices=list(slices),
        label_tables=list(label_tables),
        distributions=list(distributions),
        spend=spend or Spend(),
        estimate=estimate,
        timings=dict(timings or {}),
        cases=list(cases.cases) if cases else [],
        cases_total=cases.total if cases else 0,
        cases_shown=len(cases.cases) if cases else 0,
        policy_changes=list(policy_changes),
        notes=list(notes),
        rerun=rerun,
    )


def _bound_part(result: BoundResult) -> BoundPart:
    return BoundPart(
        kind=result.bound.kind.value,
        limit=result.bound.limit,
        relative=result.bound.relative,
        state=result.state,
        value=result.value,
        interval=interval_part(result.interval),
        reason=result.reason,
    )
