"""Puts what a bench measured between the markers of docs/performance.md."""

from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"


def put_section(name: str, text: str) -> None:
    """Replace what stands between `<!-- name -->` and `<!-- /name -->`.

    Raises:
        ValueError: The page has no such markers.
    """
    page = PAGE.read_text("utf-8")
    before, begin, rest = page.partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- /{name} -->")
    if not begin or not end:
        raise ValueError(f"{PAGE} has no markers of {name}")
    PAGE.write_text(f"{before}{begin}{text}\n{end}{after}", "utf-8")
