"""Reads the files of other tools: below the root only, with caps, as plain data. Nothing in them is run."""

import datetime
import math
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evaluator.config.yaml_text import load_yaml
from evaluator.dataset.strict_json import StrictJsonError, decode
from evaluator.errors import EvalGateError, SourceError, UsageError
from evaluator.records import JsonValue
from evaluator.source import read_text_below
from evaluator.source.git import shown

MAX_DATA_BYTES = 20_000_000
"""Largest file of rows (JSON Lines, CSV, JSON) that is read."""
MAX_PROMPT_BYTES = 400_000
MAX_FILES = 200
"""Most files that one pattern may name."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def short(value: object, limit: int = 60) -> str:
    """Write a value from a file on one line, without control characters, cut to `limit` characters."""
    return shown(value if isinstance(value, str) else str(value), limit)


def beside(source: str, reference: str) -> str:
    """Give the path relative to the root that a file's reference means.

    Args:
        source: The file that holds the reference, relative to the root.
        reference: `file://x.txt` or `x.txt`, relative to the file's folder, or absolute.
    """
    path = reference.removeprefix("file://")
    # An absolute path stays absolute here, so that reading it is refused with that reason.
    return path if posixpath.isabs(path) else posixpath.normpath(posixpath.join(posixpath.dirname(source), path))


def read_yaml(root: Path, path: str) -> Any:
    """Read a YAML or JSON file below the root as plain data.

    Raises:
        EvalGateError: It cannot be read, or is not plain YAML.
    """
    text = read_text_below(root, path, max_bytes=1_000_000, key="file")
    if path.lower().endswith(".json"):
        return read_json_text(text, path)
    return load_yaml(text, shown(path), error=UsageError).data


def read_json_text(text: str, name: str) -> JsonValue:
    """Parse a JSON text.

    Raises:
        UsageError: It is not strict JSON.
    """
    try:
        return decode(text)
    except StrictJsonError as error:
        line = text.count("\n", 0, error.position) + 1 if error.position is not None else 1
        raise UsageError(f"{shown(name)}:{line}: not JSON: {error.message}", hint=error.hint) from None


def read_rows(root: Path, path: str) -> "Iterator[tuple[int, JsonValue | EvalGateError]]":
    """Give (line, value) of each line of a JSON Lines file; a line that is not JSON gives its error.

    Raises:
        EvalGateError: The file cannot be read.
    """
    text = read_text_below(root, path, max_bytes=MAX_DATA_BYTES, key="file")
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield number, decode(line)
        except StrictJsonError as error:
            yield number, UsageError(f"not JSON: {error.message}")


def expand(root: Path, pattern: str) -> list[str]:
    """Give the files below the root that a pattern with `*` names, sorted; a path without one is given back.

    Raises:
        SourceError: The pattern leads out of the root, or names too many files or none.
    """
    if not any(mark in pattern for mark in "*?["):
        return [pattern]
    if posixpath.isabs(pattern) or pattern.startswith(".."):
        raise SourceError("the pattern leads out of the folder")
    found: list[str] = []
    try:
        for entry in root.glob(pattern):
            if entry.is_file() and not entry.is_symlink():
                found.append(entry.relative_to(root).as_posix())
            if len(found) > MAX_FILES:
                raise SourceError(f"the pattern names more than {MAX_FILES} files")
    except (ValueError, NotImplementedError, OSError) as error:  # such as `a**b`, which Python does not take
        raise SourceError(f"not a pattern: {short(str(error))}") from None
    if not found:
        raise SourceError("no file has such a name")
    return sorted(found)


def to_json(value: Any) -> JsonValue:
    """Make plain JSON of what a YAML file holds: dates become text, and so does anything else JSON has no word for."""
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, list | tuple | set):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {_SURROGATE.sub("\ufffd", str(key)): to_json(item) for key, item in value.items()}
    text = value.isoformat() if isinstance(value, datetime.date | datetime.time) else str(value)
    return _SURROGATE.sub("\ufffd", text)


def as_text(value: JsonValue) -> str:
    """Write a scalar as people do in YAML: true and false in lower case, no quotes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)
