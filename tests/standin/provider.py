"""A stand-in for a model provider: a real HTTP server with OpenAI's API, for faults and for counting calls.

It also speaks OpenAI's responses, streams, Anthropic's messages and Azure's paths, and keeps a log of the tokens that
it would charge. Below `/v1/echo/` it tells what reached it.

Where LLM_EVAL_GATE_OPENAI_SCHEMA names OpenAI's own API description, `check` holds every exchange against it.
"""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from jsonschema import Draft202012Validator

from tests.standin import costless
from tests.standin.batch_api import BatchApi
from tests.standin.replies import EVENTS, WHOLE, Reply, chat_whole, paced, tokens_in

Said = web.StreamResponse | str | Reply
Answerer = Callable[[Mapping[str, Any], int], Said | Awaitable[Said]]
"""Given a request's body and its number from 0, the answer's text, a reply, or a whole response for a fault."""


@dataclass(frozen=True)
class Charged:
    """What the stand-in would charge for one request."""

    path: str
    model: str
    given: int
    """Input tokens, the cached ones among them."""
    made: int
    cached: int = 0
    written: int = 0
    whole: bool = True
    """False if the client went away, or the stream broke."""


@dataclass
class StandIn:
    """What the stand-in saw."""

    answer: Answerer
    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    responses: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    log: list[Charged] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    """Of each request, names in small letters."""
    in_flight: int = 0
    most_in_flight: int = 0

    async def chat(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, "chat")

    async def response(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, "responses")

    async def message(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, "messages")

    async def echo(self, request: web.Request) -> web.StreamResponse:
        content = await request.read()
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        told = {"method": request.method, "path": request.raw_path, "bytes": len(content)}
        return web.json_response(told | {"sha256": hashlib.sha256(content).hexdigest()})

    async def _answer(self, request: web.Request, kind: str) -> web.StreamResponse:
        number = len(self.requests)
        body = await request.json()
        self.requests.append(body)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self.keys.append(request.headers.get("Authorization", ""))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            said = self.answer(body, number)
            if not isinstance(said, str | web.StreamResponse | Reply):
                said = await said
            if isinstance(said, web.StreamResponse):
                return said
            reply = said if isinstance(said, Reply) else Reply(said)
            if body.get("stream") is True:
                return await self._stream(request, kind, body, reply)
        except asyncio.CancelledError:  # an answer that is under way is charged for what was given
            self.log.append(Charged(request.path, body.get("model", ""), tokens_in(body), 0, whole=False))
            raise
        finally:
            self.in_flight -= 1
        answered = WHOLE[kind](body, reply)
        self.responses.append(answered)
        self._charge(request, body, reply, reply.tokens)
        return web.json_response(costless.queued(answered) if body.get("background") else answered)

    async def _stream(
        self, request: web.Request, kind: str, body: Mapping[str, Any], reply: Reply
    ) -> web.StreamResponse:
        out = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        made, whole = 0, False
        try:
            await out.prepare(request)
            async for tokens, event in paced(reply, EVENTS[kind](body, reply)):
                made += tokens
                await out.write(event.encode())
            whole = reply.breaks_after is None
        except ConnectionError:
            return out
        finally:
            self._charge(request, body, reply, reply.tokens if whole else made, whole=whole)
        if not whole and request.transport is not None:
            request.transport.abort()
        return out

    def _charge(
        self, request: web.Request, body: Mapping[str, Any], reply: Reply, made: int, *, whole: bool = True
    ) -> None:
        model = str(body.get("model") or request.match_info.get("deployment", ""))
        self.log.append(Charged(request.path, model, tokens_in(body), made, reply.cached, reply.written, whole))

    async def embeddings(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        body["input"] = [body["input"]] if isinstance(body["input"], str) else body["input"]
        self.requests.append(body)
        self.log.append(Charged(request.path, body["model"], sum(map(len, body["input"])), 0))
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
    return chat_whole({"model": model, "messages": sent}, Reply(text))


def fault(
    status: int, message: str = "try later", *, headers: Mapping[str, str] | None = None, code: str = ""
) -> web.Response:
    """An error as OpenAI writes it."""
    error = {"message": message, "type": code or "server_error", "param": None, "code": code or None}
    return web.json_response({"error": error}, status=status, headers=headers)


@asynccontextmanager
async def stand_in(answer: Answerer, batches: BatchApi | None = None) -> AsyncIterator[StandIn]:
    """Run a stand-in for as long as the context lasts; with a Batch API where one is given."""
    server = StandIn(answer)
    application = web.Application(client_max_size=300_000_000)
    if batches is not None:
        batches.answer = answer
        batches.mount(application.router)
    for prefix in ("/v1", "/openai/v1", "/openai/deployments/{deployment}"):
        application.router.add_post(f"{prefix}/chat/completions", server.chat)
        application.router.add_post(f"{prefix}/embeddings", server.embeddings)
        application.router.add_post(f"{prefix}/responses", server.response)
    application.router.add_post("/v1/messages", server.message)
    costless.mount(application.router)
    application.router.add_route("*", "/v1/echo/{tail:.*}", server.echo)
    runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
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
