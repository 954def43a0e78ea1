"""What a hostile app, or a hostile provider, says to the door: nothing passes unmetered, unseen or without end."""

import asyncio
import json
import logging
import re
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from evaluator.gateway.door import DoorSettings, serve
from evaluator.gateway.door.endpoints import Endpoint
from evaluator.gateway.door.stream import LONGEST_EVENT, StreamReader
from evaluator.records import Usage
from tests.gateway.door.scene import KEY, Scene, body, post, raw, scene

BODY = json.dumps(body()).encode()
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
CHUNK = b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n"
INNER = b"GET /v1/echo/smuggled HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
ENDS = b"Connection: close\r\n"
SMALL = DoorSettings(max_body_bytes=8_000_000)
SAID = {
    "length and chunks": (LENGTH + CHUNKED, CHUNK + INNER),
    "chunks and length": (CHUNKED + LENGTH, CHUNK + INNER),
    "two lengths": (LENGTH + b"Content-Length: 5\r\n", BODY + INNER),
    "a list of lengths": (b"Content-Length: 5, 5\r\n", BODY + INNER),
    "a signed length": (b"Content-Length: +5\r\n", BODY + INNER),
    "a negative length": (b"Content-Length: -1\r\n", BODY + INNER),
    "a hexadecimal length": (b"Content-Length: 0x5\r\n", BODY + INNER),
    "a short length": (b"Content-Length: 5\r\n", BODY + INNER),
    "an unknown encoding": (b"Transfer-Encoding: xchunked\r\n", CHUNK + INNER),
    "a second encoding": (b"Transfer-Encoding: chunked, identity\r\n", CHUNK + INNER),
    "a folded line": (b"X-A: b\r\n Transfer-Encoding: chunked\r\n" + LENGTH, BODY + INNER),
    "a space in a name": (b"Content-Length : 5\r\n", BODY + INNER),
    "a bare return": (b"X-A: a\rTransfer-Encoding: chunked\r\n" + LENGTH, BODY + INNER),
    "a zero byte": (b"X-A: a\0b\r\n" + LENGTH, BODY + INNER),
    "a negative chunk": (CHUNKED, b"-1\r\n" + CHUNK + INNER),
    "a chunk past all numbers": (CHUNKED, b"f" * 17 + b"\r\n" + CHUNK + INNER),
    "chunks without returns": (CHUNKED, CHUNK.replace(b"\r\n", b"\n") + INNER),
    "headers after the chunks": (CHUNKED, CHUNK[:-2] + b"Authorization: Bearer x\r\n\r\n" + INNER),
    "another host": (b"Host: evil.example\r\n" + LENGTH, BODY + INNER),
    "another protocol": (b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + LENGTH, BODY + INNER),
    "300 headers": (b"".join(b"X-%d: 1\r\n" % n for n in range(300)) + LENGTH, BODY + INNER),
    "a long header": (b"X-A: " + b"a" * 20_000 + b"\r\n" + LENGTH, BODY + INNER),
}  # fmt: skip


def filled(here: Scene, text: bytes) -> bytes:
    host = f"127.0.0.1:{here.door.port}"
    return text.replace(b"{host}", host.encode()).replace(b"{token}", here.slot.token.encode())


