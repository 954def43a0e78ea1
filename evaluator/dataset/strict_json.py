"""JSON as the standard has it: no NaN, no Infinity, no repeated keys, no lone surrogates, bounded depth.

Python's own decoder lets all of these through; later they would break hashes, databases or the reports.
"""

import json
import math
import re

from evaluator.dataset.excerpts import quote
from evaluator.dataset.names import first_repeated
from evaluator.records import JsonValue

MAX_DEPTH = 64
"""Deepest nesting of lists and objects."""

_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")


class StrictJsonError(ValueError):
    """Text that is not strict JSON.

    Args:
        message: What is wrong, fit to be shown.
        position: Index of the character where it is wrong, if known.
        hint: What to do.
    """

    def __init__(self, message: str, position: int | None = None, hint: str = "") -> None:
        """Store what the class describes."""
        super().__init__(message)
        self.message = message
        self.position = position
        self.hint = hint


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    value = dict(pairs)
    if len(value) != len(pairs):
        twice = first_repeated(name for name, _ in pairs)
        raise StrictJsonError(f"the key {quote(twice)} is given twice", hint="keep one of the two keys")
    return value


def _constant(name: str) -> JsonValue:
    message = f"{name} is not JSON, expected a finite number or null"
    raise StrictJsonError(message, hint="write null for a missing value")


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise StrictJsonError(f"the number {quote(digits, 30)} is too large", hint="write it as text, in quotes")
    return value


def _int(digits: str) -> int:
    try:
        return int(digits)
    except ValueError as error:  # Python refuses whole numbers of more than 4300 digits.
        raise StrictJsonError("a whole number is too long", hint="write it as text, in quotes") from error


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float, parse_int=_int)


def check_value(value: JsonValue) -> None:
    """Check a parsed value of any origin for lone surrogates and depth.

    Raises:
        StrictJsonError: If it holds half of a surrogate pair or is nested deeper than `MAX_DEPTH`.
    """
    pending: list[tuple[JsonValue, int]] = [(value, 0)]
    while pending:
        item, depth = pending.pop()
        if isinstance(item, str):
            if not item.isascii() and _SURROGATE.search(item):
                raise StrictJsonError(
                    f"the text {quote(item)} holds half of a surrogate pair, which is no character",
                    hint="write the character itself in UTF-8, or both halves of the escape",
                )
        elif isinstance(item, list | dict):
            if depth >= MAX_DEPTH:
                raise _too_deep()
            children = list(item) if isinstance(item, list) else [*item.keys(), *item.values()]
            pending.extend((child, depth + 1) for child in children)


def _too_deep() -> StrictJsonError:
    hint = "flatten the row, or keep the inner part as text"
    return StrictJsonError(f"lists and objects are nested deeper than {MAX_DEPTH} levels", hint=hint)


def scan(text: str, start: int = 0) -> tuple[JsonValue, int]:
    """Parse the one JSON value that starts at an index.

    Args:
        text: Holds the value.
        start: Index of the value's first character (no white space before it).

    Returns:
        The value, and the index after it.

    Raises:
        StrictJsonError: If there is no valid value.
    """
    try:
        value, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise StrictJsonError(error.msg, error.pos) from error
    except RecursionError as error:
        raise _too_deep() from error
    # Walking every value costs more than parsing it; only escapes can bring surrogates, only brackets depth.
    if (
        text.count("[", start, end) + text.count("{", start, end) > MAX_DEPTH
        or _SURROGATE_ESCAPE.search(text, start, end) is not None
    ):
        check_value(value)
    return value, end


def decode(text: str) -> JsonValue:
    """Parse a text that is one JSON value, with white space around it allowed.

    Raises:
        StrictJsonError: If it is not, or if more follows.
    """
    start = skip_space(text, 0)
    value, end = scan(text, start)
    end = skip_space(text, end)
    if end != len(text):
        raise StrictJsonError("more text follows after the value", end)
    return value


_SPACE = re.compile(r"[ \t\r\n]*")


def skip_space(text: str, start: int) -> int:
    """Give the index of the next character that is not JSON white space, or the length of the text."""
    match = _SPACE.match(text, start)
    return match.end() if match else start
