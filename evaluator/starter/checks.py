"""Checks of one answer, as other tools attach them to a test: as our scorers take them, or as one pattern.

Here a scorer applies to every case and a case has one `expected`. So the checks of all cases become the most readable
scorer that means the same (`exact_match`, `contains`, `regex`); where the cases mix kinds, each case's checks become
one pattern, which means the same too but is harder to read.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evaluator.records import JsonValue
from evaluator.scoring.text.patterns import PatternError, compile_pattern


@dataclass(frozen=True, slots=True)
class TextCheck:
    """A check of the answer's text."""

    kind: Literal["equals", "contains", "starts_with", "ends_with", "regex"]
    values: tuple[str, ...]
    every: bool = True
    """True if all values must fit, False if one is enough."""
    ignore_case: bool = False
    negated: bool = False


def bad_pattern(check: TextCheck) -> str:
    """Say what is wrong with a check's regular expression; empty if nothing is."""
    if check.kind != "regex":
        return ""
    try:
        for value in check.values:
            compile_pattern(value)
    except PatternError as error:
        return str(error)
    return ""


def to_pattern(checks: Sequence[TextCheck]) -> str:
    """Give one pattern that is found in an answer if and only if it fits all checks.

    Every check becomes a look-ahead at the answer's start. White space around an answer that must equal, begin or end
    with a text is allowed, as the tools that these checks come from trim it or leave the comparison to people.
    """
    return r"\A" + "".join(_look_ahead(check) for check in checks)


def _look_ahead(check: TextCheck) -> str:
    parts = [f"(?={_from_start(check.kind, value)})" for value in check.values]
    if not check.every and len(parts) > 1:
        parts = ["(?:" + "|".join(parts) + ")"]
    joined = "".join(parts)
    if check.ignore_case:
        joined = f"(?i:{joined})"
    return f"(?!{joined})" if check.negated else joined


def _from_start(kind: str, value: str) -> str:
    if kind == "regex":
        return rf"[\s\S]*?(?:{value})"
    text = re.escape(value)
    return {
        "equals": rf"\s*{re.escape(value.strip())}\s*\Z",
        "contains": rf"[\s\S]*?{text}",
        "starts_with": rf"\s*{text}",
        "ends_with": rf"[\s\S]*{text}\s*\Z",
    }[kind]


def shared_scorer(check: TextCheck) -> dict[str, JsonValue]:
    """Give the scorer for a check that is the same for every case."""
    if check.kind == "contains" and not (check.negated and check.every and len(check.values) > 1):
        mode = "none" if check.negated else "all" if check.every else "any"
        values: list[JsonValue] = list(check.values)
        return {"type": "contains", "values": values, "mode": mode, "ignore_case": check.ignore_case}
    if check.kind == "regex" and not check.negated and len(check.values) == 1:
        return {"type": "regex", "pattern": check.values[0], "ignore_case": check.ignore_case}
    return {"type": "regex", "pattern": to_pattern([check])}


@dataclass(frozen=True, slots=True)
class Agreed:
    """One scorer for the checks of all cases, and what each case's `expected` is for it."""

    scorer: dict[str, JsonValue]
    expected: tuple[JsonValue, ...]
    """One a case; None for a case without checks."""
    compiled: bool = False
    """True if `expected` holds patterns that nobody wrote by hand."""


def agree(rows: Sequence[Sequence[TextCheck]]) -> Agreed | None:
    """Find the scorer that means the same as the checks of each case.

    Args:
        rows: The checks of every case.

    Returns:
        None if no case has a check.
    """
    checks = [check for row in rows for check in row]
    if not checks:
        return None
    kinds = {check.kind for check in checks}
    plain = not any(check.negated for check in checks)
    single = all(len(row) <= 1 for row in rows) and all(len(check.values) == 1 for check in checks)
    cases = {check.ignore_case for check in checks}
    if plain and len(kinds) == 1 and len(cases) == 1:
        ignore_case = cases.pop()
        if kinds == {"equals"} and single and not ignore_case:
            return Agreed({"type": "exact_match", "normalize": False}, _values(rows))
        if kinds == {"regex"} and single:
            return Agreed({"type": "regex", "ignore_case": ignore_case}, _values(rows))
        if kinds == {"contains"}:
            if all(check.every or len(check.values) == 1 for check in checks):
                return Agreed({"type": "contains", "mode": "all", "ignore_case": ignore_case}, _values(rows))
            if all(len(row) <= 1 for row in rows) and all(not c.every or len(c.values) == 1 for c in checks):
                return Agreed({"type": "contains", "mode": "any", "ignore_case": ignore_case}, _values(rows))
    patterns = tuple(to_pattern(row) if row else None for row in rows)
    return Agreed({"type": "regex"}, patterns, compiled=True)


def _values(rows: Sequence[Sequence[TextCheck]]) -> tuple[JsonValue, ...]:
    found: list[JsonValue] = []
    for row in rows:
        values: list[JsonValue] = list(dict.fromkeys(value for check in row for value in check.values))
        found.append(None if not values else values[0] if len(values) == 1 else values)
    return tuple(found)
