"""What other rooms ask of the gateway, and what they get back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from evaluator.records import Call, JsonValue, ToolCall

if TYPE_CHECKING:  # at run time importing openai costs a second of CPU, so only its types are used
    from openai.types.chat import ChatCompletionMessageParam as ChatCompletionMessageParam
    from openai.types.chat.completion_create_params import ResponseFormat as ResponseFormat

Purpose = Literal["target", "judge", "embedding"]
"""Who pays: `target` calls are the app's cost, the others the evaluation's."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One chat completion to ask for."""

    provider: str
    """A name under `providers:`; `openai` and `local` are always there."""
    model: str
    messages: "tuple[ChatCompletionMessageParam, ...]"
    params: Mapping[str, JsonValue]
    """Further fields of the body: temperature, max_tokens, tools ..."""
    response_format: "ResponseFormat | None" = None
    repeat: int = 0
    """Repeat index: part of the cache key, so that a repeat is a fresh sample."""
    purpose: Purpose = "target"


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """An answered chat completion."""

    text: str
    """The message's content; empty if it only calls tools."""
    tool_calls: tuple[ToolCall, ...]
    finish_reason: str
    call: Call
    body: Mapping[str, Any]
    """The provider's whole answer, in OpenAI's format."""


@dataclass(frozen=True, slots=True)
class EmbeddingAnswer:
    """Embeddings of the texts asked for, in their order."""

    vectors: tuple[tuple[float, ...], ...]
    call: Call


class Deferred(Exception):
    """The answer comes with a batch, in a later run: whoever asked has to be asked again then.

    No error of the run, and no failure of a case: only an engine catches it.
    """


class ModelCaller(Protocol):
    """The part of the gateway that targets and scorers see."""

    async def chat(self, request: ChatRequest) -> ChatAnswer:
        """Ask for one chat completion.

        Raises:
            ProviderError: The call failed for good after its retries; its `kind` is a `FailureKind`.
            BudgetError: The call could pass the spending cap and was not made.
            Deferred: The answer comes with a batch (`engine: batch` alone).
        """
        ...

    async def embed(self, texts: tuple[str, ...], *, provider: str, model: str) -> EmbeddingAnswer:
        """Ask for the embeddings of some texts; errors as for `chat`."""
        ...
