"""Collects everything that is wrong with one data file, so that its owner mends it in one go."""

from evaluator.dataset.excerpts import safe_name
from evaluator.errors import DatasetError

SHOWN = 20
"""Problems that are spelled out; the rest is counted."""
HINTS = 5
"""Distinct hints that are given."""


class Problems:
    """The mistakes found in one file so far.

    Attributes:
        name: How messages name the file.
        count: How many mistakes there are.
    """

    def __init__(self, name: str) -> None:
        """Start without problems.

        Args:
            name: How to name the file; its real path may be in a temporary folder.
        """
        self.name = safe_name(name)
        self.count = 0
        self._shown: list[str] = []
        self._hints: list[str] = []

    def add(self, line: int, message: str, hint: str = "") -> None:
        """Note a mistake.

        Args:
            line: Line in the file from 1 (row from 1 in Parquet); 0 if it concerns the file as a whole.
            message: What was found and what was expected, with untrusted text already quoted.
            hint: What to do; the same hint is given once however often it applies.
        """
        self.count += 1
        if len(self._shown) < SHOWN:
            where = f"{self.name}:{line}" if line else self.name
            self._shown.append(f"{where}: {message}")
            if hint and hint not in self._hints and len(self._hints) < HINTS:
                self._hints.append(hint)

    def error(self) -> DatasetError:
        """Make one error of all problems: a line each in the message, the distinct hints in the hint."""
        lines = list(self._shown)
        if self.count > len(lines):
            lines.append(f"... and {self.count - len(lines)} more")
        return DatasetError("\n".join(lines), hint="\n        ".join(self._hints))

    def raise_any(self) -> None:
        """Raise the collected error if there is a problem.

        Raises:
            DatasetError: If anything was added.
        """
        if self.count:
            raise self.error()
