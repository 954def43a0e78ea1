"""The records of a file of scores while it is read: which case, which repeat, which columns."""

import re
from array import array
from collections.abc import Sequence
from typing import TypeVar

from evaluator.dataset.case_row import tag_names
from evaluator.dataset.excerpts import describe, quote
from evaluator.dataset.interface import RawRow
from evaluator.dataset.names import NameProblem, name_of, nearest
from evaluator.dataset.problems import Problems
from evaluator.dataset.score_columns import ScoreColumn
from evaluator.dataset.text_cells import tags_of

MAX_REPEAT = 1000
"""Largest number of a repeat."""
MAX_COLUMNS = 200
"""Most metric columns of a file."""

Kept = TypeVar("Kept")

_DIGITS = re.compile("[0-9]{1,4}")
_OWN = frozenset({"id", "repeat", "cluster", "tags"})


class ScoreRows:
    """Gathers the records of a file, column by column.

    Attributes:
        index: Case id -> number of the case, in order of appearance.
        case: Number of the case, by record.
        repeat: Number of the repeat as written, by record; 0 without that column.
        line: Line, by record.
        columns: Metric -> values by record.
        clusters: Number of a case -> its cluster, and the line of it.
        tags: Number of a case -> its tags, and the line of them.
        seen: All columns of the file, in order of appearance.
        with_repeat: Whether the rows have a repeat; None before the first.
    """

    def __init__(self, problems: Problems, metrics: Sequence[str] | None) -> None:
        """Start without records.

        Args:
            problems: Where mistakes are noted.
            metrics: The columns to read; all if None.
        """
        self.problems = problems
        self.metrics = None if metrics is None else frozenset(metrics)
        self.index: dict[str, int] = {}
        self.case = array("q")
        self.repeat = array("q")
        self.line = array("q")
        self.columns: dict[str, ScoreColumn] = {}
        self.clusters: dict[int, tuple[str | None, int]] = {}
        self.tags: dict[int, tuple[tuple[str, ...], int]] = {}
        self.seen: dict[str, None] = {}
        self.with_repeat: bool | None = None

    def add(self, row: RawRow) -> bool:
        """Take in one record; False if the file has so many columns that reading on is pointless."""
        values = row.values
        before = self.problems.count
        case = self._case_of(row)
        repeat = self._repeat_of(row)
        if self.problems.count > before:
            return True
        number = len(self.case)
        self.case.append(case)
        self.repeat.append(repeat)
        self.line.append(row.line)
        columns = self.columns
        for name, value in values.items():
            column = columns.get(name)
            if column is None:
                if name in self.seen:
                    continue
                self.seen[name] = None
                if name in _OWN or (self.metrics is not None and name not in self.metrics):
                    continue
                if len(self.seen) > MAX_COLUMNS:
                    hint = "keep one column a metric; a row for each case and repeat"
                    self.problems.add(row.line, f"there are more than {MAX_COLUMNS} columns", hint=hint)
                    return False
                column = columns[name] = ScoreColumn(name)
            column.put(number, row.line, value, row.text_cells)
        if values.get("cluster") not in (None, ""):
            self._keep(self.clusters, case, self._cluster_of(row), row.line, "cluster")
        if values.get("tags") not in (None, ""):
            tags = values["tags"]
            if row.text_cells and isinstance(tags, str):
                tags = tags_of(tags)
            read = tag_names(tags, row.line, self.problems)
            self._keep(self.tags, case, read, row.line, "tags")
        return True

    def _case_of(self, row: RawRow) -> int:
        value = row.values.get("id")
        if isinstance(value, str) and row.text_cells:
            value = value.strip()
        known = self.index.get(value) if isinstance(value, str) else None
        if known is not None:
            return known
        if "id" not in row.values:
            guess = nearest("id", row.values)
            found = f"found {quote(guess)}" if guess else f"found {quote(', '.join(row.values))}"
            self.problems.add(row.line, f"the row has no 'id': {found}", hint="give every row the id of its case")
            return 0
        try:
            return self.index.setdefault(name_of(value, "id"), len(self.index))
        except NameProblem as error:
            self.problems.add(row.line, str(error), hint="give every row the id of its case")
            return 0

    def _repeat_of(self, row: RawRow) -> int:
        given = "repeat" in row.values
        if self.with_repeat is None:
            self.with_repeat = given
        if given != self.with_repeat:
            found = "has a repeat, unlike" if given else "has no repeat, unlike"
            self.problems.add(row.line, f"the row {found} the rows before it", hint="give every row a repeat, or none")
        if not given:
            return 0
        value = row.values["repeat"]
        if row.text_cells and isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_REPEAT:
            return value
        self.problems.add(
            row.line,
            f"the repeat is {describe(value)}, expected a whole number from 0 (or 1) to {MAX_REPEAT}",
            hint="number the repeats of each case 1, 2, 3, in every row; or drop the column if there is one row a case",
        )
        return 0

    def _cluster_of(self, row: RawRow) -> str | None:
        try:
            return name_of(row.values["cluster"], "cluster")
        except NameProblem as error:
            self.problems.add(row.line, str(error), hint="write the cluster as a short text, or leave it out")
            return None

    def _keep(self, kept: dict[int, tuple[Kept, int]], case: int, value: Kept, line: int, what: str) -> None:
        known, first = kept.setdefault(case, (value, line))
        if known != value:
            message = f"the {what} of this case differs from that on line {first}"
            self.problems.add(line, message, hint=f"give all repeats of a case the same {what}")
