"""The tests of a promptfoo config, wherever it keeps them: in itself, or in YAML, JSON, JSON Lines and CSV files."""

import csv
import io
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from evaluator.errors import EvalGateError, UsageError
from evaluator.records import JsonValue
from evaluator.source import read_text_below
from evaluator.starter.files import (
    MAX_DATA_BYTES,
    MAX_PROMPT_BYTES,
    beside,
    expand,
    read_rows,
    read_yaml,
    short,
    to_json,
)
from evaluator.starter.interface import MAX_CASES, Note
from evaluator.starter.promptfoo_asserts import assertion_from_text

_FILES = (".yaml", ".yml", ".json", ".jsonl", ".csv")
_TEXT_FILES = (".txt", ".md", ".csv", ".html", ".xml")
_MAX_COMBINATIONS = 1000


@dataclass(frozen=True, slots=True)
class RawTest:
    """A test as it stands in a file."""

    where: str
    """Fit to be printed."""
    source: str
    """The file, relative to the root: paths in the test start from its folder."""
    data: Mapping[str, JsonValue]


def read_tests(root: Path, source: str, found: JsonValue, left_out: list[Note]) -> Iterator[RawTest]:
    """Give the tests that the value of `tests` stands for; what cannot be read is noted."""
    items: list[JsonValue] = found if isinstance(found, list) else [found] if found is not None else []
    number = 0
    for item in items:
        if isinstance(item, str):
            yield from _from_files(root, source, item, left_out)
            continue
        number += 1
        where = f"{short(source, 200)}, test {number}"
        if isinstance(item, dict) and "path" in item:
            left_out.append(Note(where, short(item["path"], 80), "tests that code makes are not read"))
        elif isinstance(item, dict):
            yield RawTest(where, source, item)
        else:
            left_out.append(Note(where, "the test", "it is no object"))


def _from_files(root: Path, source: str, reference: str, left_out: list[Note]) -> Iterator[RawTest]:
    where = short(source, 200)
    bare = reference.removeprefix("file://")
    if "://" in bare or PurePosixPath(bare).suffix.lower() not in _FILES:
        reason = f"tests are read from files in this folder that end in {', '.join(_FILES)}"
        left_out.append(Note(where, f"the tests {short(reference, 80)}", reason))
        return
    try:
        paths = expand(root, beside(source, reference))
    except EvalGateError as error:
        left_out.append(Note(where, f"the tests {short(reference, 80)}", error.message))
        return
    for path in paths:
        try:
            yield from _from_file(root, path, left_out)
        except EvalGateError as error:
            left_out.append(Note(where, f"the tests {short(reference, 80)}", error.message))


def _from_file(root: Path, path: str, left_out: list[Note]) -> Iterator[RawTest]:
    suffix = PurePosixPath(path).suffix.lower()
    name = short(path, 200)
    rows: Iterator[tuple[Any, Any]]
    if suffix == ".jsonl":
        rows = read_rows(root, path)
    elif suffix == ".csv":
        rows = _csv_rows(read_text_below(root, path, max_bytes=MAX_DATA_BYTES, key="file"), name)
    else:
        data = to_json(read_yaml(root, path))
        rows = enumerate(data if isinstance(data, list) else [data], start=1)
    unit = "line" if suffix in (".jsonl", ".csv") else "test"
    for number, row in rows:
        where = f"{name}, {unit} {number}"
        if isinstance(row, EvalGateError):
            left_out.append(Note(where, "the test", row.message))
        elif isinstance(row, dict):
            yield RawTest(where, path, to_json(row))  # type: ignore[arg-type]  # an object stays one
        else:
            left_out.append(Note(where, "the test", "it is no object"))


def _csv_rows(text: str, name: str) -> Iterator[tuple[int, dict[str, JsonValue]]]:
    header = text.partition("\n")[0]
    delimiter = "\t" if "\t" in header and "," not in header else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            yield reader.line_num, _csv_test({str(key): str(cell or "") for key, cell in row.items() if key})
    except csv.Error as error:
        raise UsageError(f"{name}:{reader.line_num}: not valid CSV: {error}") from None


def _csv_test(cells: Mapping[str, str]) -> dict[str, JsonValue]:
    variables: dict[str, JsonValue] = {}
    metadata: dict[str, JsonValue] = {}
    checks: list[JsonValue] = []
    test: dict[str, JsonValue] = {}
    for key, cell in cells.items():
        if key.startswith("__expected"):
            if cell.strip():
                checks.append(assertion_from_text(cell.strip()))
        elif key.startswith("__metadata:"):
            column = key.removeprefix("__metadata:")
            if column.endswith("[]"):
                metadata[column[:-2]] = [part.strip() for part in cell.split(",") if part.strip()]
            elif cell:
                metadata[column] = cell
        elif key == "__description":
            test["description"] = cell
        elif key in ("__prefix", "__suffix") and cell:
            test["options"] = {key[2:]: cell}
        elif not key.startswith("__"):
            variables[key] = cell
    return {**test, "vars": variables, "assert": checks, "metadata": metadata}


def variables_of_test(
    root: Path, test: RawTest, defaults: Mapping[str, JsonValue], left_out: list[Note]
) -> list[dict[str, JsonValue]]:
    """Give the variables of a test: one set, or one for each combination where a variable lists several values.

    Files that a variable names are read if they are text; otherwise the test is noted as left out.
    """
    given = test.data.get("vars")
    try:
        if isinstance(given, str):
            given = to_json(read_yaml(root, beside(test.source, given)))
        named = {**defaults, **(given if isinstance(given, dict) else {})}
        named = {key: _value(root, test.source, value) for key, value in named.items()}
    except EvalGateError as error:
        left_out.append(Note(test.where, "the test", error.message))
        return []
    lists = {key: value for key, value in named.items() if isinstance(value, list) and value}
    count = 1
    for value in lists.values():
        count *= len(value)
    if count > min(_MAX_COMBINATIONS, MAX_CASES):
        reason = f"its variables make {count} combinations, at most {_MAX_COMBINATIONS} are taken"
        left_out.append(Note(test.where, "the test", reason))
        return []
    return [{**named, **dict(zip(lists, chosen, strict=True))} for chosen in itertools.product(*lists.values())]


def _value(root: Path, source: str, value: JsonValue) -> JsonValue:
    if not isinstance(value, str) or not value.startswith("file://"):
        return value
    path = beside(source, value)
    suffix = PurePosixPath(path).suffix.lower()
    if suffix in (".yaml", ".yml", ".json"):
        return to_json(read_yaml(root, path))
    if suffix not in _TEXT_FILES:
        raise UsageError(f"the variable's file {short(value, 80)} is no text ({', '.join(_TEXT_FILES)})")
    return read_text_below(root, path, max_bytes=MAX_PROMPT_BYTES, key="file")
