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
from evaluator.config.sections import keys_of, section_at
from evaluator.config.yaml_text import KeyPath, YamlText, load_yaml
from evaluator.errors import ConfigError

CONFIG_NAMES = (
    "llm-eval-gate.yml",
    "llm-eval-gate.yaml",
    ".github/llm-eval-gate.yml",
    ".github/llm-eval-gate.yaml",
)
"""Where a config file is looked for, in this order."""

_BUILT_IN_PROVIDERS = ("openai", "local")
_MAX_PROBLEMS = 20
_SHOWN = 60

_WORDS = {
    "dict_type": "names with their settings",
    "tuple_type": "a list such as [a, b]",
    "string_type": "a text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "too_short": "at least one",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
}
"""Pydantic's kinds of problems -> what is expected, in plain words."""
_SECTION_EXAMPLES = {
    "AnchorSection": "a ref such as `anchor: last-release`, or `anchor: {ref: v1.2.0, share: 60%}`",
    "BaselineSection": "a section such as `baseline: {max_age: 12h}`, or `baseline: {pool: 0}` to ask base every time",
    "BudgetSection": "a section such as `budget: {max_usd: $5}`",
    "DatasetSection": "a path such as `dataset: evals/golden.jsonl`",
    "JudgeSection": "a section such as `judge: {model: gpt-5}`",
    "ObjectiveSection": "bounds such as {max_drop: 5%}",
    "PriceSection": "prices per million tokens such as {input: $0.25, output: $2}",
    "SandboxSection": "a section such as `sandbox: {network: allow}`",
    "SlicesSection": "a section such as `slices: {gate: [billing, ko]}`, or `slices: {gate: all}`",
    "TargetSection": "a section such as `target: {prompt: prompts/answer.prompt.yml}`",
    "WhenSection": "a section such as `when: {paths: ['prompts/**']}`",
}
"""How a section is written, where that is not plain from its keys alone."""

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
    config = _validated(Config, parsed, name)
    loaded = LoadedConfig(config, name, parsed, hashlib.sha256(text.encode()).hexdigest())
    _check_providers(loaded)
    _check_latencies(loaded)
    check_engine(loaded)
    return loaded


def _check_providers(loaded: LoadedConfig) -> None:
    """See that every provider that is named is one.

    Raises:
        ConfigError: One is not described.
    """
    config = loaded.config
    named: list[tuple[KeyPath, str]] = []
    named += [(("judge", "provider"), config.judge.provider)] if config.judge is not None else []
    # An app that makes its own calls names where its main ones go, which the gateway's door knows more of.
    named += [(("target", "provider"), config.target.provider)] if config.target.prompt is not None else []
    for place, options in enumerate(config.scorers):
        provider = getattr(options, "provider", None)
        named += [(("scorers", place), provider)] if provider is not None else []
    known = sorted({*config.providers, *_BUILT_IN_PROVIDERS})
    for path, provider in named:
        if provider not in known:
            raise ConfigError(
                f"{loaded.where(*path)}: provider {shown(provider)} is not described{nearest(provider, known)}"
                f" (known: {', '.join(known)})",
                hint=f"add `providers: {{{provider[:60]}: {{base_url: https://..., api_key_env: NAME_OF_THE_KEY}}}}`",
            )


def _check_latencies(loaded: LoadedConfig) -> None:
    """See that what bounds a latency can be measured.

    Raises:
        ConfigError: It cannot: an unknown latency passes no bound, and the first answer of each container that speaks
            JSON Lines has none.
    """
    section = loaded.config.target.container
    timed = loaded.config.first_bounded("latency")
    if section is None or section.http is not None or timed is None:
        return
    raise ConfigError(
        f"{loaded.where('objectives', timed)}: {timed} cannot be bounded for a container that speaks JSON Lines: its"
        " first answer has no latency, since nobody sees when the app has started",
        hint="make the app a server (`target: {container: {http: ...}}`), or take the bound out",
    )


def check_engine(loaded: LoadedConfig) -> None:
    """See that the engine can run what the config asks for.

    Raises:
        ConfigError: It cannot: batches hold only what we ask models ourselves, and tell no latency.
    """
    config = loaded.config
    if config.engine != "batch":
        return
    if config.target.prompt is None:
        raise ConfigError(
            f"{loaded.where('target')}: `engine: batch` runs `prompt` targets alone; a program waits for the answer to"
            " each of its calls, and a batch answers hours later",
            hint="write `engine: local`, or make the target a prompt file",
        )
    timed = config.first_bounded("latency")
    if timed is not None:
        raise ConfigError(
            f"{loaded.where('objectives', timed)}: {timed} cannot be bounded with `engine: batch`: it tells no latency",
            hint="take the bound out, or write `engine: local`",
        )
    named: list[tuple[KeyPath, object]] = [(("target", "provider"), config.target.provider)]
    named += [(("judge", "provider"), config.judge.provider)] if config.judge is not None else []
    named += [(("scorers", place), getattr(options, "provider", None)) for place, options in enumerate(config.scorers)]
    for path, provider in named:
        if provider == "local":
            raise ConfigError(
                f"{loaded.where(*path)}: the embedded model (`provider: local`) has no Batch API",
                hint="write `engine: local`, or name a provider that has one",
            )


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
        found = [dict(problem) for problem in error.errors(include_url=False)]
        problems = [_describe(problem, parsed, name) for problem in found if not _echo(problem, found)]
        raise ConfigError(_joined(problems)) from None


def _echo(problem: Mapping[str, Any], others: Iterable[Mapping[str, Any]]) -> bool:
    """Whether pydantic calls a list too short only because what is in it has a mistake of its own."""
    size = len(problem["loc"])
    inside = any(len(other["loc"]) > size and other["loc"][:size] == problem["loc"] for other in others)
    return problem["type"] == "too_short" and inside


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
        section = section_at(path[:-1])
        names = [] if section is None else keys_of(section)
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
    elif kind == "model_type":
        message = f"'{label}': expected {_section_words(path)}, found {_plain(found)}"
    elif kind == "value_error":
        message = f"'{label}': {problem['ctx']['error']}"
    elif kind in _WORDS:
        message = f"'{label}': expected {_WORDS[kind]}, found {_plain(found)}"
    else:
        said = problem["msg"][0].lower() + problem["msg"][1:]
        message = f"'{label}': {said}, found {shown(found)}"
    return line, f"{name}:{line}: {message}"


def _section_words(path: KeyPath) -> str:
    """What may be written where a section belongs."""
    section = section_at(path)
    names = [] if section is None else keys_of(section)
    example = _SECTION_EXAMPLES.get("" if section is None else section.__name__)
    return f"{example} (keys: {', '.join(names)})" if example else f"a section with keys out of: {', '.join(names)}"


def _plain(found: Any) -> str:
    """A value as it may have been written; what YAML made of a word is told."""
    if isinstance(found, bool):
        return "true (as YAML reads `on` and `yes` too)" if found else "false (as YAML reads `off` and `no` too)"
    return "nothing" if found is None else shown(found)


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
