"""Which reader reads which file, by its suffix."""

from pathlib import Path

from evaluator.dataset.csv_reader import read_csv
from evaluator.dataset.excerpts import quote
from evaluator.dataset.interface import Reader
from evaluator.dataset.json_reader import read_json
from evaluator.dataset.jsonl_reader import read_jsonl
from evaluator.dataset.parquet_reader import read_parquet
from evaluator.dataset.problems import Problems
from evaluator.dataset.yaml_reader import read_yaml

READERS: dict[str, Reader] = {
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".csv": read_csv,
    ".json": read_json,
    ".yaml": read_yaml,
    ".yml": read_yaml,
    ".parquet": read_parquet,
}
"""Suffix in lower case -> reader."""


def reader_of(path: Path, problems: Problems) -> Reader | None:
    """Give the reader for a file's suffix, or note that there is none."""
    suffix = path.suffix.lower()
    reader = READERS.get(suffix)
    if reader is None:
        problems.add(
            0,
            f"the file's ending is {quote(suffix)}, expected one of {', '.join(READERS)}",
            hint="name the file by its format; JSON Lines (.jsonl) is the usual one",
        )
    return reader
