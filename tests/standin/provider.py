"""A stand-in for a model provider: a real HTTP server with OpenAI's API, for faults and for counting calls.

Where LLM_EVAL_GATE_OPENAI_SCHEMA names OpenAI's own API description, `check` holds every exchange against it.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from jsonschema import Draft202012Validator

Answerer = Callable[[Mapping[str, Any], int], "web.StreamResponse | str | Awaitable[web.StreamResponse | str]"]
"""Given a request's body and its number from 0, the answer's text, or a whole response for a fault."""


@dataclass
class StandIn:
    """What the stand-in saw."""

    answer: Answerer
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    responses: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    in_flight: int = 0
    most_in_flight: int = 0

    async def chat(self, request: web.Request) -> web.StreamResponse:
        number = len(self.requests)
        body = await request.json()
        self.requests.append(body)
        self.keys.append(request.headers.get("Authorization", ""))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            said = self.answer(body, number)
            if not isinstance(said, str | web.StreamResponse):
                said = await said
        finally:
            self.in_flight -= 1
        if isinstance(said, web.StreamResponse):
            return said
        answered = completion(body["model"], said, sent=body["messages"])
        self.responses.append(answered)
        return web.json_response(answered)

    async def embeddings(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        vectors = [[float(text.count(letter)) + 0.001 for letter in "abcdefghij"] for text in body["input"]]
        data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
        usage = {"prompt_tokens": sum(map(len, body["input"])), "total_tokens": sum(map(len, body["input"]))}
        return web.json_response({"object": "list", "data": data[::-1], "model": body["model"], "usage": usage})

    def check(self, schema: Path) -> None:
        """Hold all requests and answers against OpenAI's API description."""
        for name, exchanged in (
            ("CreateChatCompletionRequest", self.requests),
            ("CreateChatCompletionResponse", self.responses),
        ):
            document = json.loads(schema.read_text("utf-8"))
            validator = Draft202012Validator({**document, "$ref": f"#/components/schemas/{name}"})
            for item in exchanged:
                validator.validate(item)


def completion(model: str, text: str, *, sent: object = "") -> dict[str, Any]:
    """A chat completion as OpenAI writes it; a token is four characters here."""
    given, made = len(json.dumps(sent)) // 4, max(1, len(text) // 4)
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_767_000_000,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made},
    }


def fault(
    status: int, message: str = "try later", *, headers: Mapping[str, str] | None = None, code: str = ""
) -> web.Response:
    """An error as OpenAI writes it."""
    error = {"message": message, "type": code or "server_error", "param": None, "code": code or None}
    return web.json_response({"error": error}, status=status, headers=headers)


@asynccontextmanager
async def stand_in(answer: Answerer) -> AsyncIterator[StandIn]:
    """Run a stand-in for as long as the context lasts."""
    server = StandIn(answer)
    application = web.Application()
    application.router.add_post("/v1/chat/completions", server.chat)
    application.router.add_post("/v1/embeddings", server.embeddings)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()
        await asyncio.sleep(0)
