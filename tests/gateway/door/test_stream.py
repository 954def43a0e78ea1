"""Streams pass as they come, and end as they end, at either side."""

import asyncio
import itertools
import json
import socket
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from evaluator.gateway.budget import Budget
from evaluator.gateway.door import DoorSettings
from evaluator.gateway.door.endpoints import Endpoint
from evaluator.gateway.door.stream import EventCutter, EventTooLong, StreamReader, without_usage
from evaluator.records import FailureKind
from tests.gateway.door.scene import KEY, Scene, body, post, scene
from tests.standin.replies import EVENTS, Reply


def session(here: Scene) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(headers={"Authorization": f"Bearer {here.slot.token}"})


async def until(condition: Any) -> None:
    for _ in range(400):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not happen")


@pytest.mark.parametrize("own_usage", [True, False])
async def test_each_piece_passes_when_it_comes(tmp_path: Path, own_usage: bool) -> None:
    async with scene(lambda body, n: Reply("word" * 6, pause_s=0.05), tmp_path) as here, session(here) as app:
        options: dict[str, Any] = {"stream_options": {"include_usage": True}} if own_usage else {}
        started = time.perf_counter()
        times = []
        async with app.post(f"{here.door.url}/v1/chat/completions", json=body(stream=True, **options)) as got:
            headers_after = time.perf_counter() - started
            async for line in got.content:
                if line.startswith(b"data: {"):
                    times.append(time.perf_counter() - started)
    assert headers_after < 0.05, "headers do not wait for the first event"
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(times) >= 8
    assert min(gaps) > 0.02


async def test_an_app_that_goes_away_ends_the_providers_work(tmp_path: Path) -> None:
    budget = Budget(max_usd=1.0)
    async with scene(lambda body, n: Reply("word" * 400, pause_s=0.01), tmp_path, budget=budget) as here:
        with here.slot.case("c1") as trace:
            async with (
                session(here) as app,
                app.post(f"{here.door.url}/v1/chat/completions", json=body(stream=True, max_tokens=500)) as got,
            ):
                await got.content.readuntil(b"\n\n")
            await until(lambda: here.server.log)
            assert await trace.settled(2.0)
    assert here.server.log[0].whole is False
    assert here.server.log[0].made < 100
    (request,) = trace.requests
    assert request.call is not None
    assert request.call.cost_usd is None  # nobody told
    assert budget.spent_usd == request.charged_usd >= here.cost()


async def test_an_app_that_goes_away_before_the_answer_ends_the_providers_work_too(tmp_path: Path) -> None:
    async def slow(sent: Any, number: int) -> str:
        await asyncio.sleep(5)
        return "late"

    async with scene(slow, tmp_path, budget=Budget(max_usd=1.0)) as here:
        with here.slot.case("c1") as trace:
            async with session(here) as app:
                with pytest.raises(TimeoutError):
                    await app.post(
                        f"{here.door.url}/v1/chat/completions", json=body(), timeout=aiohttp.ClientTimeout(total=0.1)
                    )
            await until(lambda: here.server.log)
            assert await trace.settled(2.0)
    assert trace.requests[0].status is None
    assert trace.requests[0].charged_usd > 0
    assert [call.cost_usd for call in trace.calls] == [None]


async def test_a_stream_that_breaks_is_broken_for_the_app_too(tmp_path: Path) -> None:
    async with scene(lambda body, n: Reply("word" * 9, breaks_after=4), tmp_path) as here:
        with here.slot.case("c1") as trace:
            with pytest.raises(aiohttp.ClientPayloadError):
                await post(here, "/v1/chat/completions", body(stream=True))
            await until(lambda: trace.requests)
        assert trace.failure is not None
        assert trace.failure.kind is FailureKind.NETWORK
        with here.slot.case("c1"), pytest.raises(aiohttp.ClientPayloadError):  # what broke is not kept
            await post(here, "/v1/chat/completions", body(stream=True))
    assert len(here.server.log) == 2


async def test_a_silent_provider_times_out(tmp_path: Path) -> None:
    async with scene(lambda body, n: Reply("word" * 9, pause_s=0.5), tmp_path, timeout_s=0.1) as here:
        with here.slot.case("c1") as trace:
            with pytest.raises(aiohttp.ClientPayloadError):
                await post(here, "/v1/chat/completions", body(stream=True))
            await until(lambda: trace.requests)
    assert trace.requests[0].failure is not None
    assert trace.requests[0].failure.kind is FailureKind.TIMEOUT


async def test_a_connection_that_cannot_be_made_is_tried_again_and_never_charged(tmp_path: Path) -> None:
    budget = Budget(max_usd=1.0)
    with socket.socket() as nobody:  # bound, but nobody listens
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1"
        async with scene(lambda body, n: "ok", tmp_path, budget=budget, base_urls=(url,)) as here:
            with here.slot.case("c1") as trace:
                got = await post(here, "/v1/chat/completions", body())
    assert (got.status, got.json["error"]["code"]) == (502, "provider_network")
    assert got.headers["x-should-retry"] == "true"
    assert (budget.spent_usd, trace.failure is not None, KEY in str(got.json)) == (0.0, True, False)


async def test_an_answer_is_capped(tmp_path: Path) -> None:
    settings = DoorSettings(max_body_bytes=10_000)
    async with scene(lambda body, n: web.Response(body=b"x" * 20_000), tmp_path, settings=settings) as here:
        assert (await post(here, "/v1/chat/completions", body())).status == 502


PIECES = st.lists(st.integers(1, 40), min_size=1, max_size=200)


@pytest.mark.parametrize("kind", ["chat", "responses", "messages"])
@given(sizes=PIECES)
def test_how_a_stream_is_cut_changes_nothing(kind: str, sizes: list[int]) -> None:
    reply = Reply("Some words, 안녕 and more", tools=(("find", '{"q": "날씨"}'),), cached=3)
    sent = {**body("hi there, all of you"), "stream_options": {"include_usage": True}}
    whole = "".join(event for _, event in EVENTS[kind](sent, reply)).encode()
    cutter, reader = EventCutter(), StreamReader(Endpoint(kind))
    events, at = [], 0
    for size in [*sizes, len(whole)]:
        for event in cutter.feed(whole[at : at + size]):
            events.append(event)
            reader.feed(event)
        at += size
    assert b"".join(events) + cutter.rest() == whole
    reading = reader.reading()
    assert reading.complete
    assert reading.usage is not None
    assert reading.usage.output_tokens == reply.tokens
    assert [(call.name, call.arguments) for call in reading.tool_calls] == [("find", {"q": "날씨"})]


@given(st.text(), st.sampled_from(["\n\n", "\r\n\r\n"]))
def test_hiding_usage_changes_nothing_else(text: str, end: str) -> None:
    chunk: dict[str, Any] = {"choices": [{"delta": {"content": text + ',"usage":null'}}]}
    for separators in ((",", ":"), (", ", ": ")):
        plain = f"data: {json.dumps(chunk, separators=separators)}{end}".encode()
        asked = f"data: {json.dumps(chunk | {'usage': None}, separators=separators)}{end}".encode()
        assert without_usage(asked) == plain
        assert without_usage(plain) == plain


def test_an_event_without_an_end_is_an_error() -> None:
    cutter = EventCutter()
    with pytest.raises(EventTooLong):
        for _ in range(20):
            list(cutter.feed(b"x" * 1_000_000))
