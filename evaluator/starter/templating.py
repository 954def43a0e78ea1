"""Templates of other tools: which names they take, whether Jinja2 can read them, and the simple ones filled in."""

import re
from collections.abc import Mapping

from evaluator.records import JsonValue
from evaluator.starter.files import as_text

_SIMPLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
_MARKS = ("{{", "{%", "{#")


class TemplateProblem(ValueError):
    """A template that cannot be carried over; its text says why."""


def is_template(text: str) -> bool:
    """True if Jinja2 would see more than plain text."""
    return any(mark in text for mark in _MARKS)


def variables_of(text: str) -> tuple[str, ...]:
    """Give the names that a template takes, sorted.

    Raises:
        TemplateProblem: Jinja2 cannot read it, or it needs something that only its own tool has.
    """
    from jinja2 import TemplateError, nodes
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment()
    # Only parsed: the compiler (and `meta`, which uses it) works out constants such as 9**9**9 on the spot.
    try:
        tree = environment.parse(text)
    except (TemplateError, RecursionError, ValueError, OverflowError) as error:
        raise TemplateProblem(f"Jinja2 cannot read it: {str(error)[:120] or type(error).__name__}") from None
    found = list(tree.find_all(nodes.Name))
    stored = {node.name for node in found if node.ctx != "load"} | {"loop"}
    names = sorted({node.name for node in found if node.ctx == "load"} - stored - set(environment.globals))
    for node in tree.find_all((nodes.Filter, nodes.Test)):
        known = environment.filters if isinstance(node, nodes.Filter) else environment.tests
        if node.name not in known:
            raise TemplateProblem(f"Jinja2 has no {type(node).__name__.lower()} {node.name[:40]!r}")
    if "env" in names:
        raise TemplateProblem("it reads environment variables (`env`), which a prompt must not")
    return tuple(names)


def fill(text: str, values: Mapping[str, JsonValue]) -> str:
    """Fill `{{ name }}` in a text.

    Raises:
        TemplateProblem: It holds more than names, a name without a value, or one whose value is a list or an object.
    """
    missing: list[str] = []

    def value_of(match: re.Match[str]) -> str:
        value = values.get(match[1])
        if match[1] not in values or isinstance(value, list | dict):
            missing.append(match[1])
            return ""
        return "" if value is None else as_text(value)

    # What stands between the names must be plain; a value that looks like a template is just text.
    if is_template(_SIMPLE.sub("", text)):
        raise TemplateProblem("its value is a template with more than plain {{ names }}")
    filled = _SIMPLE.sub(value_of, text)
    if missing:
        raise TemplateProblem(f"its value needs {missing[0]!r}, which is no text in this case")
    return filled
