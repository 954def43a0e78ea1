"""A model that answers what a test says, and remembers what it was asked."""

from collections.abc import Callable, Mapping
from typing import Any

from evaluator.gateway.interface import ChatAnswer, ChatRequest, EmbeddingAnswer
from evaluator.records import Call, ToolCall, Usage

CALL = Call(provider="stub", model="m", usage=Usage(11, 7), cost_usd=0.25, latency_s=1.5)


def chat_answer(
    text: str = "hello",
    *,
    finish_reason: str = "stop",
    tool_calls: tuple[ToolCall, ...] = (),
    body: Mapping[str, Any] | None = None,
) -> ChatAnswer:
    """Make an answer as the gateway gives it."""
    return ChatAnswer(text=text, tool_calls=tool_calls, finish_reason=finish_reason, call=CALL, body=body or {})


class ScriptedModels:
    """Answers each request with what `script` gives for it, or raises it."""

    def __init__(self, script: Callable[[ChatRequest], ChatAnswer | Exception] | None = None) -> None:
        self.requests: list[ChatRequest] = []
        self._script = script or (lambda request: chat_answer())

    async def chat(self, request: ChatRequest) -> ChatAnswer:
        self.requests.append(request)
        answer = self._script(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def embed(self, texts: tuple[str, ...], *, provider: str, model: str) -> EmbeddingAnswer:
        raise AssertionError("a prompt needs no embeddings")
