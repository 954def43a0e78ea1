"""Names that people give: case ids, clusters, tags, keys. What is allowed in them, and which is nearest to a typo."""

import difflib
import itertools
import re
from collections.abc import Iterable

from evaluator.dataset.excerpts import describe, quote
from evaluator.records import JsonValue

MAX_LENGTH = 200
"""Longest id, cluster or tag, in characters."""

# Control characters, line separators, halves of surrogate pairs, and marks that turn the direction of the text around.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


class NameProblem(ValueError):
    """A value that cannot be a name; its text says what was found and expected."""


def name_of(value: JsonValue, what: str) -> str:
    """Give a text or whole number as a name.

    Args:
        value: As it stands in the row.
        what: What it is for in a message: "id", "cluster", "tag".

    Raises:
        NameProblem: If it is of another type, empty, too long, or holds control characters.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= MAX_LENGTH:
        return str(value)
    if not isinstance(value, str):
        raise NameProblem(f"the {what} is {describe(value)}, expected text or a whole number")
    if not value.strip():
        raise NameProblem(f"the {what} is empty, expected text or a whole number")
    if len(value) > MAX_LENGTH:
        raise NameProblem(f"the {what} {quote(value, 30)} has {len(value)} characters, expected at most {MAX_LENGTH}")
    if found := _FORBIDDEN.search(value):
        raise NameProblem(f"the {what} {quote(value)} holds the control character {quote(found[0])}")
    return value


def first_repeated(names: Iterable[str]) -> str | None:
    """Give the first name that stands there a second time, or None if each is unique."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Give the candidate that is most like a name (letter case aside), or None if none of the first 200 is close."""
    first = itertools.islice(candidates, 200)  # A hostile row can have a million keys.
    by_folded = {candidate.casefold(): candidate for candidate in first if len(candidate) <= MAX_LENGTH}
    close = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.7)
    return by_folded[close[0]] if close else None
