"""A prompt target asks what the prompt file says, and tells an answer from a failure."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from evaluator.errors import BudgetError, ProviderError, TargetError
from evaluator.gateway.interface import ChatAnswer
from evaluator.records import Case, FailureKind, JsonValue, Output, ToolCall
from evaluator.target import PromptTarget, load_prompt
from tests.target.models import CALL, ScriptedModels, chat_answer

PROMPT = """\
model: from-file
modelParameters: {temperature: 0.5, maxTokens: 9}
messages:
  - {role: system, content: Be brief.}
  - {role: user, content: "{{input}}"}
"""
JSON_PROMPT = PROMPT + "responseFormat: json_object\n"
CASE = Case("c1", "안녕", expected="secret")


def target(
    tmp_path: Path,
    models: ScriptedModels,
    text: str = PROMPT,
    *,
    model: str | None = "from-config",
    params: Mapping[str, JsonValue] | None = None,
) -> PromptTarget:
    path = tmp_path / "p.prompt.yml"
    path.write_text(text)
    prompt = load_prompt(path, name="p.prompt.yml")
    return PromptTarget("head", prompt, models=models, provider="stub", model=model, params=params or {})


async def answer_to(tmp_path: Path, answered: ChatAnswer | Exception, text: str = PROMPT) -> Output:
    made = target(tmp_path, ScriptedModels(lambda request: answered), text)
    await made.start()
    try:
        return await made.answer(CASE)
    finally:
        await made.close()


async def test_the_rendered_prompt_is_asked_and_the_files_word_wins(tmp_path: Path) -> None:
    models = ScriptedModels()
    made = target(
        tmp_path,
        models,
        params={"temperature": 1, "seed": 3, "max_completion_tokens": 7, "response_format": {"type": "text"}},
    )
    output = await made.answer(CASE, repeat=2)
    await made.close()
    (request,) = models.requests
    assert request.messages == (
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "안녕"},
    )
    assert (request.provider, request.model, request.repeat, request.purpose) == ("stub", "from-file", 2, "target")
    assert request.params == {"temperature": 0.5, "max_tokens": 9, "seed": 3}
    assert request.response_format == {"type": "text"}
    assert "secret" not in repr(request)
    assert output == Output(
        text="hello", latency_s=1.5, calls=(CALL,), usage=CALL.usage, cost_usd=0.25, data=None, failure=None
    )


async def test_the_configs_model_fills_the_gap(tmp_path: Path) -> None:
    models = ScriptedModels()
    made = target(tmp_path, models, PROMPT.replace("model: from-file\n", ""))
    await made.answer(CASE)
    await made.close()
    assert models.requests[0].model == "from-config"


def test_no_model_anywhere_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="no model is named"):
        target(tmp_path, ScriptedModels(), PROMPT.replace("model: from-file\n", ""), model=None)


@pytest.mark.parametrize("name", ["stream", "messages", "n", "model"])
def test_fields_that_are_ours_cannot_be_set(tmp_path: Path, name: str) -> None:
    with pytest.raises(TargetError, match=f"{name} cannot be set"):
        target(tmp_path, ScriptedModels(), params={name: 1})
    with pytest.raises(TargetError, match="must be a mapping"):
        target(tmp_path, ScriptedModels(), params={"response_format": "json"})


@pytest.mark.parametrize(
    ("text", "data"),
    [("plain", None), ('{"a": [1]}', {"a": [1]}), ("[1]", [1]), ("42", None), ("{broken", None), ("", None)],
)
async def test_a_text_that_is_an_object_or_a_list_is_data_too(tmp_path: Path, text: str, data: JsonValue) -> None:
    output = await answer_to(tmp_path, chat_answer(text))
    assert (output.text, output.data, output.failure) == (text, data, None)


async def test_json_that_was_asked_for_is_data(tmp_path: Path) -> None:
    assert (await answer_to(tmp_path, chat_answer("42"), JSON_PROMPT)).data == 42


@pytest.mark.parametrize(("finish_reason", "cut"), [("stop", False), ("length", True)])
async def test_no_json_where_json_was_asked_for_is_an_invalid_answer(
    tmp_path: Path, finish_reason: str, cut: bool
) -> None:
    output = await answer_to(tmp_path, chat_answer('{"a": \x1b', finish_reason=finish_reason), JSON_PROMPT)
    assert output.failure is not None
    assert output.failure.kind is FailureKind.INVALID_ANSWER
    assert ("cut at the token limit" in output.failure.message) is cut
    assert "\x1b" not in output.failure.message
    assert (output.text, output.cost_usd, output.usage) == (None, 0.25, CALL.usage)


async def test_a_plain_answer_that_was_cut_is_kept(tmp_path: Path) -> None:
    output = await answer_to(tmp_path, chat_answer("half a sen", finish_reason="length"))
    assert (output.text, output.failure) == ("half a sen", None)


async def test_an_answer_that_only_calls_tools_is_an_answer(tmp_path: Path) -> None:
    calls = (ToolCall("refund", {"id": 3}),)
    output = await answer_to(tmp_path, chat_answer("", tool_calls=calls, finish_reason="tool_calls"), JSON_PROMPT)
    assert (output.tool_calls, output.failure) == (calls, None)


@pytest.mark.parametrize(
    "answered",
    [
        chat_answer("", finish_reason="content_filter"),
        chat_answer("", body={"choices": [{"message": {"refusal": "I'm sorry, no."}}]}),
    ],
)
async def test_a_refusal_is_a_failure_that_still_costs(tmp_path: Path, answered: ChatAnswer) -> None:
    output = await answer_to(tmp_path, answered, JSON_PROMPT)
    assert output.failure is not None
    assert output.failure.kind is FailureKind.REFUSED
    assert output.calls == (CALL,)


@pytest.mark.parametrize(
    "body", [{"choices": []}, {"choices": "x"}, {"choices": [{"message": None}]}, {"choices": [3]}]
)
async def test_a_strange_body_is_no_refusal(tmp_path: Path, body: dict[str, object]) -> None:
    assert (await answer_to(tmp_path, chat_answer("hi", body=body))).text == "hi"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ProviderError("slow down", kind="rate_limit"), FailureKind.RATE_LIMIT),
        (ProviderError("too long", kind="context_too_long"), FailureKind.CONTEXT_TOO_LONG),
        (BudgetError("the cap"), FailureKind.BUDGET),
    ],
)
async def test_an_error_of_the_gateway_is_the_outputs_failure(
    tmp_path: Path, error: Exception, kind: FailureKind
) -> None:
    output = await answer_to(tmp_path, error)
    assert output.failure is not None
    assert output.failure.kind is kind
    assert output.text is None


async def test_a_missing_variable_is_a_failure_and_no_call_is_made(tmp_path: Path) -> None:
    models = ScriptedModels()
    made = target(tmp_path, models, PROMPT.replace("{{input}}", "{{question}}"))
    output = await made.answer(CASE)
    answered = await made.answer(Case("c2", {"question": "why"}))
    await made.close()
    assert output.failure is not None
    assert output.failure.kind is FailureKind.RENDER
    assert "'question' is undefined" in output.failure.message
    assert answered.text == "hello"
    assert len(models.requests) == 1
