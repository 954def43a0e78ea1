"""Whatever head's app holds of the door, base's calls are answered; and nothing is held for ever."""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from evaluator.gateway.door import DoorSettings, Entrance, Patience
from evaluator.gateway.door.entrance import enough_files
from tests.gateway.door.hostile import head_of, request_of
from tests.gateway.door.scene import Scene, body, post, scene

HOSTILE = Path(__file__).with_name("hostile.py")
SHORT = Patience(head_s=0.3, body_s=0.3, idle_s=0.3, write_s=0.3)


async def never(sent: Any, number: int) -> str:
    if sent.get("stream") or sent.get("max_tokens") == 9:
        await asyncio.sleep(3600)
    return "ok"


@asynccontextmanager
async def attacked(here: Scene) -> AsyncIterator[None]:
    other = here.doors.entrances["base"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(HOSTILE), str(here.door.port), here.slot.token, str(other.port),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"held\n"
        yield
    finally:
        process.kill()
        await process.wait()


async def answered(here: Scene, text: str) -> int:
    """The status that base's app gets."""
    base = here.doors.entrances["base"]
    slot = next(iter(base.slots.values()), None) or base.slot("base-0")
    there = Scene(base, here.doors, slot, here.server, here.gateway)
    return (await asyncio.wait_for(post(there, "/v1/chat/completions", body(text)), 30)).status


async def test_bases_calls_are_answered_while_head_holds_all_that_it_can(tmp_path: Path) -> None:
    settings = DoorSettings(connections=64, calls_per_slot=8, max_body_bytes=8_000_000)
    async with scene(never, tmp_path, settings=settings, timeout_s=3600.0) as here, attacked(here):
        for number in range(30):
            assert await answered(here, str(number)) == 200
        together = await asyncio.gather(*(answered(here, f"{number} together") for number in range(20)))
        assert together == [200] * 20
        head = here.door
        base = here.doors.entrances["base"]
        assert 32 < len(head._guests) <= 64, "there was an attack, and it was limited"
        assert len(head._strangers) <= 256 and len(base._strangers) <= 256
        assert head.held_bytes <= 2 * 8_000_000
        assert len(base._guests) <= 20, "nothing of it counts as base's"


async def test_an_exclusive_server_is_shared_between_the_sides(tmp_path: Path) -> None:
    free = asyncio.Event()

    async def one_at_a_time(sent: Any, number: int) -> str:
        if sent["messages"][0]["content"].startswith("long"):
            await free.wait()
            await asyncio.sleep(0.05)
        return "ok"

    async with scene(one_at_a_time, tmp_path, exclusive=True) as here:
        longs = [
            asyncio.create_task(post(here, "/v1/chat/completions", body(f"long {number}"))) for number in range(12)
        ]
        while not here.server.requests:
            await asyncio.sleep(0.01)
        base = asyncio.create_task(answered(here, "short"))
        await asyncio.sleep(0.1)
        free.set()
        assert await base == 200
        waiting = [task for task in longs if not task.done()]
        assert len(waiting) >= 8, "base waited for all that head had asked before"
        await asyncio.gather(*longs)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"POST /v1/chat/comp",
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-A: ",
        "whole request, but for its body's end",
        "chunks that do not end",
        "a request, and nothing after its answer",
    ],
)
async def test_a_connection_that_takes_too_long_is_cut_off(tmp_path: Path, said: bytes | str) -> None:
    async with scene(lambda sent, n: "ok", tmp_path, settings=DoorSettings(patience=SHORT)) as here:
        port, token = here.door.port, here.slot.token
        words = {
            "whole request, but for its body's end": request_of(port, token)[:-1],
            "chunks that do not end": head_of(port, token, "Transfer-Encoding: chunked") + b"1\r\nx\r\n",
            "a request, and nothing after its answer": request_of(port, token),
        }
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(said if isinstance(said, bytes) else words[said])
        with suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await asyncio.sleep(0.1)
        assert (here.door.held_bytes, here.slot.trace.in_flight) == (0, 0)
        assert not here.door._guests and not here.door._strangers


async def test_an_app_that_does_not_read_its_answer_is_cut_off(tmp_path: Path) -> None:
    async with scene(lambda sent, n: "word " * 200_000, tmp_path, settings=DoorSettings(patience=SHORT)) as here:
        with here.slot.case("c1") as trace:
            taking = socket.socket()
            taking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            taking.connect(("127.0.0.1", here.door.port))
            _, writer = await asyncio.open_connection(sock=taking, limit=1)
            writer.write(request_of(here.door.port, here.slot.token))
            while not trace.requests:
                await asyncio.sleep(0.02)
            assert here.door._guests
            for _ in range(1_000):
                if not here.door._guests:
                    break
                await asyncio.sleep(0.02)
            assert not here.door._guests
            writer.close()


