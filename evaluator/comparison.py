"""Two files of scores, from a run of ours or from any other tool, and a verdict; no model is called."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from evaluator.config.loading import Bounds
from evaluator.config.model import ObjectiveSection
from evaluator.config.objectives import bind_objectives
from evaluator.dataset.scores import AlignedScores, Values, align, load_scores
from evaluator.errors import UsageError
from evaluator.gate import decide, describe, detectable_changes
from evaluator.records import (
    Bound,
    BoundKind,
    Case,
    Metric,
    MetricKind,
    Objective,
    Output,
    Score,
    Verdict,
)
from evaluator.report.build import from_verdict
from evaluator.report.build_cases import CaseSelection, Observed, select_cases
from evaluator.report.document import ResultDocument
from evaluator.report.document_parts import DatasetInfo, RefInfo
from evaluator.results.score_files import METRICS_FILE, read_metrics
from evaluator.scoring.builtin import BUILTIN_METRICS

_LOWER_IS_BETTER = ("latency", "cost", "error", "tokens", "duration", "seconds", "price", "toxicity")
_SHOWN_CASES = 100
_DEFAULT_DROP = 0.05


def compare_files(
    base: Path,
    head: Path,
    *,
    bounds: Bounds | None,
    version: str,
    created_at: str,
    rerun: str,
) -> tuple[ResultDocument, Verdict]:
    """Compare two files of scores, or two folders of runs.

    Args:
        base: JSON Lines, CSV ... with `id`, optional `repeat`, `cluster` and `tags`, and a column a metric; or a run's
            report folder.
        head: Likewise.
        bounds: From `parse_objectives`; None holds every column to a drop (or increase) of at most 5 %.
        version: Version of this program.
        created_at: Time, ISO 8601.
        rerun: The command that repeats this.

    Raises:
        EvalGateError: A file is wrong, or an objective names no column.
    """
    base_file, head_file = _score_file(base, "base"), _score_file(head, "head")
    scores = align(load_scores(base_file, name=str(base_file)), load_scores(head_file, name=str(head_file)))
    described = [file.parent / METRICS_FILE for file in (base_file, head_file)]
    _refuse_other_labels(*described)
    metrics = _metrics(scores, described[1], bounds.objectives if bounds else {})
    bound = (
        _default_objectives(metrics) if bounds is None else bind_objectives(bounds.objectives, bounds.where, metrics)
    )
    bound = [objective for objective in bound if not objective.implied]
    clusters = _cluster_numbers(scores)
    verdict = decide(scores.base, scores.head, bound, clusters=clusters)
    others = [metric for metric in metrics if metric.name not in verdict.objectives]
    document = from_verdict(
        verdict,
        version=version,
        kind="compare",
        created_at=created_at,
        duration_s=0.0,
        base=RefInfo(label="base", ref=str(base)),
        head=RefInfo(label="head", ref=str(head)),
        dataset=DatasetInfo(path=head_file.name, cases=len(scores.ids), tags={}),
        repeats=max((values.shape[1] for values in scores.head.values()), default=1),
        detectable=detectable_changes(verdict, scores.base, scores.head, clusters=clusters),
        other_metrics=describe(others, scores.base, scores.head, clusters=clusters),
        cases=_moved_cases(scores, [objective.metric for objective in bound]),
        notes=_notes(scores),
        rerun=rerun,
    )
    return document, verdict


def _score_file(path: Path, side: str) -> Path:
    if not path.is_dir():
        return path
    for name in (f"{side}.scores.jsonl", "head.scores.jsonl"):
        if (path / name).is_file():
            return path / name
    raise UsageError(f"{path} holds no scores", hint="name a file of scores, or the --out folder of a run")


def _refuse_other_labels(base: Path, head: Path) -> None:
    """A code of labels means something only beside its own run's list of labels."""
    if not (base.is_file() and head.is_file()):
        return
    before = {metric.name: metric.labels for metric in read_metrics(base)}
    for metric in read_metrics(head):
        if metric.labels != before.get(metric.name, metric.labels):
            raise UsageError(
                f"the two runs have other labels for '{metric.name}', so it cannot be compared",
                hint="run both on the same golden set: `llm-eval-gate gate` does",
            )


