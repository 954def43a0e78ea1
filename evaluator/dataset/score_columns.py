"""The columns of a file of scores while it is read: numbers per row, and what was found that is no number."""

import math
import re
from array import array
from dataclasses import dataclass, field
from itertools import repeat

from evaluator.dataset.excerpts import describe, quote
from evaluator.dataset.problems import SHOWN, Problems
from evaluator.records import JsonValue

_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?(nan|inf|infinity|1\.#(inf|ind|qnan))", re.IGNORECASE)
_TRUTH = {"true": 1.0, "false": 0.0}
_HINT = "give every metric column numbers or true/false; leave the cell empty (null) where a score is missing"
_NAN = math.nan


@dataclass(slots=True)
class ScoreColumn:
    """One column: a value per row, NaN where it is missing."""

    name: str
    values: "array[float]" = field(default_factory=lambda: array("d"))
    numbers: int = 0
    """How many values are numbers."""
    texts: int = 0
    """How many are something else: text, a list, an object."""
    not_finite: int = 0
    """How many are the words NaN or infinity."""
    wrong: list[tuple[int, str]] = field(default_factory=list)
    """Line and description of the first values that are no numbers."""

    def put(self, row: int, line: int, value: JsonValue, text_cell: bool) -> None:
        """Set the value of a row; rows that were passed over are missing.

        Args:
            row: Index of the row, larger than that of any earlier call.
            line: Its line, for messages.
            value: As the reader gave it.
            text_cell: True if the format knows text only, so that a number is written as text.
        """
        values = self.values
        if row > len(values):
            values.extend(repeat(_NAN, row - len(values)))
        number = self._text(line, value, text_cell) if isinstance(value, str) else self._plain(line, value)
        if number is None:
            number = _NAN
        else:
            self.numbers += 1
        values.append(number)

    def _plain(self, line: int, value: JsonValue) -> float | None:
        if value is None:
            return None
        if isinstance(value, int | float):
            try:
                return float(value)
            except OverflowError:
                pass
        self.texts += 1
        self._note(line, describe(value))
        return None

    def _text(self, line: int, value: str, text_cell: bool) -> float | None:
        text = value.strip()
        if text_cell:
            if not text:
                return None
            if _NUMBER.fullmatch(text) and math.isfinite(number := float(text)):
                return number
            if (truth := _TRUTH.get(text.lower())) is not None:
                return truth
        if _NOT_FINITE.fullmatch(text):
            self.not_finite += 1
        else:
            self.texts += 1
        self._note(line, describe(value))
        return None

    def _note(self, line: int, found: str) -> None:
        if len(self.wrong) < SHOWN:
            self.wrong.append((line, found))

    @property
    def numeric(self) -> bool:
        """True if the column is meant as numbers: it has one, or else nothing but NaN and infinity."""
        return self.numbers > 0 or (self.not_finite > 0 and self.texts == 0)

    def note_wrong(self, problems: Problems) -> None:
        """Note every value that is no number."""
        for line, found in self.wrong:
            problems.add(line, f"the column {quote(self.name)} holds {found}, expected a finite number", hint=_HINT)
        problems.count += self.texts + self.not_finite - len(self.wrong)
