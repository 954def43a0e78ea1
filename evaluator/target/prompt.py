"""The `prompt` target: renders a prompt file for a case and asks the model through the gateway."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from evaluator.errors import BudgetError, ProviderError, TargetError
from evaluator.gateway.interface import ChatAnswer, ChatRequest, ModelCaller
from evaluator.records import Case, Failure, FailureKind, JsonValue, Output, Side
from evaluator.target.interface import Target
from evaluator.target.prompt_fields import RESERVED
from evaluator.target.prompt_file import PromptFile, load_prompt
from evaluator.target.rendering import RENDER_TIMEOUT_S, Renderer, variables_of
from evaluator.worker import parse_json, printable

if TYPE_CHECKING:
    from evaluator.gateway.interface import ChatCompletionMessageParam, ResponseFormat

__all__ = ["PromptTarget", "load_prompt"]

TOKEN_LIMITS = ("max_tokens", "max_completion_tokens")


class PromptTarget(Target):
    """A prompt file at one ref.

    What the prompt file says wins; the config's model and params fill the gaps.

    Args:
        side: Which ref it is of.
        prompt: The prompt file at that ref.
        models: The gateway.
        provider: Name of the provider.
        model: The config's model.
        params: The config's fields of the request.
        render_timeout_s: How long rendering one case may take.

    Raises:
        TargetError: Neither names a model, or a field is not the config's to set.
    """

    def __init__(
        self,
        side: Side,
        prompt: PromptFile,
        *,
        models: ModelCaller,
        provider: str,
        model: str | None,
        params: Mapping[str, JsonValue],
        render_timeout_s: float = RENDER_TIMEOUT_S,
    ) -> None:
        """Settle what is asked for; see the class."""
        self.side = side
        chosen = prompt.model or model
        if chosen is None:
            hint = "add `model: ...` to the prompt file, or `model:` under `target:` in the config"
            raise TargetError(f"{prompt.name}: no model is named, at {side}", hint=hint)
        for name in params:
            if name in RESERVED - {"response_format"}:
                raise TargetError(f"target.params: {name} cannot be set here", hint="remove it")
        if not isinstance(params.get("response_format", {}), dict):
            raise TargetError("target.params: response_format must be a mapping", hint="write {type: json_object}")
        self._prompt = prompt
        self._models = models
        self._provider = provider
        self._model = chosen
        self._response_format = prompt.response_format or cast("ResponseFormat | None", params.get("response_format"))
        self._params = _merge(params, prompt.params)
        self._wants_json = self._response_format is not None and self._response_format.get("type") != "text"
        self._renderer = Renderer([message.template for message in prompt.messages], timeout_s=render_timeout_s)

    async def start(self) -> None:
        """Start the process that renders."""
        await self._renderer.start()

    async def close(self) -> None:
        """End the process that renders."""
        await self._renderer.close()

    async def rendered(self, case: Case) -> tuple[str, ...] | Failure:
        """The texts of the messages that a case is asked with."""
        return await self._renderer.render(variables_of(case.input))

    async def answer(self, case: Case, *, repeat: int = 0) -> Output:
        """Render the prompt for a case and ask the model."""
        texts = await self.rendered(case)
        if isinstance(texts, Failure):
            return Output(failure=texts)
        messages = [
            {"role": message.role, "content": text} for message, text in zip(self._prompt.messages, texts, strict=True)
        ]
        request = ChatRequest(
            provider=self._provider,
            model=self._model,
            messages=tuple(cast("list[ChatCompletionMessageParam]", messages)),
            params=self._params,
            response_format=self._response_format,
            repeat=repeat,
            purpose="target",
        )
        try:
            answered = await self._models.chat(request)
        except ProviderError as error:
            return Output(failure=Failure(FailureKind(error.kind), error.message))
        except BudgetError as error:
            return Output(failure=Failure(FailureKind.BUDGET, error.message))
        return self._output(answered)

    def _output(self, answered: ChatAnswer) -> Output:
        call = answered.call
        failure, data = self._judge_form(answered)
        if failure is not None:
            return Output(calls=(call,), usage=call.counted_usage, cost_usd=call.counted_usd, failure=failure)
        return Output(
            text=answered.text,
            data=data,
            tool_calls=answered.tool_calls,
            latency_s=call.latency_s,
            calls=(call,),
            usage=call.counted_usage,
            cost_usd=call.counted_usd,
        )

    def _judge_form(self, answered: ChatAnswer) -> tuple[Failure | None, JsonValue]:
        """Tell whether the answer counts as one, and give its JSON where it has some."""
        if answered.finish_reason == "content_filter":
            return Failure(FailureKind.REFUSED, "the provider's content filter stopped the answer"), None
        refusal = _refusal(answered)
        if refusal:
            return Failure(FailureKind.REFUSED, f"the model refused: {printable(refusal, 300)}"), None
        if not answered.text.strip() and answered.tool_calls:
            return None, None
        try:
            data = parse_json(answered.text.encode("utf-8", "replace"))
        except ValueError as error:
            if not self._wants_json:
                return None, None
            cut = " (it was cut at the token limit)" if answered.finish_reason == "length" else ""
            shown = printable(answered.text[:200]) or "nothing"
            message = f"JSON was asked for, but the answer is not JSON{cut}: {error}, found {shown}"
            return Failure(FailureKind.INVALID_ANSWER, message), None
        return None, data if self._wants_json or isinstance(data, dict | list) else None


def _merge(config: Mapping[str, JsonValue], prompt: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Fill the prompt's gaps from the config; the two names of the token limit are one gap."""
    has_limit = any(name in prompt for name in TOKEN_LIMITS)
    gaps = {
        name: value
        for name, value in config.items()
        if name != "response_format" and not (has_limit and name in TOKEN_LIMITS)
    }
    return {**gaps, **prompt}


def _refusal(answered: ChatAnswer) -> str:
    """Give the words of a model that refused in the place that is made for it."""
    choices = answered.body.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    refusal = message.get("refusal") if isinstance(message, dict) else None
    return refusal if isinstance(refusal, str) else ""
