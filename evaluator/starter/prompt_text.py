"""Writes prompts as files: chat messages as `.prompt.yml`, and file names that any system takes."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from evaluator.records import JsonValue


class _Blocks(yaml.SafeDumper):
    """Writes text of several lines as a block, which people can edit."""


def _text(dumper: Any, value: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Blocks.add_representer(str, _text)


def prompt_yaml(
    name: str, messages: Sequence[tuple[str, str]], *, parameters: Mapping[str, JsonValue] | None = None
) -> str:
    """Write a prompt file in the format of GitHub Models.

    Args:
        name: The prompt's name.
        messages: (role, content) in order; a content may hold `{{ names }}`.
        parameters: For `modelParameters`.
    """
    document: dict[str, object] = {"name": name}
    if parameters:
        document["modelParameters"] = dict(parameters)
    document["messages"] = [{"role": role, "content": content} for role, content in messages]
    return str(yaml.dump(document, Dumper=_Blocks, allow_unicode=True, sort_keys=False, width=100))


def file_stem(name: str, fallback: str = "imported") -> str:
    """Make a file's name of any text: letters and digits of any script, dots, dashes; at most 60 characters."""
    stem = re.sub(r"[^\w.-]+", "-", name, flags=re.UNICODE).strip("-._")[:60].rstrip("-._")
    return stem or fallback
