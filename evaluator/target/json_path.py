"""Simple paths into JSON: `$`, `.name`, `['any name']`, `[0]`, `[-1]` and `[*]`; no filters, nothing that computes."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluator.records import JsonValue

_STEP = re.compile(r"""\.([\w-]+)|\[\s*(?:(-?\d{1,6})|(\*)|'([^']*)'|"([^"]*)")\s*\]""")
Step = str | int | None
"""A key, a position, or None for each element of a list."""


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A path, read."""

    text: str
    steps: tuple[Step, ...]

    def find(self, value: JsonValue) -> JsonValue:
        """Follow the path.

        Raises:
            ValueError: It leads nowhere; the text says where it ends and what is there.
        """
        return _follow(value, self.steps, "$")


def read_path(text: str) -> JsonPath:
    """Read a path.

    Raises:
        ValueError: It is none.
    """
    steps: list[Step] = []
    position = 1
    while text.startswith("$") and position < len(text):
        match = _STEP.match(text, position)
        if match is None:
            break
        name, number, star, single, double = match.groups()
        key = next((found for found in (name, single, double) if found is not None), None)
        steps.append(None if star else int(number) if number is not None else key)
        position = match.end()
    if not text.startswith("$") or position < len(text):
        raise ValueError(f"expected a path such as $.text or $.choices[0].text, found {text[:80]!r}")
    return JsonPath(text, tuple(steps))


def fill(template: JsonValue, values: Mapping[str, JsonValue]) -> JsonValue:
    """Put a case's values where a template names them: every text that is a path as a whole, such as `$.input.city`.

    A text that begins with `$$` stands for itself with one `$`; other texts are left alone.

    Raises:
        ValueError: A path leads nowhere.
    """
    if isinstance(template, dict):
        return {key: fill(item, values) for key, item in template.items()}
    if isinstance(template, list):
        return [fill(item, values) for item in template]
    if not isinstance(template, str) or not template.startswith("$"):
        return template
    if template.startswith("$$"):
        return template[1:]
    return read_path(template).find(dict(values)) if template == "$" or template[1] in ".[" else template


def _follow(value: JsonValue, steps: Sequence[Step], walked: str) -> JsonValue:
    for place, step in enumerate(steps):
        if step is None:
            if not isinstance(value, list):
                raise ValueError(f"{walked} is {_kind(value)}, expected a list")
            return [_follow(item, steps[place + 1 :], f"{walked}[{index}]") for index, item in enumerate(value)]
        if isinstance(step, int):
            if not isinstance(value, list):
                raise ValueError(f"{walked} is {_kind(value)}, expected a list")
            if not -len(value) <= step < len(value):
                raise ValueError(f"{walked} has {len(value)} elements, expected one at {step}")
            value = value[step]
        else:
            if not isinstance(value, dict):
                raise ValueError(f"{walked} is {_kind(value)}, expected an object with {step!r}")
            if step not in value:
                has = ", ".join(json.dumps(key, ensure_ascii=False) for key in list(value)[:8]) or "nothing"
                raise ValueError(f"{walked} has no {step!r}; it has {has}")
            value = value[step]
        walked += f"[{step}]" if isinstance(step, int) else f".{step}"
    return value


def _kind(value: JsonValue) -> str:
    if isinstance(value, bool):
        return "true or false"
    names = {dict: "an object", list: "a list", str: "text", int: "a number", float: "a number", type(None): "null"}
    return names[type(value)]
