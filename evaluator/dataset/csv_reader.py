"""Reads CSV: a header line, then one record a row, streamed; every cell stays text."""

import csv
from collections.abc import Iterator
from pathlib import Path

from evaluator.dataset.excerpts import quote
from evaluator.dataset.interface import RawRow
from evaluator.dataset.names import first_repeated, nearest
from evaluator.dataset.problems import Problems
from evaluator.dataset.source_file import MAX_LINE_BYTES, read_lines
from evaluator.records import JsonValue

_QUOTING = 'put a cell that holds a comma, a quote or a line break in double quotes, and write a quote inside as ""'
_HEADER = "the first line names the columns: id,input,expected,tags"


def read_csv(path: Path, problems: Problems, required: tuple[str, ...] = ()) -> Iterator[RawRow]:
    """Give one row a record; see `interface.Reader`. Empty lines are passed over."""
    # The limit belongs to the whole process; it is only ever raised, to what a line may hold.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_LINE_BYTES))
    last_line = 0

    def texts() -> Iterator[str]:
        nonlocal last_line
        for line in read_lines(path, problems):
            last_line = line.number
            yield line.text

    records = csv.reader(texts(), strict=True)
    header: list[str] | None = None
    while True:
        start = last_line + 1
        try:
            record = next(records, None)
        except csv.Error as error:
            if _note(error, start, last_line, problems) or header is None:
                return
            continue
        if record is None:
            return
        if not record:
            continue
        # A line that could not be decoded was left out before this record; the record starts no earlier than it ends.
        start = max(start, last_line - sum(cell.count("\n") for cell in record))
        if header is None:
            header = [name.strip() for name in record]
            if not _check_header(header, start, required, problems):
                return
        elif len(record) != len(header):
            problems.add(
                start,
                f"found {len(record)} cells, expected {len(header)} as in the header: {quote(','.join(record)[:200])}",
                hint=_QUOTING,
            )
        else:
            cells: dict[str, JsonValue] = dict(zip(header, record, strict=True))
            yield RawRow(start, cells, text_cells=True)


def _note(error: csv.Error, start: int, end: int, problems: Problems) -> bool:
    """Note a record that cannot be parsed; True if nothing after it can be."""
    reason = str(error)
    if "unexpected end of data" in reason or "field larger" in reason:
        problems.add(start, "a quoted cell that starts in this row is never closed (or is too long)", hint=_QUOTING)
        return True
    if "new-line character" in reason:
        problems.add(
            end,
            "a bare carriage return stands inside a row",
            hint="end the lines with \\n or \\r\\n, and quote a cell that holds a line break",
        )
        return True
    problems.add(end, f"not valid CSV: {quote(reason)}", hint=_QUOTING)
    return False


def _check_header(header: list[str], line: int, required: tuple[str, ...], problems: Problems) -> bool:
    missing = [name for name in required if name not in header]
    shown = quote(",".join(header))
    if missing and len(header) == 1 and (separator := next((mark for mark in ";\t|" if mark in header[0]), None)):
        message = f"the columns seem separated by {quote(separator)}, expected commas"
        problems.add(line, message, hint="save the file with commas between the columns")
    elif missing:
        guess = nearest(missing[0], header)
        meant = f"; did you mean {quote(missing[0])} by {quote(guess)}?" if guess else ""
        hint = f"{_HEADER}; or name the column in the config under dataset: fields"
        problems.add(line, f"the header has no column {quote(missing[0])}, found {shown}{meant}", hint=hint)
    elif "" in header:
        problems.add(line, f"column {header.index('') + 1} has no name, found {shown}", hint=_HEADER)
    elif twice := first_repeated(header):
        problems.add(line, f"the column {quote(twice)} is there twice", hint="give every column a name of its own")
    else:
        return True
    return False
