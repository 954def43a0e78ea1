"""judge_pairwise asks in both orders, and neither side profits from a judge that likes a position or fails."""

import asyncio
import json

import pytest

from evaluator.errors import ProviderError
from evaluator.gateway.interface import ChatRequest
from evaluator.records import Case, FailureKind, Output, Score
from evaluator.scoring.interface import Pair
from tests.scoring.conftest import make_scorer
from tests.scoring.scripted_models import Reply, ScriptedModels, prompt_of


def prefers(text: str) -> Reply:
    """A judge that prefers the answer that holds a text, wherever it stands."""

    def reply(request: ChatRequest) -> str:
        first, second = prompt_of(request).split("FIRST ANSWER")[1].split("SECOND ANSWER")
        better = "tie" if (text in first) == (text in second) else "first" if text in first else "second"
        return json.dumps({"reasoning": "r", "better": better})

    return reply


def always(better: object) -> Reply:
    return lambda _: json.dumps({"reasoning": "r", "better": better})


def compare(models: ScriptedModels, base: Output, head: Output, **options: object) -> tuple[Score, Score]:
    scorer = make_scorer({"judge_pairwise": options}, models=models)
    assert scorer.pairwise
    return asyncio.run(scorer.score_pair(Case("c", "q", "e"), Pair(base, head)))


GOOD, BAD = Output(text="a good answer"), Output(text="a poor answer")


@pytest.mark.parametrize(
    ("base", "head", "value"), [(BAD, GOOD, 1.0), (GOOD, BAD, 0.0), (BAD, Output(text="so-so"), 0.5)]
)
def test_the_better_side_wins_in_both_orders(base: Output, head: Output, value: float) -> None:
    models = ScriptedModels(prefers("good"))
    base_score, head_score = compare(models, base, head)
    assert base_score.values == {"judge_pairwise": 0.5}
    assert head_score.values == {"judge_pairwise": value}
    assert head_score.details["orders_disagree"] is False
    assert (len(base_score.calls), len(head_score.calls)) == (0, 2)


@pytest.mark.parametrize(("choice", "share"), [("first", 1.0), ("second", 0.0)])
def test_a_judge_that_likes_a_position_gives_a_tie_and_is_found_out(choice: str, share: float) -> None:
    _, head = compare(ScriptedModels(always(choice)), BAD, GOOD, repeats=2)
    assert head.values == {"judge_pairwise": 0.5}
    assert head.details["orders_disagree"] is True
    assert head.details["first_answer_preferred"] == share
    assert "disagree in 2 of 2" in head.reason


def test_equal_answers_are_a_tie_without_a_call() -> None:
    models = ScriptedModels(always("first"))
    assert compare(models, GOOD, Output(text="a good answer"))[1].values == {"judge_pairwise": 0.5}
    assert models.asked == []


@pytest.mark.parametrize(
    ("base", "head", "value"),
    [({"a": "x"}, {}, 0.0), ({}, {"a": "x"}, 1.0), ({"b": 1}, {"c": 1}, 0.5)],
)
def test_an_answer_without_the_field_loses(base: dict[str, object], head: dict[str, object], value: float) -> None:
    models = ScriptedModels(always("first"))
    sides = (Output(text=json.dumps(base)), Output(text=json.dumps(head)))
    assert compare(models, *sides, field="a")[1].values == {"judge_pairwise": value}
    assert models.asked == []


def test_a_judge_that_fails_is_a_failure_of_both_sides() -> None:
    models = ScriptedModels()
    models.error = ProviderError("slow down", kind="rate_limit")
    for score in compare(models, BAD, GOOD):
        assert score.failure is not None
        assert score.failure.kind is FailureKind.RATE_LIMIT


def test_a_choice_that_is_none_is_asked_again() -> None:
    good = {"reasoning": "r", "better": "tie"}
    models = ScriptedModels([{"reasoning": "r", "better": "A"}, good])
    assert compare(models, BAD, GOOD)[1].values == {"judge_pairwise": 0.5}
    assert len(models.asked) == 3


def test_one_side_alone_cannot_be_scored() -> None:
    scorer = make_scorer("judge_pairwise")
    score = asyncio.run(scorer.score(Case("c", "q"), GOOD))
    assert score.failure is not None
    assert "only one" in score.failure.message


def test_each_answer_stands_first_as_often_as_second_so_its_place_tells_nothing() -> None:
    models = ScriptedModels(always("tie"))
    compare(models, BAD, GOOD, repeats=3)
    places = [
        prompt_of(request).index("a good answer") < prompt_of(request).index("a poor") for request in models.asked
    ]
    assert sorted(places) == [False] * 3 + [True] * 3
