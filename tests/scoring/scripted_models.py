"""A model that answers from a script, behind the gateway's own interface, and remembers what it was asked."""

import json
from collections.abc import Callable, Sequence

from evaluator.gateway.interface import ChatAnswer, ChatRequest, EmbeddingAnswer
from evaluator.records import Call, Usage

CALL = Call("openai", "judge-model", Usage(100, 20), 0.001, 0.5)
Reply = Callable[[ChatRequest], str]


class ScriptedModels:
    """Answers the n-th chat with the n-th reply (the last one for ever after), or by a function; errors are raised."""

    def __init__(self, replies: Sequence[object] | Reply = (), vectors: Sequence[Sequence[float]] = ()) -> None:
        self.replies = replies
        self.vectors = vectors
        self.asked: list[ChatRequest] = []
        self.embedded: list[tuple[str, ...]] = []
        self.error: Exception | None = None

    async def chat(self, request: ChatRequest) -> ChatAnswer:
        self.asked.append(request)
        if self.error is not None:
            raise self.error
        if callable(self.replies):
            text: object = self.replies(request)
        else:
            text = self.replies[min(len(self.asked), len(self.replies)) - 1]
        if isinstance(text, Exception):
            raise text
        body = text if isinstance(text, str) else json.dumps(text)
        return ChatAnswer(body, (), "stop", CALL, {})

    async def embed(self, texts: tuple[str, ...], *, provider: str, model: str) -> EmbeddingAnswer:
        self.embedded.append(texts)
        if self.error is not None:
            raise self.error
        return EmbeddingAnswer(tuple(tuple(vector) for vector in self.vectors), CALL)


def prompt_of(request: ChatRequest) -> str:
    """All that the model reads."""
    return "\n".join(str(message.get("content")) for message in request.messages)
