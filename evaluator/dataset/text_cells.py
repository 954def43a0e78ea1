"""What a cell of a text-only format (CSV) stands for: JSON, a list of tags, a number, or just text."""

from evaluator.dataset.strict_json import StrictJsonError, decode
from evaluator.records import JsonValue


def json_or_text(cell: str) -> JsonValue:
    """Parse a cell that starts with { or [ and is valid JSON; give any other cell as it is."""
    if cell.lstrip()[:1] not in ("{", "["):
        return cell
    try:
        return decode(cell)
    except StrictJsonError:
        return cell  # Text may well start with a bracket.


def tags_of(cell: str) -> JsonValue:
    """Give a cell's tags: a JSON list, or names separated by `;` or, where there is none, by `,`."""
    value = json_or_text(cell)
    if not isinstance(value, str):
        return value
    separator = ";" if ";" in value else ","
    return [name.strip() for name in value.split(separator) if name.strip()]
