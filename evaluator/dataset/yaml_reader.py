"""Reads YAML: a list of rows, or a list under `cases:`. Built on the parser's events: no object is ever constructed.

Plain scalars follow JSON: `true`, `false`, `null`, `~` and JSON numbers have their type, everything else is text. So
the answer `no` stays "no", the id `007` stays "007" and `2024-01-01` is no date. Aliases and tags are refused: a few
hundred bytes of aliases can grow to gigabytes, and tags can call code.
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evaluator.dataset.excerpts import quote
from evaluator.dataset.interface import RawRow, row_of
from evaluator.dataset.problems import Problems
from evaluator.dataset.source_file import read_whole
from evaluator.dataset.strict_json import MAX_DEPTH, StrictJsonError, check_value
from evaluator.records import JsonValue

_SHAPE = "write a list of rows (`- input: ...`), or one under `cases:`"
_KEYWORDS: dict[str, JsonValue] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_KEYWORDS |= {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_TEXT_TAG = "tag:yaml.org,2002:str"


class _Fatal(Exception):
    """Nothing after this can be read; the reason is noted already."""


def read_yaml(path: Path, problems: Problems, required: tuple[str, ...] = ()) -> Iterator[RawRow]:
    """Give the rows of the list; see `interface.Reader`. A syntax error ends the reading."""
    del required  # Rows of a list may differ in their keys, so there is no header to check.
    text = read_whole(path, problems)
    if text is None:
        return
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        yield from _Builder(yaml.parse(text, Loader=loader), problems).rows()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = error.problem or error.context or "syntax error"
        line = mark.line + 1 if mark else 1
        problems.add(line, f"not valid YAML: {quote(what)}", hint="check indentation and quotes")
    except yaml.YAMLError as error:
        problems.add(1, f"not valid YAML: {quote(str(error))}", hint="remove control characters")
    except _Fatal:
        return


class _Builder:
    """Turns parser events into rows, one at a time."""

    def __init__(self, events: Iterator[Any], problems: Problems) -> None:
        self.events = events
        self.problems = problems

    def next(self) -> tuple[str, Any, int]:
        """Give the next event's kind, the event and its line."""
        event = next(self.events)
        return type(event).__name__.removesuffix("Event"), event, event.start_mark.line + 1

    def fatal(self, line: int, message: str, hint: str) -> _Fatal:
        self.problems.add(line, message, hint=hint)
        return _Fatal()

    def rows(self) -> Iterator[RawRow]:
        self.next()  # StreamStart
        kind, event, line = self.next()
        if kind == "StreamEnd":
            raise self.fatal(1, "the file has no content", _SHAPE)
        kind, event, line = self.next()
        if kind == "SequenceStart":
            yield from self.sequence()
        elif kind == "MappingStart":
            yield from self.document()
        else:
            self.value(kind, event, line, 0)
            raise self.fatal(line, "the file holds a single value, expected a list of rows", _SHAPE)
        self.next()  # DocumentEnd
        kind, _, line = self.next()
        if kind != "StreamEnd":
            raise self.fatal(line, "a second YAML document starts, expected one", "put all rows in one list")

    def document(self) -> Iterator[RawRow]:
        keys: dict[str, None] = {}
        while True:
            kind, event, line = self.next()
            if kind == "MappingEnd":
                break
            key = self.key(kind, event, line, 1)
            if key in keys:
                self.problems.add(line, f"the key {quote(key)} is given twice", hint="keep one of the two keys")
            keys[key] = None
            kind, event, line = self.next()
            if key == "cases" and kind == "SequenceStart":
                yield from self.sequence()
            elif key == "cases":
                raise self.fatal(line, "'cases' is not a list, expected a list of rows", _SHAPE)
            else:
                self.value(kind, event, line, 1)
        if "cases" not in keys:
            names = ", ".join(quote(key, 30) for key in list(keys)[:5]) or "none"
            raise self.fatal(1, f"there is no list under 'cases' (keys found: {names})", _SHAPE)

    def sequence(self) -> Iterator[RawRow]:
        while True:
            kind, event, line = self.next()
            if kind == "SequenceEnd":
                return
            before = self.problems.count
            value = self.value(kind, event, line, 1)
            if self.problems.count > before:
                continue
            try:
                check_value(value)
            except StrictJsonError as error:
                self.problems.add(line, error.message, hint=error.hint)
                continue
            row = row_of(value, line, self.problems)
            if row is not None:
                yield row

    def value(self, kind: str, event: Any, line: int, depth: int) -> JsonValue:
        """Build the value that an event starts; what is refused becomes None with its problem noted."""
        if depth > MAX_DEPTH:
            raise self.fatal(line, f"nested deeper than {MAX_DEPTH} levels", "flatten the row")
        if kind == "Alias":
            message = f"the alias {quote('*' + event.anchor)} is not allowed"
            self.problems.add(line, message, hint="write the value out; aliases are refused")
            return None
        if event.tag not in (None, "!", _TEXT_TAG):
            message = f"the tag {quote(event.tag)} is not allowed"
            self.problems.add(line, message, hint="remove the tag; use plain values")
        if kind == "Scalar":
            return self.scalar(event, line)
        if kind == "SequenceStart":
            items: list[JsonValue] = []
            while (step := self.next())[0] != "SequenceEnd":
                items.append(self.value(*step, depth + 1))
            return items
        return self.mapping(depth)

    def mapping(self, depth: int) -> JsonValue:
        pairs: dict[str, JsonValue] = {}
        while (step := self.next())[0] != "MappingEnd":
            key = self.key(*step, depth + 1)
            if key in pairs:
                self.problems.add(step[2], f"the key {quote(key)} is given twice", hint="keep one of the two keys")
            pairs[key] = self.value(*self.next(), depth + 1)
        return pairs

    def key(self, kind: str, event: Any, line: int, depth: int) -> str:
        if kind == "Scalar":
            return str(event.value)
        self.value(kind, event, line, depth)
        raise self.fatal(line, "a key is a list, an object or an alias, expected text", "write the key as text")

    def scalar(self, event: Any, line: int) -> JsonValue:
        text = str(event.value)
        if not event.implicit[0] or event.tag == _TEXT_TAG:
            return text
        if text in _KEYWORDS:
            return _KEYWORDS[text]
        if _NOT_FINITE.fullmatch(text):
            message = f"{text} is not allowed, expected a finite number or null"
            self.problems.add(line, message, hint="write null, or put the text in quotes")
            return None
        if not _NUMBER.fullmatch(text):
            return text
        try:
            number = int(text) if _INTEGER.fullmatch(text) else float(text)
        except ValueError:  # Python refuses whole numbers of more than 4300 digits.
            number = math.inf
        if math.isinf(number):
            self.problems.add(line, f"the number {quote(text, 30)} is too large", hint="write it as text, in quotes")
            return None
        return number
