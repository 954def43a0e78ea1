"""Reads the golden set: any supported file to cases, streamed and checked, with all mistakes told at once.

Does not decide where the file is (paths are resolved elsewhere), nor whether the set is any good (`lint.py`).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from evaluator.dataset.case_row import case_of, columns_of
from evaluator.dataset.excerpts import quote
from evaluator.dataset.formats import reader_of
from evaluator.dataset.identity import SeenNames
from evaluator.dataset.problems import Problems
from evaluator.dataset.source_file import check_file
from evaluator.records import Case


def stream_cases(path: Path, *, name: str | None = None, fields: Mapping[str, str] | None = None) -> Iterator[Case]:
    """Give the cases of a file one by one, in file order.

    Memory does not grow with the number of cases for JSON Lines, CSV and Parquet, but for about 30 bytes a case that
    find repeated ids. From the first mistake on no more cases are given; the rest of the file is still checked, and the
    error comes when the iteration reaches its end. So a caller that spends money a case checks the file first.

    Args:
        path: The file: .jsonl, .ndjson, .csv, .json, .yaml, .yml or .parquet.
        name: How messages name the file; the path itself if None.
        fields: Field of a case -> column that holds it, where the names differ, e.g. {"input": "question"}.

    Yields:
        Cases with unique ids. Columns that are no field of a case are in the metadata.

    Raises:
        DatasetError: Once, with a line `FILE:LINE: ...` for each of the first 20 mistakes.
    """
    shown = name or str(path)
    columns = columns_of(fields, shown)
    problems = Problems(shown)
    reader = reader_of(path, problems) if check_file(path, problems) else None
    problems.raise_any()
    if reader is None:
        raise problems.error()
    seen = SeenNames()
    rows = 0
    try:
        for row in reader(path, problems, (columns["input"],)):
            rows += 1
            made = case_of(row, columns, problems)
            if made is None:
                continue
            case, from_input = made
            first = seen.first_line(case.id, case.line)
            if first is not None:
                _note_repeated(case, first, from_input, problems)
            if not problems.count:
                yield case
    except OSError as error:
        problems.add(0, f"the file cannot be read to its end: {error.strerror}", hint="check the disk, then try again")
    if not rows and not problems.count:
        hint = 'add a row: {"input": "...", "expected": "..."}'
        problems.add(1, "the file has no cases, expected at least one", hint=hint)
    problems.raise_any()


def load_cases(path: Path, *, name: str | None = None, fields: Mapping[str, str] | None = None) -> list[Case]:
    """Give all cases of a file as a list; arguments and errors are those of `stream_cases`."""
    return list(stream_cases(path, name=name, fields=fields))


def _note_repeated(case: Case, first: int, from_input: bool, problems: Problems) -> None:
    if from_input:
        problems.add(
            case.line,
            f"the row has the same input as line {first}, and no id tells them apart",
            hint='remove one of the two, or give both an id: {"id": "greeting-2", "input": "..."}',
        )
    else:
        problems.add(
            case.line,
            f"the id {quote(case.id)} is already used on line {first}",
            hint="give every case an id of its own",
        )
