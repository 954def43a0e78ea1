"""Reads JSON: a list of objects, or an object with a list under "cases". The file is held whole, its rows are not."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluator.dataset.excerpts import quote
from evaluator.dataset.interface import RawRow, row_of
from evaluator.dataset.problems import Problems
from evaluator.dataset.source_file import read_whole
from evaluator.dataset.strict_json import StrictJsonError, scan, skip_space
from evaluator.records import JsonValue

_SHAPE = 'write a list of rows, or {"cases": [...]}'
_AROUND = 30


@dataclass(slots=True)
class _Cursor:
    """A place in the text that knows its line."""

    text: str
    position: int = 0
    line: int = 1

    def move(self, position: int) -> None:
        self.line += self.text.count("\n", self.position, position)
        self.position = position

    def peek(self) -> str:
        """Give the next character that is no white space; empty at the end."""
        self.move(skip_space(self.text, self.position))
        return self.text[self.position : self.position + 1]

    def take(self, expected: str) -> None:
        if self.peek() != expected:
            raise StrictJsonError(f"expected {quote(expected)}", self.position, _SHAPE)
        self.move(self.position + 1)

    def value(self) -> JsonValue:
        self.peek()
        value, end = scan(self.text, self.position)
        self.move(end)
        return value


def read_json(path: Path, problems: Problems, required: tuple[str, ...] = ()) -> Iterator[RawRow]:
    """Give the rows of the list; see `interface.Reader`. A syntax error ends the reading."""
    del required  # Objects in a list may differ in their keys, so there is no header to check.
    text = read_whole(path, problems)
    if text is None:
        return
    cursor = _Cursor(text)
    try:
        yield from _document(cursor, problems)
    except StrictJsonError as error:
        _note(error, cursor, problems)


def _document(cursor: _Cursor, problems: Problems) -> Iterator[RawRow]:
    first = cursor.peek()
    keys: dict[str, None] | None = None
    if first == "[":
        yield from _rows(cursor, problems)
    elif first == "{":
        keys = {}
        yield from _members(cursor, keys, problems)
    else:
        near = quote(cursor.text[cursor.position : cursor.position + _AROUND])
        problems.add(cursor.line, f"found {near}, expected a list of rows", hint=_SHAPE)
        return
    if cursor.peek():
        hint = "for one object a line name the file .jsonl"
        raise StrictJsonError("more text follows after the value", cursor.position, hint)
    if keys is not None and "cases" not in keys:
        names = ", ".join(quote(key, 30) for key in list(keys)[:5]) or "none"
        problems.add(1, f"the object has no list under 'cases' (keys found: {names})", hint=_SHAPE)


def _members(cursor: _Cursor, keys: dict[str, None], problems: Problems) -> Iterator[RawRow]:
    """Pass through the document's object, giving the rows under "cases"; its keys go to `keys`."""
    cursor.take("{")
    while cursor.peek() != "}":
        if keys:
            cursor.take(",")
            cursor.peek()
        line = cursor.line
        key = cursor.value()
        if not isinstance(key, str):
            raise StrictJsonError("a key is not text", cursor.position, _SHAPE)
        if key in keys:
            raise StrictJsonError(f"the key {quote(key)} is given twice", hint="keep one of the two keys")
        keys[key] = None
        cursor.take(":")
        if key != "cases":
            cursor.value()
        elif cursor.peek() == "[":
            yield from _rows(cursor, problems)
        else:
            cursor.value()
            problems.add(line, "'cases' is not a list, expected a list of rows", hint=_SHAPE)
    cursor.take("}")


def _rows(cursor: _Cursor, problems: Problems) -> Iterator[RawRow]:
    cursor.take("[")
    first = True
    while cursor.peek() != "]":
        if not first:
            cursor.take(",")
            cursor.peek()
        first = False
        line = cursor.line
        row = row_of(cursor.value(), line, problems)
        if row is not None:
            yield row
    cursor.take("]")


def _note(error: StrictJsonError, cursor: _Cursor, problems: Problems) -> None:
    position = error.position
    if position is None:
        problems.add(cursor.line, error.message, hint=error.hint)
        return
    line = cursor.line + cursor.text.count("\n", cursor.position, position)
    near = cursor.text[position : position + _AROUND]
    if not near.strip() or error.message.startswith("Unterminated string"):
        message = f"the file ends in the middle of its JSON ({error.message}): it seems cut off"
        problems.add(line, message, hint="write the file again")
        return
    problems.add(
        line,
        f"not valid JSON: {error.message}, found {quote(near)}",
        hint=error.hint or "check the file with: jq . FILE",
    )
