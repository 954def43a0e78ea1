"""faithfulness and context_recall: the share of claims that the contexts support."""

import pytest

from evaluator.records import FailureKind, JsonValue, Output
from tests.scoring.conftest import score_of
from tests.scoring.scripted_models import ScriptedModels, prompt_of

CONTEXTS = ("Seoul is the capital.", "It has 9 million people.")


def claims(*supported: bool) -> dict[str, JsonValue]:
    return {"claims": [{"claim": f"claim {n}", "reason": "r", "supported": s} for n, s in enumerate(supported, 1)]}


def test_faithfulness_is_the_share_of_the_answers_claims() -> None:
    models = ScriptedModels([claims(True, True, False, True)])
    score = score_of("faithfulness", Output(text="the answer", contexts=CONTEXTS), "the truth", models=models)
    assert score.values == {"faithfulness": 0.75}
    assert score.reason == "not supported: claim 3"
    prompt = prompt_of(models.asked[0])
    assert "the answer" in prompt
    assert "the truth" not in prompt
    assert all(context in prompt for context in CONTEXTS)


def test_context_recall_is_the_share_of_the_expected_claims() -> None:
    models = ScriptedModels([claims(True, False)])
    score = score_of("context_recall", Output(text="my own reply", contexts=CONTEXTS), "the truth", models=models)
    assert score.values == {"context_recall": 0.5}
    assert "my own reply" not in prompt_of(models.asked[0])


def test_repeats_are_averaged() -> None:
    models = ScriptedModels([claims(True), claims(True, False)])
    score = score_of({"faithfulness": {"repeats": 2}}, Output(text="a", contexts=CONTEXTS), models=models)
    assert score.values == {"faithfulness": 0.75}
    assert score.details["scores"] == [1.0, 0.5]


@pytest.mark.parametrize("scorer", ["faithfulness", "context_recall"])
def test_an_app_that_returned_no_contexts_is_a_failure_that_says_so(scorer: str) -> None:
    models = ScriptedModels([claims(True)])
    score = score_of(scorer, Output(text="a"), "b", models=models)
    assert score.failure is not None
    assert score.failure.kind is FailureKind.SCORER
    assert "the app returned no contexts" in score.failure.message
    assert models.asked == []


def test_a_text_without_claims_has_no_value() -> None:
    score = score_of("faithfulness", Output(text="I don't know", contexts=CONTEXTS), models=ScriptedModels([claims()]))
    assert (score.values, score.failure, len(score.calls)) == ({}, None, 1)


def test_context_recall_needs_an_expected_answer() -> None:
    assert score_of("context_recall", Output(text="a", contexts=CONTEXTS)).values == {}


@pytest.mark.parametrize(
    "malformed", [{"claims": "all"}, {"claims": [{"claim": "c", "reason": "r", "supported": 1}]}, {}]
)
def test_a_malformed_list_is_asked_again(malformed: JsonValue) -> None:
    models = ScriptedModels([malformed, claims(True)])
    assert score_of("faithfulness", Output(text="a", contexts=CONTEXTS), models=models).values == {"faithfulness": 1.0}
