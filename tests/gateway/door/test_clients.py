"""The official client, and a plain one, through the door: nothing but the environment tells them."""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from evaluator.gateway.budget import Budget
from tests.gateway.door.scene import Scene, scene
from tests.standin.provider import fault
from tests.standin.replies import Reply

openai = pytest.importorskip("openai")
REPLY = Reply("The parcel left on Monday.", tools=(("find", '{"q": "parcel"}'),), cached=2)
ASKED: Any = {"model": "m", "messages": [{"role": "user", "content": "Where is my parcel?"}], "max_tokens": 40}


@contextmanager
def told(here: Scene, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The environment of an app."""
    with monkeypatch.context() as patch:
        for name, value in here.slot.environment().items():
            patch.setenv(name, value)
        yield


def exactly(here: Scene, calls: Any) -> None:
    """Hold the metered calls against the stand-in's own log, to the token."""
    metered = [
        (call.model, call.usage.input_tokens, call.usage.cached_input_tokens, call.usage.output_tokens)
        for call in calls
    ]
    assert metered == [(row.model, row.given, row.cached, row.made) for row in here.server.log]
    assert sum(call.cost_usd for call in calls) == pytest.approx(here.cost())


async def test_async_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with scene(lambda body, n: REPLY, tmp_path) as here:
        with told(here, monkeypatch), here.slot.case("c1") as trace:
            async with openai.AsyncOpenAI() as client:
                whole = await client.chat.completions.create(**ASKED)
                assert whole.choices[0].message.content == REPLY.text
                text = ""
                async for chunk in await client.chat.completions.create(**ASKED, stream=True):
                    assert chunk.usage is None
                    text += (chunk.choices[0].delta.content or "") if chunk.choices else "never"
                assert text == REPLY.text
                asked = {**ASKED, "stream": True, "stream_options": {"include_usage": True}, "user": "u"}
                chunks = [chunk async for chunk in await client.chat.completions.create(**asked)]
                assert chunks[-1].usage.completion_tokens == REPLY.tokens
                vectors = await client.embeddings.create(model="m", input=["a", "b"])
                assert len(vectors.data) == 2
                response = await client.responses.create(model="m", input="Where is it?", max_output_tokens=40)
                assert response.output_text == REPLY.text
                events = [
                    event
                    async for event in await client.responses.create(model="m", input="Where is she?", stream=True)
                ]
                assert events[-1].response.usage.output_tokens == REPLY.tokens
        exactly(here, trace.calls)
        assert len(trace.tool_calls) == 5


async def test_sync_client_and_azures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def app() -> list[str]:
        with openai.OpenAI() as client:
            said = [client.chat.completions.create(**ASKED).choices[0].message.content]
            with client.chat.completions.stream(**ASKED) as stream:
                said.append(stream.get_final_completion().choices[0].message.content)
        with openai.AzureOpenAI(api_version="2024-10-21") as azure:
            said.append(azure.chat.completions.create(**ASKED).choices[0].message.content)
        return said

    async with scene(lambda body, n: Reply(REPLY.text), tmp_path) as here:
        with told(here, monkeypatch), here.slot.case("c1") as trace:
            assert await asyncio.to_thread(app) == [REPLY.text] * 3
        exactly(here, trace.calls)
        assert [call.provider for call in trace.calls] == ["openai", "openai", "azure"]


async def test_many_calls_of_one_case_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with scene(lambda body, n: Reply("word " * (n % 5 + 1)), tmp_path) as here:
        with told(here, monkeypatch), here.slot.case("c1") as trace:
            async with openai.AsyncOpenAI() as client:
                await asyncio.gather(
                    *(client.chat.completions.create(**ASKED, user=str(n), stream=n % 2 == 0) for n in range(40))
                )
            await trace.settled(2.0)
    assert len(trace.requests) == len(here.server.log) == 40


async def test_past_the_budget_the_client_gives_up_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with scene(lambda body, n: REPLY, tmp_path, budget=Budget(max_calls=1)) as here:
        with told(here, monkeypatch), here.slot.case("c1") as trace:
            async with openai.AsyncOpenAI(max_retries=5) as client:
                await client.chat.completions.create(**ASKED)
                with pytest.raises(openai.APIStatusError) as caught:
                    await client.chat.completions.create(**ASKED)
    assert (caught.value.status_code, caught.value.code) == (402, "budget")
    assert len(trace.requests) == 2


async def test_retries_are_the_clients_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def twice(body: Any, number: int) -> Any:
        return fault(429, headers={"retry-after-ms": "1"}) if number < 2 else REPLY

    async with scene(twice, tmp_path) as here:
        with told(here, monkeypatch), here.slot.case("c1") as trace:
            async with openai.AsyncOpenAI(max_retries=2) as client:
                await client.chat.completions.create(**ASKED)
    assert [request.status for request in trace.requests] == [429, 429, 200]
    assert (len(here.server.requests), len(trace.calls), trace.failure) == (3, 1, None)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
async def test_curl(tmp_path: Path) -> None:
    script = """curl -sSN "$ANTHROPIC_BASE_URL/v1/messages" -H "x-api-key: $ANTHROPIC_API_KEY" \
        -H 'content-type: application/json' -H 'anthropic-version: 2023-06-01' \
        -d '{"model": "m", "max_tokens": 40, "stream": true, "messages": [{"role": "user", "content": "hi there"}]}'"""
    async with scene(lambda body, n: REPLY, tmp_path) as here:
        with here.slot.case("c1") as trace:
            run = ["sh", "-c", script]
            env = {**here.slot.environment(), "PATH": "/usr/bin:/bin"}
            done = await asyncio.to_thread(subprocess.run, run, env=env, capture_output=True, text=True, check=True)
        exactly(here, trace.calls)
        assert here.server.headers[0]["anthropic-version"] == "2023-06-01"
    assert "event: message_stop" in done.stdout
    assert trace.tool_calls[0].arguments == {"q": "parcel"}
