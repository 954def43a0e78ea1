"""Reads a prompt file: `.prompt.yml` in the GitHub Models format, or a plain Jinja2 text. Renders nothing.

The text is a pull request's: it is only parsed here, and rendered in a process of its own (`rendering.py`).
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluator.config.yaml_text import YamlText, load_yaml
from evaluator.errors import TargetError
from evaluator.records import JsonValue
from evaluator.target.prompt_fields import PARAMETERS, read_parameters, read_response_format

if TYPE_CHECKING:
    from jinja2 import Environment
    from jinja2.nodes import Node

    from evaluator.gateway.interface import ResponseFormat

MAX_BYTES = 1_000_000
KEYS = (
    "name",
    "description",
    "model",
    "modelParameters",
    "messages",
    "responseFormat",
    "jsonSchema",
    "testData",
    "evaluators",
)
ROLES = ("system", "developer", "user", "assistant")
_BLOCK = re.compile(r"[|>][-+0-9]*\s*(#.*)?$")


@dataclass(frozen=True, slots=True)
class PromptMessage:
    """One message of a prompt."""

    role: str
    template: str
    """Jinja2 text; `{{input}}` and the keys of an object input are filled in."""
    line: int
    """Line of the file on which the template begins."""


@dataclass(frozen=True, slots=True)
class PromptFile:
    """A prompt as its file says it."""

    name: str
    """How to call the file in messages."""
    messages: tuple[PromptMessage, ...]
    model: str | None = None
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    """Under the names of the request's body: `max_tokens`, not `maxTokens`."""
    response_format: "ResponseFormat | None" = None
    variables: tuple[str, ...] = ()
    """Names that the templates read, sorted; their own loop variables are among them."""
    description: str = ""


