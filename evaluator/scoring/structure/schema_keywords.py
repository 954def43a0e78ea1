"""JSON Schema keywords that cannot hang: patterns and references stopped by the clock, `uniqueItems` in linear time.

The other keywords are those of the jsonschema package.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any

from jsonschema import validators
from jsonschema.exceptions import ValidationError
from jsonschema.protocols import Validator

from evaluator.records import JsonValue
from evaluator.scoring.text.patterns import compile_pattern, first_match

VALIDATION_SECONDS = 2.0
"""Longest time for one answer. Looked at whenever a `$ref` is followed, without which no schema is slow."""

Clock = Callable[[], float]
Errors = Iterator[ValidationError]
_deadline: ContextVar[tuple[Clock, float]] = ContextVar("deadline")


class ValidationTimeoutError(Exception):
    """The validation of one answer took too long, or the schema refers to itself without end."""


def first_error(validator: Validator, answer: JsonValue, *, clock: Clock = time.monotonic) -> ValidationError | None:
    """Give the first thing in which the answer does not fit the schema, or None.

    Args:
        validator: Of a class that `bounded` made.
        answer: Any JSON value.
        clock: Seconds, of any origin.

    Raises:
        ValidationTimeoutError: It took longer than VALIDATION_SECONDS.
        PatternTimeoutError: A pattern of the schema took too long on a text of the answer.
    """
    token = _deadline.set((clock, clock() + VALIDATION_SECONDS))
    try:
        return next(iter(validator.iter_errors(answer)), None)
    except RecursionError:
        raise ValidationTimeoutError("the answer or the schema is nested too deeply") from None
    finally:
        _deadline.reset(token)


def bounded(base: type[Validator]) -> type[Validator]:
    """Give a validator class of the same JSON Schema draft whose keywords cannot hang."""
    own = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
    }
    references = {
        keyword: _counted(base.VALIDATORS[keyword])
        for keyword in ("$ref", "$dynamicRef", "$recursiveRef")
        if keyword in base.VALIDATORS
    }
    extended: type[Validator] = validators.extend(base, own | references)  # type: ignore[no-untyped-call]
    return extended


def _counted(original: Callable[..., Errors]) -> Callable[..., Errors]:
    def follow(validator: Validator, reference: object, instance: JsonValue, schema: Mapping[str, Any]) -> Errors:
        clock, end = _deadline.get()
        if clock() > end:
            raise ValidationTimeoutError(f"the schema took longer than {VALIDATION_SECONDS:g} s")
        yield from original(validator, reference, instance, schema)

    return follow


def _pattern(validator: Any, pattern: str, instance: JsonValue, schema: Mapping[str, Any]) -> Errors:
    if isinstance(instance, str) and first_match(compile_pattern(pattern), instance) is None:
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, patterns: Mapping[str, Any], instance: JsonValue, schema: Mapping[str, Any]
) -> Errors:
    if not isinstance(instance, dict):
        return
    for pattern, subschema in patterns.items():
        compiled = compile_pattern(pattern)
        for name, value in instance.items():
            if first_match(compiled, name) is not None:
                yield from validator.descend(value, subschema, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, subschema: JsonValue, instance: JsonValue, schema: Mapping[str, Any]
) -> Errors:
    if not isinstance(instance, dict):
        return
    named = schema.get("properties", {})
    patterns = [compile_pattern(pattern) for pattern in schema.get("patternProperties", {})]
    for name, value in instance.items():
        if name in named or any(first_match(pattern, name) is not None for pattern in patterns):
            continue
        if subschema is False:
            yield ValidationError(f"{name!r} is not one of the properties that are allowed")
        else:
            yield from validator.descend(value, subschema, path=name)


def _unique_items(validator: Validator, unique: bool, instance: JsonValue, schema: Mapping[str, Any]) -> Errors:
    if unique is True and isinstance(instance, list) and len(instance) > len({_canonical(item) for item in instance}):
        yield ValidationError("the list has an item twice")


def _canonical(value: JsonValue) -> str:
    return json.dumps(_whole_numbers(value), sort_keys=True)


def _whole_numbers(value: JsonValue) -> JsonValue:
    """Write 1.0 as 1 everywhere: to JSON Schema they are the same number."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole_numbers(item) for item in value]
    if isinstance(value, dict):
        return {name: _whole_numbers(item) for name, item in value.items()}
    return value