def bomb() -> bytes:
    """A hundred megabytes of nothing."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(bytes(1_000_000)) for _ in range(100)) + packer.flush()


@pytest.mark.parametrize("name", SAID)
async def test_whatever_is_asked_in_a_strange_way_is_seen_or_refused(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    headers, sent = SAID[name]
    first = b"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
    async with scene(lambda body, n: "ok", tmp_path) as here:
        with here.slot.case("c1") as trace, caplog.at_level(logging.DEBUG):
            with suppress(TimeoutError, ConnectionError):  # a connection that is kept
                await asyncio.wait_for(raw(here, filled(here, first + headers + b"\r\n" + sent)), 1)
            assert await trace.settled(5.0)
        forwarded = [request.path for request in trace.requests if request.status == 200]
        assert len(here.server.headers) == len(forwarded)
        assert all(len(request) == 3 for request in here.server.requests), "as it was sent"
        assert here.door.held_bytes == 0
        assert here.slot.token not in caplog.text
        assert "smuggled" not in caplog.text


async def test_two_tokens_in_one_connection_are_two_cases(tmp_path: Path) -> None:
    async with scene(lambda body, n: "ok", tmp_path) as here:
        other = here.door.slot("head-1")
        head = "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\n"
        asked = [
            head.format(here.door.port, token).encode() + LENGTH + b"\r\n" + BODY
            for token in (here.slot.token, other.token, "unknown", here.slot.token)
        ]
        with here.slot.case("c1", scope=None) as one, other.case("c2", scope=None) as two:
            answered = await raw(here, b"".join(asked[:-1]) + asked[-1].replace(LENGTH, LENGTH + ENDS))
        assert re.findall(rb"HTTP/1.1 (\d+)", answered) == [b"200", b"200", b"401", b"200"]
    assert (len(one.calls), len(two.calls)) == (2, 1)


async def test_a_token_whose_case_has_ended_spends_outside_of_it(tmp_path: Path) -> None:
    async with scene(lambda body, n: "ok", tmp_path) as here:
        with here.slot.case("c1") as one:
            await post(here, "/v1/chat/completions", body("a"))
        await post(here, "/v1/chat/completions", body("b"))
        with here.slot.case("c2") as two:
            pass
    assert (len(one.calls), len(two.calls), len(here.slot.outside.calls)) == (1, 0, 1)
    assert here.slot.outside.charged_usd > 0


async def test_headers_that_ask_for_another_method_or_path_do_not_pass(tmp_path: Path) -> None:
    named = {"X-HTTP-Method-Override": "DELETE", "X-Original-URL": "/v1/files", "X-Rewrite-URL": "/v1/files"}
    async with scene(lambda body, n: "ok", tmp_path) as here:
        assert (await post(here, "/v1/chat/completions", body(), headers=named)).status == 200
    assert not {name.lower() for name in named} & set(here.server.headers[0])


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_small_request_that_unpacks_to_a_hundred_megabytes_is_refused(tmp_path: Path, encoding: str) -> None:
    async with scene(lambda body, n: "ok", tmp_path, settings=SMALL) as here:
        got = await post(here, "/v1/chat/completions", bomb(), headers={"Content-Encoding": encoding})
        assert got.status in (400, 413)
        assert here.door.held_bytes == 0
    assert here.server.requests == []


async def test_a_small_answer_that_unpacks_to_a_hundred_megabytes_is_cut_off(tmp_path: Path) -> None:
    packed = bomb()

    def answer(sent: Any, number: int) -> web.Response:
        return web.Response(body=packed, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})

    async with scene(answer, tmp_path, settings=SMALL) as here:
        with here.slot.case("c1") as trace:
            got = await post(here, "/v1/chat/completions", body())
    assert got.status == 502
    assert [call.counted_usd is not None for call in trace.calls] == [True], "it may be charged, so it counts"


def test_of_a_stream_that_does_not_end_only_so_much_is_kept() -> None:
    reader = StreamReader(Endpoint.CHAT)
    for number in range(3_000):
        call = {"index": number, "function": {"name": "n" * 5_000, "arguments": "x" * 1_000}}
        reader.feed(b"data: " + json.dumps({"choices": [{"delta": {"tool_calls": [call]}}]}).encode() + b"\n\n")
    tools = reader.reading().tool_calls
    assert len(tools) == 1_000
    assert {len(tool.name) for tool in tools} == {1_000}


async def test_an_event_that_does_not_end_ends_the_stream(tmp_path: Path) -> None:
    requests: list[web.Request] = []

    async def endless(sent: Any, number: int) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(requests[-1])
        try:
            while True:
                await answer.write(b"x" * 1_000_000)
        except ConnectionError:
            return answer

    async with scene(endless, tmp_path) as here:
        real = here.server._answer

        async def spy(request: web.Request, kind: str) -> web.StreamResponse:
            requests.append(request)
            return await real(request, kind)

        here.server._answer = spy  # type: ignore[method-assign]
        with here.slot.case("c1") as trace:
            with pytest.raises(Exception, match=r"payload|closed|disconnected"):
                await post(here, "/v1/chat/completions", body(stream=True))
            assert await trace.settled(5.0)
    assert trace.requests[0].failure is not None
    assert str(LONGEST_EVENT // 1_000_000) in trace.requests[0].failure.message
    assert KEY not in trace.requests[0].failure.message


def test_tokens_counted_so_far_are_not_the_tokens_of_a_stream_that_broke_off() -> None:
    def event(made: int, **choice: Any) -> bytes:
        usage = {"prompt_tokens": 9, "completion_tokens": made}
        return b"data: " + json.dumps({"choices": [choice] if choice else [], "usage": usage}).encode() + b"\n\n"

    begun = [event(1, delta={"content": "a"}, finish_reason=None), event(2, delta={"content": "b"})]
    for ending, known in (
        ([], None),
        ([event(3)], Usage(9, 3)),
        ([event(3, delta={}, finish_reason="stop")], Usage(9, 3)),
        ([b"data: [DONE]\n\n"], Usage(9, 2)),
    ):
        reader = StreamReader(Endpoint.CHAT)
        for said in [*begun, *ending]:
            reader.feed(said)
        assert reader.reading().usage == known


async def test_one_case_may_ask_only_so_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "MOST_REQUESTS", 2)
    async with scene(lambda body, n: "ok", tmp_path) as here:
        with here.slot.case("c1") as trace:
            got = [(await post(here, "/v1/chat/completions", body(str(n)))).status for n in range(4)]
    assert (got, len(trace.requests)) == ([200, 200, 429, 429], 2)
