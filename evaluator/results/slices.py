"""Slices by tag: reported for every tag with enough cases, and gated where the config says so."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from evaluator.config.loading import LoadedConfig
from evaluator.errors import UsageError
from evaluator.gate import SliceResult, describe, judge_slices, with_slices, wording
from evaluator.gate.missing import ERROR_COLUMN
from evaluator.policy import GoldenSet
from evaluator.records import BoundKind, Case, Interval, Metric, Objective, Verdict
from evaluator.report.build import slice_part
from evaluator.report.document_parts import SlicePart
from evaluator.results.table import Table

_SMALLEST = 10
_MOST = 20


def tag_counts(cases: Sequence[Case]) -> dict[str, int]:
    """Cases per tag, the commonest first."""
    counts: dict[str, int] = {}
    for case in cases:
        for tag in case.tags:
            counts[tag] = counts.get(tag, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def slice_parts(
    golden: GoldenSet, metrics: Sequence[Metric], table: Table, gated: Sequence[SliceResult]
) -> list[SlicePart]:
    """Quality metrics of each tag with enough answered cases, the tags that gate first; those say how they ended."""
    quality = [metric for metric in metrics if metric.unit in ("score", "share") and metric.name != "error_rate"]
    units = {metric.name: metric for metric in metrics}
    tags_of = {case.id: case.tags for case in golden.cases}
    gating = list(dict.fromkeys(result.tag for result in gated))
    # A run that stopped early has not asked every case.
    asked = np.flatnonzero(~np.isnan(table.columns["head"][ERROR_COLUMN]).all(axis=1)).tolist()
    parts: list[SlicePart] = []
    counts = tag_counts([case for case in golden.cases if case.id in golden.gated])
    for tag in [*gating, *(tag for tag in counts if tag not in gating)]:
        rows = [index for index in asked if tag in tags_of[table.case_ids[index]]]
        small = len(rows) < _SMALLEST or len(rows) == len(asked) or len(parts) >= _MOST
        if small and tag not in gating:
            continue
        sides = {
            side: {name: values[rows] for name, values in columns.items()} for side, columns in table.columns.items()
        }
        clusters = table.clusters[rows] if table.clusters is not None else None
        found = describe(quality, sides.get("base"), sides["head"], clusters=clusters)
        of_tag = [result for result in gated if result.tag == tag]
        failed = [_figures(result, units) for result in of_tag if result.state == "fail"]
        undecided = [_open(result, units) for result in of_tag if result.state == "inconclusive"]
        parts.append(slice_part(tag, len(rows), found, failed if tag in gating else None, undecided))
    return parts


def _figures(result: SliceResult, metrics: Mapping[str, Metric]) -> str:
    """What was seen: "accuracy 36.7% → 0%, 100% worse (95% interval 65.1% to 100%), more than the 5% allowed"."""
    metric = metrics.get(result.objective)
    if metric is None or result.base is None or result.head is None:
        return f"{result.objective}: {result.reason}"
    before, after = wording.value(metric, result.base), wording.value(metric, result.head)
    return f"{result.objective} {before} → {after}, {result.reason}"


def _open(result: SliceResult, metrics: Mapping[str, Metric]) -> str:
    """Why a slice is undecided, the reason first: "6 cases are too few: accuracy 66.7% → 0%, ..."."""
    if result.change is None:  # nothing to compare, or nothing to compare by
        return f"{result.reason}: {result.objective}"
    few = f"{result.pairs} {'case is' if result.pairs == 1 else 'cases are'} too few"
    why = few if result.p_value is None else "among so many slices it may be chance"
    return f"{why}: {_figures(result, metrics)}"


def with_gated_slices(
    loaded: LoadedConfig, cases: Sequence[Case], table: Table, objectives: Sequence[Objective], verdict: Verdict
) -> tuple[Verdict, tuple[SliceResult, ...]]:
    """Judge the slices that the config lets gate, as a second family of tests beside the objectives.

    Raises:
        UsageError: The config names a tag that no case has: its slice would pass whatever happens.
    """
    chosen = gating_tags(loaded, cases)
    if not chosen:
        return verdict, ()
    masks = {tag: np.array([tag in case.tags for case in cases]) for tag in chosen}
    asked = [objective for objective in objectives if not objective.implied]
    found = judge_slices(table.columns["base"], table.columns["head"], asked, masks, clusters=table.clusters)
    return with_slices(verdict, found), tuple(_with_interval(result, asked) for result in found)


def _with_interval(result: SliceResult, objectives: Sequence[Objective]) -> SliceResult:
    """A result whose reason tells its interval too, for the report; where several bounds could be meant, as it is."""
    objective = next(one for one in objectives if one.name == result.objective)
    bounds = [bound for bound in objective.bounds if bound.kind.relative_to_base]
    seen, comma, rest = result.reason.partition(", ")
    if len(bounds) != 1 or result.interval is None or result.change is None or not comma:
        return result
    worse = result.change if bounds[0].kind is BoundKind.MAX_INCREASE else -result.change
    interval = result.interval
    if worse != result.change:
        interval = Interval(-interval.high, -interval.low, interval.confidence, interval.method)
    told = wording.worsening_interval(objective.metric, interval, worse, relative=bounds[0].relative)
    return replace(result, reason=f"{seen} ({told}), {rest}")


def gating_tags(loaded: LoadedConfig, cases: Sequence[Case]) -> list[str]:
    """The tags whose slices gate, sorted; none where the config names none.

    Raises:
        UsageError: The config names a tag that no case has: its slice would pass whatever happens.
    """
    wanted = loaded.config.slices.gate
    tags = sorted({tag for case in cases for tag in case.tags})
    if not wanted or wanted == "all":
        return tags if wanted else []
    missing = sorted(set(wanted) - set(tags))
    if missing:
        raise UsageError(
            f"{loaded.where('slices')}: no case of the golden set has the tag {missing[0][:60]!r}",
            hint=f"tags there are: {', '.join(tags[:12])[:300] or 'none'}",
        )
    return sorted(set(wanted))
