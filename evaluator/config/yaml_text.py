"""Untrusted YAML as plain data, with the line of every value.

YAML's safe loader alone is not enough: aliases let 400 bytes explode into gigabytes, and a repeated key silently
wins over the first. Both are refused here, and bytes and depth are capped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml

from evaluator.errors import ConfigError, EvalGateError

MAX_BYTES = 1_000_000
MAX_DEPTH = 40

KeyPath: TypeAlias = "tuple[str | int, ...]"

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class YamlText:
    """A parsed YAML text."""

    data: Any
    """Plain dicts, lists and scalars."""
    lines: Mapping[KeyPath, int]
    """Path of every key and item -> its line, from 1."""

    def line(self, path: KeyPath) -> int:
        """Line of the value at a path, or of its nearest parent that is in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def load_yaml(
    text: str, name: str, *, error: type[EvalGateError] = ConfigError, max_bytes: int = MAX_BYTES
) -> YamlText:
    """Parse one YAML document.

    Args:
        text: The document.
        name: How to call the file in messages.
        error: Class of the error to raise; an EvalGateError.
        max_bytes: Largest size accepted.

    Raises:
        ConfigError: (or `error`) Syntax, alias, repeated key, size or depth, with file and line.
    """
    if len(text.encode("utf-8", "replace")) > max_bytes:
        raise error(f"{name}: larger than {max_bytes // 1000} kB", hint="keep data in the dataset file, not here")
    try:
        _refuse_aliases(text, name, error)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            lines: dict[KeyPath, int] = {}
            if node is None:
                return YamlText(None, lines)
            _index(node, (), lines, name, error)
            return YamlText(loader.construct_document(node), lines)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        where = f"{name}:{mark.line + 1}" if mark else name
        raise error(
            f"{where}: not valid YAML: {problem.problem or problem.context}",
            hint="check the indentation, and quote values that hold ': ' or start with { [ * & ! % @ `",
        ) from None
    except yaml.YAMLError as problem:
        found = str(problem).splitlines()[0][:100]
        raise error(f"{name}: not valid YAML: {found}", hint="save the file as plain UTF-8 text") from None
    except (ValueError, RecursionError) as problem:
        raise error(f"{name}: a value cannot be read: {str(problem)[:100]}", hint="put the value in quotes") from None


def _refuse_aliases(text: str, name: str, error: type[EvalGateError]) -> None:
    """Walk the events, so that nothing is built before anchors and depth are known to be harmless."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        mark = event.start_mark
        line = mark.line + 1 if mark else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise error(f"{name}:{line}: YAML anchors and aliases are not allowed", hint="write the value out again")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise error(f"{name}:{line}: nested deeper than {MAX_DEPTH} levels", hint="flatten the structure")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _index(node: Any, path: KeyPath, lines: dict[KeyPath, int], name: str, error: type[EvalGateError]) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise error(
                    f"{name}:{line}: a key must be plain text",
                    hint="put a value that starts with {{ in quotes",
                )
            key = str(key_node.value)
            if key_node.tag == "tag:yaml.org,2002:merge":
                raise error(f"{name}:{line}: YAML merge keys (<<) are not allowed", hint="write the keys out")
            if key in seen:
                raise error(
                    f"{name}:{line}: key '{key[:60]}' is there twice (first on line {seen[key]})", hint="remove one"
                )
            seen[key] = line
            lines[(*path, key)] = line
            _index(value_node, (*path, key), lines, name, error)
    elif isinstance(node, yaml.SequenceNode):
        for position, child in enumerate(node.value):
            lines[(*path, position)] = child.start_mark.line + 1
            _index(child, (*path, position), lines, name, error)
