"""What all judges share: the model to ask, the rubric and the scale, and how options override them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from evaluator.config.scorers import JudgeOptions
from evaluator.errors import ScorerError
from evaluator.records import JsonValue
from evaluator.resources import resource_folder
from evaluator.scoring.files import read_text

TEMPLATES = resource_folder("templates") / "judge"
MAX_SCALE_STEPS = 100
MAX_RUBRIC_CHARACTERS = 100_000

CanaryPolicy = Literal["warn", "fail", "off"]
"""What happens if a judge obeys the answers that it judges: see `canaries.py`."""


@dataclass(frozen=True, slots=True)
class JudgeDefaults:
    """The `judge:` part of the config, with the rubric's text in place of its path."""

    provider: str = "openai"
    model: str | None = None
    rubric: str | None = None
    """Text of the rubric; the one in templates/judge if None."""
    scale: tuple[int, int] = (1, 5)
    """Lowest and highest score."""
    repeats: int = 1
    """Judgements of one answer, averaged."""
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    """Further fields of the request: temperature, reasoning_effort ..."""
    canaries: CanaryPolicy = "warn"


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """What one judge uses."""

    provider: str
    model: str
    rubric: str
    scale: tuple[int, int]
    repeats: int
    params: Mapping[str, JsonValue]
    canaries: CanaryPolicy


def judge_settings(options: JudgeOptions, defaults: JudgeDefaults, read_file: Callable[[str], str]) -> JudgeSettings:
    """Lay a scorer's own options over the defaults.

    Raises:
        ScorerError: No model is named, the scale is none, or the rubric cannot be read or is empty.
    """
    name = options.metric_name
    model = options.model or defaults.model
    if not model:
        raise ScorerError(
            f"scorer {name!r} asks a model, but none is named",
            hint="write `judge: {model: ...}` at the top of the config, or `model:` in the scorer",
        )
    low, high = options.scale or defaults.scale
    if not 0 < high - low <= MAX_SCALE_STEPS:
        raise ScorerError(
            f"scorer {name!r}: expected a scale from low to high of at most {MAX_SCALE_STEPS} steps, "
            f"found [{low}, {high}]",
            hint="write `scale: [1, 5]`",
        )
    rubric = defaults.rubric if defaults.rubric is not None else default_rubric()
    if options.rubric is not None:
        rubric = read_text(read_file, options.rubric, scorer=name)
    if not rubric.strip() or len(rubric) > MAX_RUBRIC_CHARACTERS:
        raise ScorerError(
            f"scorer {name!r}: the rubric has {len(rubric.strip())} characters",
            hint=f"say in 1 to {MAX_RUBRIC_CHARACTERS} characters what a good answer is; leave `rubric` out for ours",
        )
    return JudgeSettings(
        provider=options.provider or defaults.provider,
        model=model,
        rubric=rubric,
        scale=(low, high),
        repeats=options.repeats or defaults.repeats,
        params=defaults.params,
        canaries=defaults.canaries,
    )


def default_rubric() -> str:
    """Give the rubric that is used where the config names none."""
    return (TEMPLATES / "default_rubric.md").read_text(encoding="utf-8")
