"""Reads Parquet in small batches; needs the extra `parquet` (pyarrow). A row's line is its number, from 1."""

import datetime
import decimal
import importlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evaluator.dataset.excerpts import describe, quote
from evaluator.dataset.interface import RawRow
from evaluator.dataset.names import first_repeated, nearest
from evaluator.dataset.problems import Problems
from evaluator.dataset.strict_json import StrictJsonError, check_value
from evaluator.records import JsonValue

_BATCH_ROWS = 256
_MAX_BATCH_BYTES = 512 * 1024 * 1024


class _NotJson(ValueError):
    """A Parquet value without a JSON form."""


def read_parquet(path: Path, problems: Problems, required: tuple[str, ...] = ()) -> Iterator[RawRow]:
    """Give one row a record; see `interface.Reader`. Memory is bounded by a row group's pages, not by the file."""
    try:
        # Imported by name: an extra, slow to import, and without types.
        arrow = importlib.import_module("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError:
        problems.add(0, "reading Parquet needs pyarrow", hint="pip install 'llm-eval-gate[parquet]'")
        return
    number = 0
    try:
        with parquet.ParquetFile(path, pre_buffer=False) as file:
            names = file.schema_arrow.names
            if not _check_columns(names, required, problems):
                return
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, use_threads=False):
                if batch.nbytes > _MAX_BATCH_BYTES:
                    hint = "keep long texts in files of their own"
                    problems.add(number + 1, "the rows from here on are too large", hint=hint)
                    return
                for values in batch.to_pylist(maps_as_pydicts="strict"):
                    number += 1
                    row = _row(values, number, problems)
                    if row is not None:
                        yield row
    except (arrow.ArrowException, UnicodeDecodeError, OSError) as error:
        problems.add(number + 1, f"not valid Parquet: {quote(error)}", hint="write the file again")


def _check_columns(names: list[str], required: tuple[str, ...], problems: Problems) -> bool:
    shown = quote(", ".join(names))
    if twice := first_repeated(names):
        problems.add(1, f"the column {quote(twice)} is there twice", hint="give every column a name of its own")
        return False
    for name in required:
        if name not in names:
            guess = nearest(name, names)
            meant = f"; did you mean {quote(name)} by {quote(guess)}?" if guess else ""
            problems.add(
                1,
                f"there is no column {quote(name)}, found {shown}{meant}",
                hint="rename the column, or name it in the config under dataset: fields",
            )
            return False
    return True


def _row(values: dict[str, Any], number: int, problems: Problems) -> RawRow | None:
    row: dict[str, JsonValue] = {}
    for column, value in values.items():
        try:
            row[column] = _json(value)
            check_value(row[column])
        except _NotJson as error:
            message = f"the column {quote(column)} holds {error}"
            problems.add(number, message, hint="convert the column to text or finite numbers")
            return None
        except StrictJsonError as error:
            problems.add(number, f"the column {quote(column)}: {error.message}", hint=error.hint)
            return None
    return RawRow(number, row)


def _json(value: Any) -> JsonValue:
    """Give the JSON form of a Parquet value; dates become ISO 8601 text, decimals text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _NotJson(f"{value}, expected a finite number or null")
        return value
    if isinstance(value, list):
        return [_json(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value)
    raise _NotJson(f"{describe(value)}, which has no JSON form")
