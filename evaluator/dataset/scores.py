"""Plain files of scores from any tool, so that two of them can be compared without running anything.

One record a case, or one a case and repeat: `id`, optional `repeat`, `cluster` and `tags`, and one column a metric. Any
format of the golden set will do. Statistics are made elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from evaluator.dataset.excerpts import quote, safe_name
from evaluator.dataset.formats import reader_of
from evaluator.dataset.names import nearest
from evaluator.dataset.problems import Problems
from evaluator.dataset.score_rows import ScoreRows
from evaluator.dataset.source_file import check_file
from evaluator.errors import DatasetError

Values: TypeAlias = NDArray[np.float64]

MAX_CELLS = 20_000_000
"""Most cells (cases x repeats x columns) of a table: 160 MB."""


@dataclass(frozen=True, slots=True, eq=False)
class ScoreTable:
    """The scores of one run."""

    name: str
    """How messages name the file."""
    ids: list[str]
    """Case ids in file order."""
    columns: dict[str, Values]
    """Metric -> values of shape (cases, repeats); NaN where a score is missing."""
    clusters: list[str | None] | None
    """Cluster of every case; None if the file has no clusters."""
    tags: list[tuple[str, ...]]
    """Tags of every case."""
    ignored: tuple[str, ...]
    """Columns without any number, which are no metrics."""


@dataclass(frozen=True, slots=True, eq=False)
class AlignedScores:
    """The scores of two runs on the union of their cases: base's order, then the cases that only head has."""

    ids: list[str]
    base: dict[str, Values]
    """Metric -> values of shape (cases, repeats of base); NaN where base has no score."""
    head: dict[str, Values]
    """Metric -> values of shape (cases, repeats of head); NaN where head has no score."""
    only_base: tuple[str, ...]
    """Ids that head lacks; NaN in `head`."""
    only_head: tuple[str, ...]
    """Ids that base lacks; NaN in `base`."""
    columns_only_base: tuple[str, ...]
    """Metrics that head lacks; they are in neither mapping."""
    columns_only_head: tuple[str, ...]
    """Metrics that base lacks; they are in neither mapping."""
    clusters: list[str | None] | None
    """Base's clusters, head's for the cases that base lacks; None if neither file has clusters."""
    tags: list[tuple[str, ...]]
    """Base's tags, head's for the cases that base lacks."""
    moved: tuple[str, ...]
    """Ids whose cluster differs between the two files; base's is used."""


def load_scores(path: Path, *, name: str | None = None, metrics: Sequence[str] | None = None) -> ScoreTable:
    """Read a file of scores.

    A metric is a column of numbers or true/false (1 and 0). An empty cell, null or an absent key is a missing score.
    A column without any number is no metric and is listed in `ignored`; one that mixes numbers and text is an error.

    Args:
        path: The file, in any format of the golden set: .jsonl, .csv ...
        name: How messages name the file; the path itself if None.
        metrics: The columns to read; every other one is passed over. All columns if None.

    Raises:
        DatasetError: Once, with a line `FILE:LINE: ...` for each of the first 20 mistakes.
    """
    shown = name or str(path)
    problems = Problems(shown)
    reader = reader_of(path, problems) if check_file(path, problems) else None
    problems.raise_any()
    if reader is None:
        raise problems.error()
    rows = ScoreRows(problems, metrics)
    try:
        for row in reader(path, problems, ("id",)):
            if not rows.add(row):
                break
    except OSError as error:
        problems.add(0, f"the file cannot be read to its end: {error.strerror}", hint="check the disk, then try again")
    if not rows.case and not problems.count:
        problems.add(1, "the file has no scores, expected at least one row", hint='add a row: {"id": "...", "f1": 0.8}')
    numeric = _numeric_columns(rows, metrics, problems)
    problems.raise_any()
    columns = _by_case_and_repeat(rows, numeric, problems)
    problems.raise_any()
    ids = list(rows.index)
    return ScoreTable(
        name=safe_name(shown),
        ids=ids,
        columns=columns,
        clusters=[rows.clusters.get(case, (None,))[0] for case in range(len(ids))] if rows.clusters else None,
        tags=[rows.tags.get(case, ((),))[0] for case in range(len(ids))],
        ignored=tuple(column for column in rows.columns if column not in numeric),
    )


def _numeric_columns(rows: ScoreRows, metrics: Sequence[str] | None, problems: Problems) -> list[str]:
    """Give the names of the metric columns, their wrong values noted."""
    numeric: list[str] = []
    for column in rows.columns.values():
        if metrics is not None or column.numeric:
            column.note_wrong(problems)
            numeric.append(column.name)
    for asked in metrics or ():
        if asked not in rows.columns and rows.case:
            guess = nearest(asked, rows.seen)
            found = f"; did you mean {quote(guess)}?" if guess else ""
            hint = f"the columns are {quote(', '.join(rows.seen))}"
            problems.add(1, f"there is no column {quote(asked)}{found}", hint=hint)
    if not numeric and rows.case and not problems.count:
        found = quote(", ".join(rows.columns)) if rows.columns else "none"
        problems.add(
            1,
            f"no column holds a number (columns besides id: {found}), expected one a metric",
            hint="add a column of numbers or true/false for every metric",
        )
    return numeric


