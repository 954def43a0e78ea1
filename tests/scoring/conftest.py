"""What the scorers' tests share: scoring one answer by one scorer, as the config writes it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import TypeAdapter

from evaluator.config.scorers import AnyScorerOptions, scorer_shorthand
from evaluator.records import Case, JsonValue, Output, Score
from evaluator.scoring.build import JudgeDefaults, build_scorers
from evaluator.scoring.interface import Scorer
from tests.scoring.scripted_models import ScriptedModels

OPTIONS: TypeAdapter[Any] = TypeAdapter(AnyScorerOptions)


def no_file(path: str) -> str:
    raise FileNotFoundError(2, "No such file or directory", path)


def make_scorer(written: object, *, labels: tuple[str, ...] = (), models: ScriptedModels | None = None) -> Scorer:
    """Make the scorer that stands so in a config."""
    options = OPTIONS.validate_python(scorer_shorthand(written))
    [scorer] = build_scorers(
        [options],
        judge=JudgeDefaults(model="judge-model"),
        models=models or ScriptedModels(),
        read_file=no_file,
        dataset_labels=labels,
    )
    return scorer


def score_of(
    written: object,
    answer: str | Output,
    expected: JsonValue = None,
    *,
    labels: tuple[str, ...] = (),
    models: ScriptedModels | None = None,
) -> Score:
    """Score one answer; a text stands for an output of it."""
    scorer = make_scorer(written, labels=labels, models=models)
    output = Output(text=answer) if isinstance(answer, str) else answer
    score = asyncio.run(scorer.score(Case("c1", "question?", expected), output))
    assert not (score.values and score.failure), "never both"
    return score


Value = Callable[..., float | None]


@pytest.fixture
def value() -> Value:
    """Give the value of the scorer's first metric; None if the metric does not apply. A failure fails the test."""

    def give(written: object, answer: str | Output, expected: JsonValue = None, **more: Any) -> float | None:
        score = score_of(written, answer, expected, **more)
        assert score.failure is None, score.failure
        return next(iter(score.values.values()), None)

    return give
