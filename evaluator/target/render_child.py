"""The child side of `rendering.py`: renders templates of a pull request in a process without keys.

Started as a script by our own interpreter, isolated; it imports Jinja2 and nothing of the evaluator:

    python -I render_child.py FOLDER_OF_JINJA2 FOLDER_OF_MARKUPSAFE

One JSON question a line on stdin: {"id", "templates": [...], "cases": [{...}, ...]}, each case the variables of one.
One JSON answer a line on stdout: {"id", "cases": [...]}, each {"texts": [...]} or {"error", "message"}.
"""

import contextlib
import json
import resource
import sys
from collections.abc import Mapping, Sequence
from typing import Any

MAX_CHARACTERS = 1_000_000
MAX_MEMORY_BYTES = 1_000_000_000


def main() -> None:
    """Answer questions until stdin ends."""
    sys.path.extend(sys.argv[1:])
    with contextlib.suppress(ValueError, OSError):  # not every system has the limit
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    environment = make_environment()
    compiled: tuple[list[str], list[Any]] = ([], [])
    for line in sys.stdin.buffer:
        question = json.loads(line)
        texts = question["templates"]
        answers: list[dict[str, Any]] = []
        for variables in question["cases"]:
            try:
                if texts != compiled[0]:
                    compiled = (texts, [environment.from_string(text) for text in texts])
                answers.append({"texts": render_all(compiled[1], variables)})
            except Exception as error:  # whatever a template may raise is an answer
                answers.append({"error": type(error).__name__, "message": str(error)[:500]})
        answer = {"id": question["id"], "cases": answers}
        sys.stdout.buffer.write(json.dumps(answer).encode("ascii") + b"\n")
        sys.stdout.buffer.flush()


def make_environment() -> Any:
    """Make the sandbox: no files, no missing names, nothing random; values that are not text are written as JSON."""
    from jinja2 import StrictUndefined  # main says where it is
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True, finalize=as_text
    )
    environment.globals.pop("lipsum", None)
    environment.filters.pop("random", None)
    environment.filters["tojson"] = plain_json
    return environment


def render_all(templates: Sequence[Any], variables: Mapping[str, Any]) -> list[str]:
    """Render every template; too long a text is refused while it grows."""
    texts, left = [], MAX_CHARACTERS
    for template in templates:
        parts = []
        for part in template.generate(variables):
            left -= len(part)
            if left < 0:
                raise OverflowError(f"the prompt is longer than {MAX_CHARACTERS} characters")
            parts.append(part)
        texts.append("".join(parts))
    return texts


def as_text(value: Any) -> Any:
    """Write lists, objects, booleans and null as JSON rather than as Python; leave anything else to Jinja2."""
    return plain_json(value) if value is None or isinstance(value, (bool, list, dict)) else value


def plain_json(value: Any, indent: int | None = None) -> str:
    """Write a value as JSON, not escaped for HTML."""
    return json.dumps(value, ensure_ascii=False, indent=indent)


if __name__ == "__main__":
    main()