def _by_case_and_repeat(rows: ScoreRows, numeric: list[str], problems: Problems) -> dict[str, Values]:
    """Arrange the records as (cases, repeats); a case and repeat that stands twice is noted."""
    case = np.frombuffer(rows.case, dtype=np.int64)
    repeat = np.frombuffer(rows.repeat, dtype=np.int64)
    repeat = repeat - (0 if repeat.min() == 0 else 1)
    repeats = int(repeat.max()) + 1
    cases = len(rows.index)
    if cases * repeats * len(numeric) > MAX_CELLS:
        problems.add(
            1,
            f"{cases} cases x {repeats} repeats x {len(numeric)} metrics are more than {MAX_CELLS:,} cells",
            hint="number the repeats of each case 1, 2, 3 without gaps, and keep the metrics that are compared",
        )
        return {}
    cell = case * repeats + repeat
    order = np.argsort(cell, kind="stable")
    ids = list(rows.index)
    for again in np.flatnonzero(np.diff(cell[order]) == 0):
        first, second = int(order[again]), int(order[again + 1])
        identity = quote(ids[case[second]])
        which = f" with repeat {rows.repeat[second]}" if rows.with_repeat else ""
        problems.add(
            rows.line[second],
            f"the id {identity}{which} is already used on line {rows.line[first]}",
            hint="give one row a case, or one row a case and repeat with the number of the repeat in a column `repeat`",
        )
    columns: dict[str, Values] = {}
    for name in numeric:
        read = np.frombuffer(rows.columns[name].values, dtype=np.float64)
        values = np.full(cases * repeats, np.nan)
        values[cell[: len(read)]] = read
        columns[name] = values.reshape(cases, repeats)
    return columns


def align(base: ScoreTable, head: ScoreTable) -> AlignedScores:
    """Put two tables on the union of their cases; a case that one side lacks is missing (NaN) there and is told.

    Raises:
        DatasetError: If the two have no case, or no metric, in common.
    """
    base_index = {identity: row for row, identity in enumerate(base.ids)}
    head_index = {identity: row for row, identity in enumerate(head.ids)}
    only_head = [identity for identity in head.ids if identity not in base_index]
    ids = base.ids + only_head
    shared = [name for name in base.columns if name in head.columns]
    if len(only_head) == len(head.ids):
        message = f"{base.name} and {head.name} have no id in common, so there is nothing to compare"
        examples = f"{quote(base.ids[0], 30)} against {quote(head.ids[0], 30)}"
        raise DatasetError(message, hint=f"give the same case the same id in both files (found {examples})")
    if not shared:
        found = f"{quote(', '.join(base.columns))} against {quote(', '.join(head.columns))}"
        message = f"{base.name} and {head.name} have no metric in common: {found}"
        raise DatasetError(message, hint="name the metric columns alike in both files")
    clusters, moved = _clusters(base, head, head_index, only_head)
    return AlignedScores(
        ids=ids,
        base=_spread(base, base_index, ids, shared),
        head=_spread(head, head_index, ids, shared),
        only_base=tuple(identity for identity in base.ids if identity not in head_index),
        only_head=tuple(only_head),
        columns_only_base=tuple(name for name in base.columns if name not in head.columns),
        columns_only_head=tuple(name for name in head.columns if name not in base.columns),
        clusters=clusters,
        tags=base.tags + [head.tags[head_index[identity]] for identity in only_head],
        moved=moved,
    )


def _spread(table: ScoreTable, index: dict[str, int], ids: list[str], names: list[str]) -> dict[str, Values]:
    """Give the named columns with a row for every id, NaN for those that the table lacks."""
    rows = np.array([index.get(identity, -1) for identity in ids], dtype=np.int64)
    spread: dict[str, Values] = {}
    for name in names:
        values = table.columns[name][rows]
        values[rows < 0] = np.nan
        spread[name] = values
    return spread


def _clusters(
    base: ScoreTable, head: ScoreTable, head_index: dict[str, int], only_head: list[str]
) -> tuple[list[str | None] | None, tuple[str, ...]]:
    """Give the clusters of the union, and the ids whose clusters differ although both files have clusters."""
    if base.clusters is None and head.clusters is None:
        return None, ()
    of_base, of_head = base.clusters, head.clusters
    clusters: list[str | None] = []
    moved: list[str] = []
    for row, identity in enumerate(base.ids):
        there = head_index.get(identity)
        theirs = of_head[there] if of_head is not None and there is not None else None
        clusters.append(of_base[row] if of_base is not None else theirs)
        if of_base is not None and of_head is not None and there is not None and of_base[row] != theirs:
            moved.append(identity)
    clusters.extend(of_head[head_index[identity]] if of_head is not None else None for identity in only_head)
    return clusters, tuple(moved)
