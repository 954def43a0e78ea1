"""One raw row to one case: which column is what, which types they have, what goes to the metadata."""

from collections.abc import Mapping

from evaluator.dataset.excerpts import describe, quote
from evaluator.dataset.identity import input_id
from evaluator.dataset.interface import RawRow
from evaluator.dataset.names import NameProblem, name_of, nearest
from evaluator.dataset.problems import Problems
from evaluator.dataset.text_cells import json_or_text, tags_of
from evaluator.errors import DatasetError
from evaluator.records import Case, JsonValue

FIELDS = ("id", "input", "expected", "tags", "metadata", "cluster")
"""The fields of a case that a row may hold."""

_METADATA_PREFIX = "metadata."
_TAGS_HINT = 'write tags as a list of texts: "tags": ["billing", "ko"]'


def columns_of(fields: Mapping[str, str] | None, name: str) -> dict[str, str]:
    """Give the column of every field of a case.

    Args:
        fields: Field -> column for those whose column has another name, e.g. {"input": "question"}.
        name: The data file, for messages.

    Raises:
        DatasetError: If a key is not a field of a case.
    """
    columns = {field: field for field in FIELDS}
    for field, column in (fields or {}).items():
        if field not in columns:
            guess = nearest(field, FIELDS)
            meant = f"; did you mean {quote(guess)}?" if guess else ""
            raise DatasetError(
                f"{name}: fields names {quote(field)}, which is no field of a case{meant}",
                hint=f"the fields are {', '.join(FIELDS)}",
            )
        columns[field] = column
    return columns


def case_of(row: RawRow, columns: Mapping[str, str], problems: Problems) -> tuple[Case, bool] | None:
    """Make a case of a row.

    Args:
        row: As the reader gave it.
        columns: Field -> column, all six fields.
        problems: Where the row's mistakes are noted.

    Returns:
        The case, and whether its id was made from its input; None if the row is wrong.
    """
    before = problems.count
    values = row.values
    if row.text_cells:
        values = {column: _cell(value, column, columns) for column, value in values.items()}
    given = {field: values.get(column) for field, column in columns.items()}
    if given["input"] is None:
        _note_missing_input(row, columns["input"], problems)
    names: dict[str, str | None] = {"id": None, "cluster": None}
    for what in names:
        if given[what] is not None:
            try:
                names[what] = name_of(given[what], what)
            except NameProblem as error:
                problems.add(row.line, str(error), hint=f"write the {what} as a short text, or leave it out")
    tags = tag_names(given["tags"], row.line, problems)
    metadata = _metadata(values, given["metadata"], columns, row.line, problems)
    if problems.count > before:
        return None
    identity = names["id"]
    made = identity is None
    if identity is None:
        identity = input_id(given["input"])
    return Case(identity, given["input"], given["expected"], tags, metadata, names["cluster"], row.line), made


def _cell(value: JsonValue, column: str, columns: Mapping[str, str]) -> JsonValue:
    """Give what a text cell stands for in its column; an empty cell is a missing value."""
    if not isinstance(value, str) or not value.strip():
        return None
    if column == columns["tags"]:
        return tags_of(value)
    if column in (columns["input"], columns["expected"], columns["metadata"]):
        return json_or_text(value)
    return value.strip() if column in (columns["id"], columns["cluster"]) else value


def _note_missing_input(row: RawRow, column: str, problems: Problems) -> None:
    if not row.values:
        problems.add(row.line, "the row is empty, expected at least an input", hint="remove the row, or fill it")
        return
    if column in row.values:
        state = "an empty cell" if row.text_cells else "null"
        problems.add(row.line, f"{quote(column)} is {state}, expected text or JSON", hint="give every case its input")
        return
    guess = nearest(column, row.values)
    if guess:
        found = f"found {quote(guess)}, did you mean {quote(column)}?"
    else:
        keys = list(row.values)
        more = ", ..." if len(keys) > 5 else ""
        found = f"found {', '.join(quote(key, 24) for key in keys[:5])}{more}"
    problems.add(
        row.line,
        f"the row has no {quote(column)}: {found}",
        hint="rename the key, or name the column in the config under dataset: fields: {input: question}",
    )


def tag_names(value: JsonValue, line: int, problems: Problems) -> tuple[str, ...]:
    """Give the tags in a row's value, each once, and note what is no tag."""
    if value is None:
        return ()
    if not isinstance(value, list):
        problems.add(line, f"the tags are {describe(value)}, expected a list of texts", hint=_TAGS_HINT)
        return ()
    tags: list[str] = []
    for item in value:
        if not isinstance(item, str):
            problems.add(line, f"a tag is {describe(item)}, expected text", hint=_TAGS_HINT)
            continue
        try:
            tags.append(name_of(item, "tag"))
        except NameProblem as error:
            problems.add(line, str(error), hint=_TAGS_HINT)
    return tuple(dict.fromkeys(tags))


def _metadata(
    values: Mapping[str, JsonValue], given: JsonValue, columns: Mapping[str, str], line: int, problems: Problems
) -> dict[str, JsonValue]:
    """Join the metadata object with the columns that are no field of a case."""
    if given is not None and not isinstance(given, dict):
        problems.add(
            line, f"the metadata is {describe(given)}, expected an object", hint='write "metadata": {"source": "..."}'
        )
        return {}
    metadata: dict[str, JsonValue] = dict(given or {})
    own = set(columns.values())
    for column, value in values.items():
        if column in own or value is None:
            continue
        key = column.removeprefix(_METADATA_PREFIX)
        if key in metadata:
            problems.add(line, f"the metadata {quote(key)} is given twice", hint="keep it in one place")
        metadata[key] = value
    return metadata
