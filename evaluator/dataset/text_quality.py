"""Looks for text in a case that is odd in a way nobody sees: spaces at the ends, invisible or lost characters."""

import re
from collections.abc import Iterator

from evaluator.records import Case, JsonValue

_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_REPLACED = "\ufffd"
# UTF-8 that was read as Windows-1252 and written again: "Ã©" for "é", "â€™" for the apostrophe.
_MISREAD = re.compile("[\u00c2\u00c3][\u0080-\u00bf]|\u00e2\u20ac[\u2122\u0153\u009d\u201c\u201d\u02dc\u00a6]")


def odd_text(case: Case) -> set[str]:
    """Describe what is odd in a case's id, input and expected answer; empty if nothing is."""
    found: set[str] = set()
    for field, value in (("id", case.id), ("input", case.input), ("expected answer", case.expected)):
        if value == "" or (isinstance(value, str) and value.isspace()):
            found.add(f"the {field} is blank")
            continue
        for text in _texts(value):
            if text != text.strip():
                found.add(f"white space at the start or end of the {field}")
            if _INVISIBLE.search(text):
                found.add(f"invisible characters in the {field}")
            if _REPLACED in text:
                found.add(f"characters of the {field} were lost in a conversion (U+FFFD)")
            if _MISREAD.search(text):
                found.add(f"the {field} was written in UTF-8 and read as Windows-1252")
    return found


def _texts(value: JsonValue) -> Iterator[str]:
    """Give all texts in a value, keys aside."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
