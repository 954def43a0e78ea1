"""Slices by tag: reported for every tag with enough cases, and gated where the config says so."""

from collections.abc import Sequence

import numpy as np

from evaluator.config.loading import LoadedConfig
from evaluator.errors import UsageError
from evaluator.gate import SliceResult, describe, judge_slices, with_slices
from evaluator.records import Case, Metric, Objective, Verdict
from evaluator.report.build import slice_part
from evaluator.report.document_parts import SlicePart
from evaluator.runner.policy import GoldenSet
from evaluator.runner.table import Table

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
    """Quality metrics of each tag with enough cases, the tags that gate first; those say whether they failed."""
    quality = [metric for metric in metrics if metric.unit in ("score", "share") and metric.name != "error_rate"]
    tags_of = {case.id: case.tags for case in golden.cases}
    gating = list(dict.fromkeys(result.tag for result in gated))
    parts: list[SlicePart] = []
    counts = tag_counts([case for case in golden.cases if case.id in golden.gated])
    for tag in [*gating, *(tag for tag in counts if tag not in gating)]:
        rows = [index for index, case_id in enumerate(table.case_ids) if tag in tags_of[case_id]]
        small = len(rows) < _SMALLEST or len(rows) == len(table.case_ids) or len(parts) >= _MOST
        if small and tag not in gating:
            continue
        sides = {
            side: {name: values[rows] for name, values in columns.items()} for side, columns in table.columns.items()
        }
        clusters = table.clusters[rows] if table.clusters is not None else None
        found = describe(quality, sides.get("base"), sides["head"], clusters=clusters)
        parts.append(slice_part(tag, len(rows), found, _failed(tag, gated) if tag in gating else None))
    return parts


def _failed(tag: str, gated: Sequence[SliceResult]) -> list[str]:
    return [f"{result.objective}: {result.reason}" for result in gated if result.tag == tag and result.state == "fail"]


def with_gated_slices(
    loaded: LoadedConfig, cases: Sequence[Case], table: Table, objectives: Sequence[Objective], verdict: Verdict
) -> tuple[Verdict, tuple[SliceResult, ...]]:
    """Judge the slices that the config lets gate, as a second family of tests beside the objectives.

    Raises:
        UsageError: The config names a tag that no case has: its slice would pass whatever happens.
    """
    wanted = loaded.config.slices.gate
    if not wanted:
        return verdict, ()
    chosen = gating_tags(loaded, cases)
    masks = {tag: np.array([tag in case.tags for case in cases]) for tag in chosen}
    asked = [objective for objective in objectives if not objective.implied]
    found = judge_slices(table.columns["base"], table.columns["head"], asked, masks, clusters=table.clusters)
    return with_slices(verdict, found), tuple(found)


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