def _metrics(scores: AlignedScores, described: Path, sections: Mapping[str, ObjectiveSection]) -> list[Metric]:
    known = read_metrics(described) if described.is_file() else [*BUILTIN_METRICS]
    found = [metric for metric in known if metric.source in scores.head]
    sources = {metric.source for metric in found} | {metric.name for metric in found}
    for column in scores.head:
        if column not in sources:
            found.append(_guess(column, scores, sections.get(column)))
    return found


def _guess(column: str, scores: AlignedScores, section: ObjectiveSection | None) -> Metric:
    """What a column of another tool means: told by its values, its bounds and, last, its name."""
    both = np.concatenate([scores.base[column].ravel(), scores.head[column].ravel()])
    present = both[~np.isnan(both)]
    share = bool(np.isin(present, (0.0, 1.0)).all())
    lower = any(word in column.lower() for word in _LOWER_IS_BETTER)
    if section is not None and (section.max_drop is not None or section.max_increase is not None):
        lower = section.max_increase is not None
    units = {amount.unit for amount in section.amounts().values()} if section else set()
    if share:
        return Metric(column, MetricKind.PROPORTION, not lower, "share", low=0.0, high=1.0)
    if "$" in units:
        return Metric(column, MetricKind.MEAN, not lower, "usd")
    return Metric(column, MetricKind.MEAN, not lower, "seconds" if "s" in units else "score")


def _default_objectives(metrics: Sequence[Metric]) -> list[Objective]:
    kinds = {True: BoundKind.MAX_DROP, False: BoundKind.MAX_INCREASE}
    return [
        Objective(metric, (Bound(kinds[metric.higher_is_better], _DEFAULT_DROP),))
        for metric in metrics
        if metric.kind is not MetricKind.QUANTILE
    ]


def _cluster_numbers(scores: AlignedScores) -> "np.ndarray[tuple[int], np.dtype[np.int64]] | None":
    if scores.clusters is None:
        return None
    numbers: dict[str, int] = {}
    return np.array([-1 if name is None else numbers.setdefault(name, len(numbers)) for name in scores.clusters])


def _moved_cases(scores: AlignedScores, metrics: Sequence[Metric]) -> CaseSelection:
    """The cases whose scores moved most: files of scores hold no answers, so that is all there is to show."""
    moved = np.zeros(len(scores.ids))
    for metric in metrics:
        if metric.source in scores.base and metric.kind is not MetricKind.LABELS:
            change = np.abs(_means(scores.head[metric.source]) - _means(scores.base[metric.source]))
            top = np.nanmax(change) if bool((~np.isnan(change)).any()) else 0.0
            moved = np.maximum(moved, np.nan_to_num(change / top if top > 0 else change))
    chosen = [int(index) for index in np.argsort(-moved, kind="stable")[:_SHOWN_CASES] if moved[index] > 0]

    def observed(columns: Mapping[str, Values], index: int) -> list[Observed]:
        values = {name: float(_means(array[[index]])[0]) for name, array in columns.items()}
        present = {name: value for name, value in values.items() if value == value}  # noqa: PLR0124  not NaN
        return [Observed(Output(), (Score("scores", present),))] if present else []

    cases = [Case(scores.ids[index], None, tags=scores.tags[index]) for index in chosen]
    base = {scores.ids[index]: observed(scores.base, index) for index in chosen}
    head = {scores.ids[index]: observed(scores.head, index) for index in chosen}
    selection = select_cases(cases, base, head, metrics, limit=_SHOWN_CASES)
    return CaseSelection(selection.cases, len(scores.ids))


def _means(values: Values) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    present = ~np.isnan(values)
    counts = present.sum(axis=1)
    totals = np.where(present, values, 0.0).sum(axis=1)
    return np.where(counts > 0, totals / np.maximum(counts, 1), np.nan)


def _notes(scores: AlignedScores) -> list[str]:
    notes = []
    for ids, has, lacks in ((scores.only_base, "base", "head"), (scores.only_head, "head", "base")):
        if ids:
            shown = ", ".join(ids[:5]) + (" ..." if len(ids) > 5 else "")
            notes.append(f"{len(ids)} cases are in {has} only and count as missing in {lacks}: {shown}")
    for columns, side in ((scores.columns_only_base, "base"), (scores.columns_only_head, "head")):
        if columns:
            notes.append(f"columns in {side} only, not compared: {', '.join(columns[:10])}")
    if scores.moved:
        notes.append(f"{len(scores.moved)} cases are in another cluster in head; base's cluster was used")
    return notes
