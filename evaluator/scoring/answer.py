"""Reads the answer out of an output and the acceptable answers out of a case. It compares nothing."""

import json
from typing import NoReturn

from evaluator.records import Case, JsonValue, Output

MAX_JSON_CHARACTERS = 2_000_000
"""A longer answer is not parsed as JSON."""
MAX_INDEX_DIGITS = 9


class MissingAnswerError(Exception):
    """The answer does not have what the scorer's `field` names; the message says what is missing."""


def find_answer(output: Output, path: str | None) -> JsonValue:
    """Give the whole answer, or the part of a JSON answer that a dotted path names.

    Without a path: the text if there is one, else the JSON. With a path, the JSON answer, or the text read as JSON, is
    entered step by step: a name enters an object, a number from 0 a list.

    Raises:
        MissingAnswerError: The answer is not JSON, or has nothing (or null) there.
    """
    if path is None:
        return output.text if output.text is not None else output.data
    found, problem = _enter(json_answer(output), path)
    if problem:
        raise MissingAnswerError(problem)
    return found


def answer_text(output: Output, path: str | None) -> str:
    """Give the answer as text; errors as for `find_answer`. No answer at all is the empty text."""
    value = find_answer(output, path)
    return "" if value is None else as_text(value)


def json_answer(output: Output) -> JsonValue:
    """Give the answer as JSON: `Output.data`, else the text read strictly (no NaN, no fences, no trailing words).

    Raises:
        MissingAnswerError: The text is not JSON.
    """
    if output.data is not None:
        return output.data
    return parse_json(output.text or "")


def parse_json(text: str) -> JsonValue:
    """Read strict JSON.

    Raises:
        MissingAnswerError: It is not JSON, or too long, or nested too deeply.
    """
    if len(text) > MAX_JSON_CHARACTERS:
        raise MissingAnswerError(f"the answer has {len(text)} characters, too long to be read as JSON")
    try:
        value: JsonValue = json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        raise MissingAnswerError(f"the answer is not JSON: {str(error)[:200]}") from None
    except RecursionError:
        raise MissingAnswerError("the answer is JSON that is nested too deeply") from None
    return value


def expected_values(case: Case, path: str | None) -> tuple[JsonValue, ...]:
    """Give the acceptable answers: the items of a list, or the one value; empty if the case has none.

    Where `expected` is an object and the scorer has a path, the path is followed in it too, so that
    `expected: {label: refund}` goes with `field: label`; an object without it makes the scorer not apply.
    """
    expected = case.expected
    if path is not None and isinstance(expected, dict):
        expected, problem = _enter(expected, path)
        if problem:
            return ()
    items = expected if isinstance(expected, list) else [expected]
    return tuple(item for item in items if item is not None)


def expected_texts(case: Case, path: str | None) -> tuple[str, ...]:
    """Give the acceptable answers as texts."""
    return tuple(as_text(value) for value in expected_values(case, path))


def as_text(value: JsonValue) -> str:
    """Write a JSON value as text: a string as it is, anything else as compact JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def shorten(text: str, limit: int = 80) -> str:
    """Quote a text for a reason, cut to `limit` characters."""
    return repr(text if len(text) <= limit else text[: limit - 1] + "…")


def _enter(value: JsonValue, path: str) -> tuple[JsonValue, str]:
    """Follow a dotted path; (what is there, "") or (None, what is missing)."""
    entered: list[str] = []
    for step in path.split("."):
        where = f"at {'.'.join(entered)!r}" if entered else "at its top"
        if isinstance(value, dict):
            if step not in value:
                return None, f"the JSON answer has no {step!r} {where}"
            value = value[step]
        elif isinstance(value, list):
            if not (step.isascii() and step.isdigit() and len(step) <= MAX_INDEX_DIGITS and int(step) < len(value)):
                return None, f"the JSON answer has a list of {len(value)} {where}, which has no item {step!r}"
            value = value[int(step)]
        else:
            return None, f"the JSON answer is neither an object nor a list {where}, so it has no {step!r}"
        entered.append(step)
    if value is None:
        return None, f"the JSON answer is null at {path!r}"
    return value, ""


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")