async def test_calls_of_one_process_wait_for_each_other_at_its_own_expense(tmp_path: Path) -> None:
    running = most = 0

    async def count(sent: Any, number: int) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.05)
        running -= 1
        return "ok"

    async with scene(count, tmp_path, settings=DoorSettings(calls_per_slot=3)) as here:
        with here.slot.case("c1", scope=None) as trace:
            got = await asyncio.gather(*(post(here, "/v1/chat/completions", body(str(n))) for n in range(9)))
    assert [answer.status for answer in got] == [200] * 9
    assert most == 3
    assert max(request.ended_s - request.started_s for request in trace.requests) > 0.14
    assert max(request.waited_s for request in trace.requests) < 0.05


async def test_a_stranger_is_refused_before_its_body_is_read(tmp_path: Path) -> None:
    async with scene(lambda sent, n: "ok", tmp_path) as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.door.port)
        writer.write(head_of(here.door.port, "wrong", "Content-Length: 9000000"))
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        writer.close()
        assert answer.startswith(b"HTTP/1.1 401")
        assert b"connection: close" in answer.lower()
        assert here.door.held_bytes == 0


async def test_the_tokens_of_one_side_open_nothing_at_the_others_port(tmp_path: Path) -> None:
    async with scene(lambda sent, n: "ok", tmp_path) as here:
        other = here.doors.entrances["base"]
        assert other.port != here.door.port
        moved = Scene(other, here.doors, here.slot, here.server, here.gateway)
        assert (await post(moved, "/v1/chat/completions", body())).status == 401
    assert here.server.requests == []


async def test_memory_that_was_promised_is_waited_for_and_given_back(tmp_path: Path) -> None:
    async with scene(lambda sent, n: "ok", tmp_path, settings=DoorSettings(max_body_bytes=100_000)) as here:
        head: Entrance = here.door
        held = []
        for _ in range(2):
            _reader, writer = await asyncio.open_connection("127.0.0.1", head.port)
            writer.write(head_of(head.port, here.slot.token, "Content-Length: 100000"))
            held.append(writer)
        while head.held_bytes < 200_000:
            await asyncio.sleep(0.01)
        waiting = asyncio.create_task(post(here, "/v1/chat/completions", body("x" * 60_000)))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        held[0].close()
        assert (await waiting).status == 200
        held[1].close()
        while head.held_bytes:
            await asyncio.sleep(0.01)


def test_connections_fit_the_files_that_may_be_opened() -> None:
    with enough_files(10, 2) as most:
        assert most == 10
    with enough_files(1_000_000, 2) as most:
        assert 32 <= most < 1_000_000


async def test_a_large_text_is_read_elsewhere_and_means_the_same(tmp_path: Path) -> None:
    large = body("word, [] {} " * 60_000, stream=True)
    async with scene(lambda sent, n: "ok " * 200_000, tmp_path) as here:
        with here.slot.case("c1") as trace:
            streamed = await post(here, "/v1/chat/completions", large)
            whole = await post(here, "/v1/chat/completions", body("x", max_tokens=400_000))
        assert here.door.large._process is not None
    assert here.server.requests[0] == {**large, "stream_options": {"include_usage": True}}
    assert b'"usage"' not in streamed.content
    assert whole.json["choices"][0]["message"]["content"] == "ok " * 200_000
    assert [call.usage and call.usage.input_tokens for call in trace.calls] == [row.given for row in here.server.log]
    assert [call.usage and call.usage.output_tokens for call in trace.calls] == [row.made for row in here.server.log]


@pytest.mark.parametrize(
    "sent",
    [
        b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"a":[' + b"[]," * 20_000_000 + b"1]}",
        b'{"a":' + b"1" * 300_000 + b"}",
        b'{"a":1e999}',
        b'{"a":' + b'{"a":' * 60_000 + b"1" + b"}" * 60_000 + b"}",
        b"x" * 300_000,
    ],
    ids=["deep", "many", "long number", "infinite", "deep objects", "no json"],
)
async def test_a_text_that_cannot_be_read_is_refused_and_the_next_is_read(tmp_path: Path, sent: bytes) -> None:
    async with scene(lambda sent, n: "ok", tmp_path) as here:
        got = await post(here, "/v1/chat/completions", sent)
        assert (got.status, got.json["error"]["code"]) == (400, "invalid_json")
        large = body("y" * 300_000)
        assert (await post(here, "/v1/chat/completions", large)).status == 200
    assert here.server.requests == [large]


async def test_the_loop_goes_on_while_a_large_text_is_read(tmp_path: Path) -> None:
    sent = json.dumps({"model": "m", "messages": [[]] * 3_000_000}).encode()
    async with scene(lambda sent, n: "ok", tmp_path) as here:
        asked = asyncio.create_task(here.door.large.request(sent, extras={}, token="", on_demand=False))
        turns = 0
        while not asked.done():
            turns += 1
            await asyncio.sleep(0.001)
        assert (await asked)[0].model == "m"
    assert turns > 50, "nobody else got a turn meanwhile"
