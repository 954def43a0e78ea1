"""Fills the starter templates: config, workflow, example prompt. Every value is quoted for YAML."""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from evaluator.records import JsonValue
from evaluator.resources import resource_folder

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = resource_folder("templates") / "starter"

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*|\d+(?:\.\d+)?%|\$\d+(?:\.\d+)?|\d+(?:\.\d+)?s")
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def yaml_flow(value: JsonValue) -> str:
    """Write any JSON value as YAML on one line, as people would write it: plain words bare, all else in quotes."""
    if isinstance(value, Mapping):
        inside = ", ".join(f"{yaml_flow(str(key))}: {yaml_flow(item)}" for key, item in value.items())
        return f"{{{inside}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(yaml_flow(item) for item in value)}]"
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    if "\\" in value and value.isprintable():
        return "'" + value.replace("'", "''") + "'"  # backslashes, as in patterns, stay readable
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else _escaped(char) for char in quoted)


def _escaped(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"


def render(template: str, **values: object) -> str:
    """Fill one of the templates in `templates/starter/`."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=False,  # noqa: S701 - YAML, not HTML: every value passes the filter below
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["yaml"] = yaml_flow
    return environment
