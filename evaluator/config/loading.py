"""From the text of a config file to a `Config`, or to errors that name file and line, what was found and the mend."""

import difflib
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from evaluator.config import model, scorers
from evaluator.config.model import Config
from evaluator.config.yaml_text import KeyPath, YamlText, load_yaml
from evaluator.errors import ConfigError

CONFIG_NAMES = (
    "llm-eval-gate.yml",
    "llm-eval-gate.yaml",
    ".github/llm-eval-gate.yml",
    ".github/llm-eval-gate.yaml",
)
"""Where a config file is looked for, in this order."""

_MAX_PROBLEMS = 20
_SHOWN = 60

AnyModel = TypeVar("AnyModel", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A valid config and where each of its keys stands."""

    config: Config
    name: str
    """Path of the file in the repository, as messages show it."""
    text: YamlText
    digest: str
    """SHA-256 of the file's text, hexadecimal."""

    def where(self, *path: str | int) -> str:
        """`file:line` of a key, for a message."""
        return f"{self.name}:{self.text.line(path)}"


def find_config(root: Path) -> str | None:
    """The config file's path relative to a checkout, or None."""
    return next((name for name in CONFIG_NAMES if (root / name).is_file()), None)


def parse_config(text: str, name: str) -> LoadedConfig:
    """Parse and check a config file's text.

    Args:
        text: What the file holds.
        name: How to call the file in messages.

    Raises:
        ConfigError: Everything that is wrong with it, a line each.
    """
    parsed = _parsed(text, name)
    return LoadedConfig(_validated(Config, parsed, name), name, parsed, hashlib.sha256(text.encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class Bounds:
    """The part of a config that judges numbers."""

    objectives: Mapping[str, model.ObjectiveSection]
    on_inconclusive: str
    where: Callable[..., str]
    """Gives `file:line` of a path of keys."""


def parse_objectives(text: str, name: str) -> Bounds:
    """Parse the objectives of a whole config file, or of a file that holds only `objectives:`.

    Raises:
        ConfigError: As for `parse_config`.
    """
    parsed = _parsed(text, name)
    whole = set(parsed.data) - set(model.ObjectivesOnly.model_fields)
    shape: type[Config] | type[model.ObjectivesOnly] = Config if whole else model.ObjectivesOnly
    found = _validated(shape, parsed, name)
    return Bounds(found.objectives, found.on_inconclusive, lambda *path: f"{name}:{parsed.line(path)}")


def _parsed(text: str, name: str) -> YamlText:
    parsed = load_yaml(text, name)
    if not isinstance(parsed.data, dict):
        found = "nothing" if parsed.data is None else type(parsed.data).__name__
        raise ConfigError(
            f"{name}:1: expected keys such as version, dataset, target, scorers, objectives; found {found}",
            hint="`llm-eval-gate init` writes a first config",
        )
    return parsed


def _validated(shape: type[AnyModel], parsed: YamlText, name: str) -> AnyModel:
    try:
        return shape.model_validate(parsed.data)
    except ValidationError as error:
        problems = [_describe(dict(problem), parsed, name) for problem in error.errors(include_url=False)]
        raise ConfigError(_joined(problems)) from None


def _joined(problems: Iterable[tuple[int, str]]) -> str:
    """One message of many problems, in the order of their lines, each once."""
    lines = [message for _, message in sorted(dict.fromkeys(problems))]
    more = [f"... and {len(lines) - _MAX_PROBLEMS} more"] if len(lines) > _MAX_PROBLEMS else []
    return "\n".join(lines[:_MAX_PROBLEMS] + more)


def nearest(found: str, names: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the nearest of some names, or an empty string."""
    close = difflib.get_close_matches(found, list(names), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""


def shown(found: Any) -> str:
    """A value from a file, short and on one line, as a message may show it."""
    text = ascii(found) if not isinstance(found, str) else repr(found)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def _describe(problem: dict[str, Any], parsed: YamlText, name: str) -> tuple[int, str]:
    path = tuple(problem["loc"])
    line = parsed.line(_path_in_file(path, parsed.lines))
    key = str(path[-1]) if path else ""
    kind, found = problem["type"], problem.get("input")
    label = ".".join(str(part) for part in _path_in_file(path, parsed.lines) or path)
    if kind == "extra_forbidden":
        names = sorted(_keys_at(path[:-1]))
        message = f"unknown key {shown(key)}{nearest(key, names)} (expected one of: {', '.join(names)})"
    elif kind == "missing":
        message = f"'{label}' is missing" if label else "a key is missing"
        message = f"'{'.'.join(str(part) for part in path)}' is missing" + _example(key)
    elif kind in ("union_tag_invalid", "union_tag_not_found"):
        tag = found.get("type", found) if isinstance(found, dict) else found
        names = list(scorers.SCORER_TYPES)
        message = f"unknown scorer {shown(tag)}{nearest(str(tag), names)} (expected one of: {', '.join(names)})"
    elif kind == "literal_error":
        expected = problem.get("ctx", {}).get("expected", "another value")
        message = f"'{label}': expected {expected}, found {shown(found)}{nearest(str(found), _quoted(expected))}"
    elif kind == "model_type" and path[:1] == ("objectives",):
        message = f"'{label}': expected bounds such as {{max_drop: 5%}}, found {shown(found)}"
    elif kind == "value_error":
        message = f"'{label}': {problem['ctx']['error']}"
    else:
        said = problem["msg"][0].lower() + problem["msg"][1:]
        message = f"'{label}': {said}, found {shown(found)}"
    return line, f"{name}:{line}: {message}"


def _quoted(expected: str) -> list[str]:
    return [part for part in expected.replace(" or ", ", ").replace("'", "").split(", ") if part]


def _example(key: str) -> str:
    examples = {
        "version": "add `version: 1`",
        "dataset": "add `dataset: evals/golden.jsonl`",
        "target": "add `target: {prompt: prompts/answer.prompt.yml}`",
        "scorers": "add `scorers: [exact_match]`",
        "objectives": "add `objectives: {exact_match: {max_drop: 5%}}`",
        "model": "add `model: NAME`",
    }
    return f"; {examples[key]}" if key in examples else ""


def _path_in_file(path: KeyPath, lines: Mapping[KeyPath, int]) -> KeyPath:
    """Drop the parts of pydantic's path that stand for a union's branch rather than for a key of the file."""
    kept: list[str | int] = []
    for position, part in enumerate(path):
        is_tag = position == 2 and path[0] == "scorers" and (*kept, part) not in lines
        if part == "[key]" or is_tag:
            continue
        kept.append(part)
    return tuple(kept)


_SECTIONS: dict[tuple[str, ...], type[BaseModel]] = {
    (): model.Config,
    ("dataset",): model.DatasetSection,
    ("target",): model.TargetSection,
    ("target", "command"): model.CommandSection,
    ("judge",): model.JudgeSection,
    ("budget",): model.BudgetSection,
    ("objectives", "*"): model.ObjectiveSection,
    ("providers", "*"): model.ProviderSection,
    ("prices", "*"): model.PriceSection,
}


def _keys_at(path: KeyPath) -> set[str]:
    """Names of the keys that may stand at a path."""
    if path and path[0] == "scorers":
        kind = str(path[2]) if len(path) > 2 else ""
        for options in scorers.ScorerOptions.__subclasses__() + scorers.JudgeOptions.__subclasses__():
            if options.model_fields["type"].default == kind:
                return {field.alias or key for key, field in options.model_fields.items()}
        return set()
    wanted = tuple("*" if depth == 1 and path[0] in ("objectives", "providers", "prices") else str(part)
                   for depth, part in enumerate(path))  # fmt: skip
    section = _SECTIONS.get(wanted)
    return set(section.model_fields) if section else set()
