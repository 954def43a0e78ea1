"""Where the templates are, and the two Jinja2 environments that read them. What goes into them is not decided here."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from evaluator.report.escape import Safe, markdown
from evaluator.resources import resource_folder

if TYPE_CHECKING:
    from jinja2 import Environment


def template_folder() -> Path:
    """Give the folder `templates/`, in a checkout and in an installation alike."""
    return resource_folder("templates")


@cache
def html_environment() -> "Environment":
    """Give the environment for HTML: every value is escaped unless it is `Markup`; an unknown name is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(template_folder() / "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def markdown_environment() -> "Environment":
    """Give the environment for Markdown: every value passes the Markdown filter unless it is `Safe`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(template_folder() / "report"),
        autoescape=False,  # noqa: S701 - HTML escaping leaves Markdown alive; `finalize` escapes every value instead
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_escape_unless_safe,
        keep_trailing_newline=True,
    )


def _escape_unless_safe(value: object) -> str:
    return str(value) if isinstance(value, Safe | int) else markdown(str(value))
