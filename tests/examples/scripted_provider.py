"""A model provider for the examples: answers from a script, over real HTTP, and writes down what every call used.

Chat completions, whole or streamed, with tool calls; and embeddings. The same request always gets the same answer. What
it says is decided by a `Mind` and a `Topic`; `minds.py` has them for each example.
"""

import asyncio
import json
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from evaluator.records import Usage

PRICES = {  # dollars per million tokens in and out, as the price list has them
    "gpt-4.1-mini": (0.4, 1.6),
    "gpt-4.1-nano": (0.1, 0.4),
    "gpt-5-mini": (0.25, 2.0),
    "text-embedding-3-small": (0.02, 0.0),
}
_DIMENSIONS = 64
_PIECE = 3


@dataclass(frozen=True)
class Says:
    """What the model says: a text, or which tools it calls with which arguments."""

    text: str = ""
    tools: tuple[tuple[str, Mapping[str, Any]], ...] = ()


Mind = Callable[[Mapping[str, Any]], Says]
"""Given the body of a chat request, what the model says."""
Topic = Callable[[str], str]
"""Given a text to embed, what it is about."""


@dataclass(frozen=True)
class Answered:
    """One call, as a provider would bill it."""

    body: Mapping[str, Any]
    usage: Usage
    key: str
    """The Authorization header."""

    @property
    def question(self) -> str:
        """The text that the call is about: the first text to embed, or the first thing that the user says."""
        if "input" in self.body:
            return str(self.body["input"][0])
        return next(str(message["content"]) for message in self.body["messages"] if message["role"] == "user")

    @property
    def usd(self) -> float:
        """Its price."""
        given, made = PRICES[self.body["model"]]
        return (self.usage.input_tokens * given + self.usage.output_tokens * made) / 1e6


@dataclass
class Provider:
    """What the provider answered, in order."""

    mind: Mind
    topic: Topic
    url: str = ""
    log: list[Answered] = field(default_factory=list)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        said = self.mind(body)
        calls = [
            {"id": f"call_{at}", "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
            for at, (name, given) in enumerate(said.tools)
        ]
        usage = self._note(request, body, given=body["messages"], made=said.text or json.dumps(calls))
        finish = "tool_calls" if calls else "stop"
        head = {"id": "chatcmpl-1", "created": 1_767_000_000, "model": body["model"]}
        if body.get("stream"):
            told = usage if body.get("stream_options", {}).get("include_usage") else None
            return await _stream(request, head, said.text, finish, told)
        message = {"role": "assistant", "content": said.text or None, **({"tool_calls": calls} if calls else {})}
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return web.json_response({**head, "object": "chat.completion", "choices": [choice], "usage": usage})

    async def embeddings(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        usage = self._note(request, body, given=body["input"], made="")
        del usage["completion_tokens"]
        vectors = [_embedding(self.topic(text)) for text in body["input"]]
        rows = [{"object": "embedding", "index": at, "embedding": vector} for at, vector in enumerate(vectors)]
        return web.json_response({"object": "list", "data": rows, "model": body["model"], "usage": usage})

    def _note(self, request: web.Request, body: Mapping[str, Any], *, given: object, made: str) -> dict[str, int]:
        usage = Usage(len(json.dumps(given, ensure_ascii=False)) // 4, -(-len(made) // 4))
        self.log.append(Answered(body, usage, request.headers.get("Authorization", "")))
        total = usage.input_tokens + usage.output_tokens
        return {"prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens, "total_tokens": total}


async def _stream(
    request: web.Request, head: Mapping[str, Any], text: str, finish: str, usage: Mapping[str, int] | None
) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    head = {**head, "object": "chat.completion.chunk"}

    async def send(choices: list[dict[str, Any]], **more: object) -> None:
        await response.write(b"data: " + json.dumps({**head, "choices": choices, **more}).encode() + b"\n\n")

    await send([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
    for at in range(0, len(text), _PIECE):
        await send([{"index": 0, "delta": {"content": text[at : at + _PIECE]}, "finish_reason": None}])
        await asyncio.sleep(0)
    await send([{"index": 0, "delta": {}, "finish_reason": finish}])
    if usage is not None:
        await send([], usage=usage)
    await response.write(b"data: [DONE]\n\n")
    return response


def _embedding(topic: str) -> list[float]:
    """Texts of one topic point the same way, others somewhere else."""
    draw = random.Random(topic)
    return [draw.gauss(0, 1) for _ in range(_DIMENSIONS)]


@contextmanager
def running(mind: Mind, topic: Topic = str) -> Iterator[Provider]:
    """Run a provider in a thread of its own for as long as the block lasts."""
    provider = Provider(mind, topic)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> web.AppRunner:
        application = web.Application()
        application.router.add_post("/v1/chat/completions", provider.chat)
        application.router.add_post("/v1/embeddings", provider.embeddings)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        provider.url = f"http://{host}:{port}/v1"
        return runner

    runner = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield provider
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