def load_prompt(path: Path, *, name: str) -> PromptFile:
    """Read a prompt file.

    Args:
        path: The file; `.yml` and `.yaml` are read as a GitHub Models prompt, anything else as one user message.
        name: How to call it in messages: its path in the repository.

    Raises:
        TargetError: It cannot be read or is wrong; names file, line, what was found and what was expected.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise TargetError(f"{name}: {error.strerror}", hint="check `target.prompt` in the config") from error
    if len(data) > MAX_BYTES:
        raise TargetError(f"{name}: expected at most {MAX_BYTES} bytes, found more", hint="shorten the prompt")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"{name}:{line}: not UTF-8 (byte 0x{data[error.start]:02x})"
        raise TargetError(found, hint="save it as UTF-8") from None
    if path.suffix.lower() in (".yml", ".yaml"):
        return _from_yaml(text.replace("\r\n", "\n"), name)
    return _from_text(text.replace("\r\n", "\n"), name)


def _from_text(text: str, name: str) -> PromptFile:
    if not text.strip():
        raise TargetError(f"{name}: the prompt is empty", hint="write the prompt, with {{input}} where the input goes")
    message = PromptMessage("user", text, 1)
    return PromptFile(name, (message,), variables=_variables((message,), name))


def _from_yaml(text: str, name: str) -> PromptFile:
    parsed = load_yaml(text, name, error=TargetError, max_bytes=MAX_BYTES)
    data = parsed.data
    if not isinstance(data, dict):
        found = type(data).__name__ if data is not None else "nothing"
        raise TargetError(f"{name}:1: expected a mapping with `messages`, found {found}", hint=_EXAMPLE)
    _check_keys(parsed, (), KEYS, name)
    messages = tuple(_messages(parsed, text.split("\n"), name))
    return PromptFile(
        name,
        messages,
        model=_optional_text(parsed, "model", name),
        params=read_parameters(parsed, name),
        response_format=read_response_format(parsed, name),
        variables=_variables(messages, name),
        description=_optional_text(parsed, "description", name) or "",
    )


_EXAMPLE = "write `messages:` and below it `- role: user` with `content: ...{{input}}...`"


def _messages(parsed: YamlText, lines: list[str], name: str) -> Iterator[PromptMessage]:
    found = parsed.data.get("messages")
    if not isinstance(found, list) or not found:
        where = f"{name}:{parsed.line(('messages',))}"
        raise TargetError(f"{where}: expected `messages`, a list with at least one message", hint=_EXAMPLE)
    for position, item in enumerate(found):
        where = f"{name}:{parsed.line(('messages', position))}"
        if not isinstance(item, dict):
            raise TargetError(f"{where}: a message must have `role` and `content`", hint=_EXAMPLE)
        _check_keys(parsed, ("messages", position), ("role", "content"), name)
        role, content = item.get("role"), item.get("content")
        if role not in ROLES:
            where = f"{name}:{parsed.line(('messages', position, 'role'))}"
            raise TargetError(
                f"{where}: role {_show(role)}, expected one of {', '.join(ROLES)}", hint=_near(role, ROLES)
            )
        line = parsed.line(("messages", position, "content"))
        if not isinstance(content, str):
            quote = "put the text in quotes, or below `content: |`; a value that starts with {{ needs quotes"
            raise TargetError(f"{name}:{line}: content must be text, found {_show(content)}", hint=quote)
        yield PromptMessage(str(role), content, line + 1 if _BLOCK.search(lines[line - 1]) else line)


def _optional_text(parsed: YamlText, key: str, name: str) -> str | None:
    value = parsed.data.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise TargetError(f"{name}:{parsed.line((key,))}: `{key}` must be text, found {_show(value)}")
    return value


def _check_keys(parsed: YamlText, path: tuple[str | int, ...], allowed: tuple[str, ...], name: str) -> None:
    data: Any = parsed.data
    for step in path:
        data = data[step]
    for key in data:
        if key not in allowed:
            where = f"{name}:{parsed.line((*path, str(key)))}"
            hint = _near(key, allowed) or ("put it under `modelParameters`" if key in PARAMETERS else "")
            raise TargetError(f"{where}: key {_show(key)} is not known, expected {', '.join(allowed)}", hint=hint)


def _variables(messages: tuple[PromptMessage, ...], name: str) -> tuple[str, ...]:
    """Parse every template, which runs nothing, and give the names that it reads.

    Raises:
        TargetError: A template is not Jinja2.
    """
    from jinja2 import Environment, TemplateSyntaxError, nodes  # only prompts need it

    environment = Environment()  # noqa: S701  # a prompt is no HTML, and nothing is rendered here
    outside = (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)
    names: set[str] = set()
    for message in messages:
        try:
            tree = environment.parse(message.template)
            found = list(tree.find_all((nodes.Filter, nodes.Test, *outside)))
            names |= {node.name for node in tree.find_all(nodes.Name) if node.ctx == "load"}
        except TemplateSyntaxError as error:
            where = f"{name}:{message.line + error.lineno - 1}"
            hint = "a literal {{ or {% is written {{ '{{' }} or between {% raw %} and {% endraw %}"
            raise TargetError(f"{where}: not a Jinja2 template: {error.message}", hint=hint) from None
        except RecursionError:
            raise TargetError(f"{name}:{message.line}: the template is nested too deeply") from None
        except ValueError as error:
            raise TargetError(f"{name}:{message.line}: not a Jinja2 template: {str(error)[:100]}") from None
        for node in found:
            problem = _problem(node, environment)
            if problem:
                raise TargetError(f"{name}:{message.line + node.lineno - 1}: {problem}")
    return tuple(sorted(names))


def _problem(node: "Node", environment: "Environment") -> str:
    from jinja2 import nodes  # only prompts need it

    if isinstance(node, nodes.Filter):
        known = node.name in environment.filters and node.name != "random"
        return "" if known else f"there is no filter {_show(node.name)}"
    if isinstance(node, nodes.Test):
        return "" if node.name in environment.tests else f"there is no test {_show(node.name)}"
    return "a prompt cannot include or import another file"


def _near(key: object, allowed: tuple[str, ...]) -> str:
    lowered = {name.lower(): name for name in allowed}
    near = difflib.get_close_matches(str(key).lower(), lowered, n=1, cutoff=0.6)
    return f"did you mean {lowered[near[0]]}?" if near else ""


def _show(value: object, limit: int = 80) -> str:
    shown = repr(value)
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."
