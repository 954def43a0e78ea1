"""Reads JSON Lines: one object a line, streamed; blank lines are passed over."""

from collections.abc import Iterator
from pathlib import Path

from evaluator.dataset.excerpts import quote
from evaluator.dataset.interface import RawRow, row_of
from evaluator.dataset.problems import Problems
from evaluator.dataset.source_file import Line, read_lines
from evaluator.dataset.strict_json import StrictJsonError, decode

_AROUND = 30
_FIRST_CHARACTERS = ("[", "{")


def read_jsonl(path: Path, problems: Problems, required: tuple[str, ...] = ()) -> Iterator[RawRow]:
    """Give one row a line; see `interface.Reader`. `required` is left to the check of each row."""
    del required  # Rows of JSON Lines may differ in their keys, so there is no header to check.
    first = True
    for line in read_lines(path, problems):
        text = line.text.strip(" \t\r\n")
        if not text:
            continue
        if first and text in _FIRST_CHARACTERS:
            problems.add(
                line.number,
                f"the line is just {quote(text)}, expected one whole object a line",
                hint="this looks like JSON over several lines: name the file .json, or write one row a line (jq -c)",
            )
            return
        first = False
        try:
            value = decode(text)
        except StrictJsonError as error:
            message, hint = _explain(error, text, line)
            problems.add(line.number, message, hint=hint)
            continue
        row = row_of(value, line.number, problems)
        if row is not None:
            yield row


def _explain(error: StrictJsonError, text: str, line: Line) -> tuple[str, str]:
    """Give message and hint for a line that is not JSON."""
    position = error.position
    if position is None:
        return error.message, error.hint
    if not line.ended and (position >= len(text) or error.message.startswith("Unterminated string")):
        return (
            f"the last line ends in the middle of its JSON, at {quote(text[-_AROUND:])}: the file seems cut off",
            "write the file again; its last line should end with a line break",
        )
    hint = "one complete JSON object a line; check it with: jq -c . FILE"
    if text[position:] == ",":
        hint = "JSON Lines has no comma between rows: drop the comma at the end of the line"
    elif "\r" in text:
        hint = "the file ends its lines with a bare carriage return: convert it (tr '\\r' '\\n')"
    elif text.startswith("{'"):
        hint = "JSON strings take double quotes"
    near = text[position : position + _AROUND]
    what = f"not valid JSON: {error.message} at character {position + 1}"
    return (f"{what}, found {quote(near)}" if near else f"{what}, where the line ends"), hint
