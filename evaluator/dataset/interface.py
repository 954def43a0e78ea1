"""What every format of a data file has in common: the raw row, and the function that reads rows.

A reader knows its format only. What a row means (a case, a record of scores) is decided by `load.py` and `scores.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from evaluator.dataset.excerpts import describe
from evaluator.dataset.problems import Problems
from evaluator.records import JsonValue


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as it stands in the file, not yet checked for its meaning."""

    line: int
    """Line on which the row starts, from 1; the number of the row in formats without lines."""
    values: Mapping[str, JsonValue]
    """Column or key -> value. All of it is finite, free of lone surrogates and of bounded depth."""
    text_cells: bool = False
    """True if the format knows text only (CSV), so that lists and objects are written inside cells."""


class Reader(Protocol):
    """Reads the rows of one format."""

    def __call__(self, path: Path, problems: Problems, required: tuple[str, ...]) -> Iterator[RawRow]:
        """Give the sound rows in file order and note the others in `problems`; never raise for the file's content.

        Args:
            path: A regular file that can be read.
            problems: Where mistakes go. A reader that cannot go on notes why and ends.
            required: Columns that a format with a header must have, checked once rather than in every row.
        """
        ...


def row_of(value: JsonValue, line: int, problems: Problems) -> RawRow | None:
    """Make a row of a parsed value, or note that it is not an object and give None."""
    if isinstance(value, dict):
        return RawRow(line, value)
    problems.add(
        line,
        f"the row is {describe(value)}, expected an object",
        hint='write every row as an object with at least an input: {"input": "..."}',
    )
    return None
