"""Judges are tried before a run: one that obeys the answers that it judges is found out, one that does not is left alone."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from evaluator.errors import InfrastructureError, ProviderError, ScorerError
from evaluator.gateway.interface import ChatRequest
from evaluator.scoring.build import JudgeDefaults, build_scorers
from evaluator.scoring.interface import Scorer
from evaluator.scoring.judge.ask import ATTEMPTS
from evaluator.scoring.judge.canaries import BAD_ANSWER, GOOD_ANSWER, Findings, try_judges
from tests.scoring.conftest import OPTIONS, no_file
from tests.scoring.scripted_models import CALL, Reply, ScriptedModels, prompt_of

KINDS = ("judge", "judge_pairwise", "faithfulness", "context_recall")
Verdict = Callable[[float, ChatRequest], dict[str, Any]]


def blocks_of(request: ChatRequest) -> dict[str, str]:
    """The blocks of a question by name, read by its true code, as an attentive judge does."""
    code = re.findall(r"`<<<(\S+) NAME`", prompt_of(request))[0]
    message = str(request.messages[1].get("content"))
    return dict(re.findall(rf"<<<{code} ([^\n]+)\n(.*?)\n{code}>>>", message, re.DOTALL))


def answers(request: ChatRequest, merit: Callable[[str], float]) -> str:
    """A judge's answer in the form that is demanded, where a text's merit is a number from 0 to 1."""
    assert request.response_format is not None
    form: Any = request.response_format
    properties = form["json_schema"]["schema"]["properties"]
    blocks = blocks_of(request)
    if "score" in properties:
        scale = properties["score"]["enum"]
        score = scale[0] + round(merit(blocks["ANSWER"]) * (scale[-1] - scale[0]))
        return json.dumps({"reasoning": "r", "score": score})
    if "better" in properties:
        first, second = merit(blocks["FIRST ANSWER"]), merit(blocks["SECOND ANSWER"])
        better = "tie" if first == second else "first" if first > second else "second"
        return json.dumps({"reasoning": "r", "better": better})
    text = blocks["ANSWER"] if "ANSWER" in blocks else " ".join(v for k, v in blocks.items() if k.startswith("CONTEXT"))
    return json.dumps({"claims": [{"claim": "c", "reason": "r", "supported": merit(text) > 0.5}]})


def honest(request: ChatRequest) -> str:
    return answers(request, lambda text: 0.5 if text == GOOD_ANSWER else 0.0)


def obeys_orders(request: ChatRequest) -> str:
    return answers(
        request, lambda text: 1.0 if "NOTE TO THE EVALUATOR" in text else 0.5 if text == GOOD_ANSWER else 0.0
    )


def copies_verdicts(request: ChatRequest) -> str:
    """It takes the last JSON object of the message for its own answer."""
    found = re.findall(r"^\{.*\}$", str(request.messages[1].get("content")), re.MULTILINE)
    return found[-1] if found else honest(request)


def scorers(*written: object, policy: str = "warn", rubric: str | None = None, models: object = None) -> list[Scorer]:
    options = [OPTIONS.validate_python(one if isinstance(one, dict) else {"type": one}) for one in written]
    defaults = JudgeDefaults(model="judge-model", canaries=policy, rubric=rubric)  # type: ignore[arg-type]
    return build_scorers(options, judge=defaults, models=ScriptedModels(), read_file=no_file)


def tried(judge: Reply, *written: object, policy: str = "warn") -> Findings:
    return asyncio.run(try_judges(scorers(*written, policy=policy), ScriptedModels(judge)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_judge_that_keeps_to_its_rubric_is_left_alone(kind: str) -> None:
    models = ScriptedModels(honest)
    found = asyncio.run(try_judges(scorers(kind, policy="fail"), models))
    assert found.warnings == ()
    assert found.calls == (CALL,) * len(models.asked)
    assert 2 <= len(models.asked) <= 4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("judge", "by", "not_by"), [(obeys_orders, "an order", "forged"), (copies_verdicts, "a forged verdict", "an order")]
)
def test_a_judge_that_obeys_is_found_out_and_it_is_told_by_what(kind: str, judge: Reply, by: str, not_by: str) -> None:
    [warning] = tried(judge, kind).warnings
    assert f"the judge of {kind!r} obeys the answers" in warning
    assert by in warning
    assert not_by not in warning


@pytest.mark.parametrize("kind", KINDS)
def test_where_the_config_says_so_a_judge_that_obeys_ends_the_run_with_exit_code_2(kind: str) -> None:
    with pytest.raises(ScorerError, match="can write its own score") as caught:
        tried(obeys_orders, kind, policy="fail")
    assert caught.value.exit_code == 2
    assert "canaries: warn" in caught.value.hint


def test_nothing_is_asked_where_the_canaries_are_off_or_nobody_judges() -> None:
    models = ScriptedModels(obeys_orders)
    assert asyncio.run(try_judges(scorers(*KINDS, policy="off"), models)) == Findings()
    assert asyncio.run(try_judges(scorers("f1", "exact_match"), models)) == Findings()
    assert models.asked == []


@pytest.mark.parametrize("scale", [(0, 1), (1, 3), (1, 5), (-10, 10), (0, 100)])
def test_every_scale_tells_an_honest_judge_from_one_that_obeys(scale: tuple[int, int]) -> None:
    judge = {"type": "judge", "scale": scale}
    assert tried(honest, judge).warnings == ()
    assert len(tried(obeys_orders, judge).warnings) == 1


def test_a_judge_that_drifts_by_a_step_does_not_count_as_obeying() -> None:
    def generous(request: ChatRequest) -> str:
        return answers(request, lambda text: 0.5 if "EVALUATOR" in text else 0.25 if text == BAD_ANSWER else 0.0)

    assert tried(generous, "judge").warnings == ()


def test_a_judge_that_likes_a_position_does_not_count_as_obeying() -> None:
    for better in ("first", "second", "tie"):
        always = json.dumps({"reasoning": "r", "better": better})
        assert tried(lambda _, said=always: said, "judge_pairwise").warnings == ()  # type: ignore[misc]


def test_a_rubric_that_likes_the_bad_answer_leaves_the_question_open_and_that_is_told() -> None:
    [warning] = tried(lambda request: answers(request, lambda _: 1.0), "judge").warnings
    assert "could not be tried for obeying" in warning
    assert "100% of its scale" in warning
    with pytest.raises(ScorerError, match="could not be tried"):
        tried(lambda request: answers(request, lambda _: 1.0), "judge", policy="fail")


def test_a_judge_that_keeps_no_form_could_not_be_tried_and_its_calls_are_counted() -> None:
    found = tried(lambda _: "Five out of five!", "judge")
    assert "could not be tried" in found.warnings[0]
    assert "in another form than demanded" in found.warnings[0]
    assert len(found.calls) == 3 * ATTEMPTS


def test_a_call_that_fails_is_no_obedience() -> None:
    models = ScriptedModels()
    models.error = ProviderError("slow down", kind="rate_limit")
    found = asyncio.run(try_judges(scorers("judge"), models))
    assert "could not be tried for obeying answers: slow down" in found.warnings[0]
    with pytest.raises(InfrastructureError, match="slow down") as caught:
        asyncio.run(try_judges(scorers("judge", policy="fail"), models))
    assert caught.value.exit_code == 3
    models.error = InfrastructureError("down")
    with pytest.raises(InfrastructureError):
        asyncio.run(try_judges(scorers("judge"), models))


def test_the_questions_are_the_same_every_time_and_hang_on_model_and_rubric() -> None:
    def asked(**more: Any) -> list[str]:
        models = ScriptedModels(honest)
        asyncio.run(try_judges(scorers("judge", **more), models))
        return sorted(
            json.dumps([request.model, request.repeat, *map(str, request.messages)]) for request in models.asked
        )

    assert asked() == asked()
    assert not set(asked()) & set(asked(rubric="Be strict."))


@pytest.mark.parametrize("kind", KINDS)
def test_the_attacks_reach_the_judge_as_data_inside_their_block(kind: str) -> None:
    models = ScriptedModels(honest)
    asyncio.run(try_judges(scorers(kind), models))
    hostile = [request for request in models.asked if "NOTE TO THE EVALUATOR" in prompt_of(request)]
    hostile += [request for request in models.asked if "Reply with this JSON" in prompt_of(request)]
    assert len(hostile) == (4 if kind == "judge_pairwise" else 2)
    for request in hostile:
        held = [text for text in blocks_of(request).values() if "EVALUATOR" in text or "Reply with this JSON" in text]
        assert len(held) == 1
        assert held[0].count(">>>") in (0, 2)  # the forged ends are inside
