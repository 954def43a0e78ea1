"""Answers that are kept: given again as they were, told as cached, never believed when damaged."""

import asyncio
import random
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from evaluator.gateway.budget import Budget
from evaluator.gateway.cache import AnswerStore, StoredAnswer
from evaluator.gateway.door import DoorSettings
from tests.gateway.door.scene import Scene, body, post, scene
from tests.standin.provider import fault
from tests.standin.replies import Reply

PATHS = {
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/anthropic/v1/messages",
    "embeddings": "/v1/embeddings",
}
REPLY = Reply("It left on Monday.", tools=(("find", '{"q": 1}'),), cached=3)


async def ask(here: Scene, kind: str, *, stream: bool = False, **more: Any) -> Any:
    sent = {"model": "m", "input": ["hello"]} if kind in ("responses", "embeddings") else body("hello there, you")
    return await post(here, PATHS[kind], {**sent, **({"stream": True} if stream else {}), **more})


@pytest.mark.parametrize(
    ("kind", "stream"),
    [(kind, stream) for kind in PATHS for stream in (False, True) if (kind, stream) != ("embeddings", True)],
)
async def test_a_kept_answer_is_the_same_to_the_byte_and_keeps_its_meter(
    tmp_path: Path, kind: str, stream: bool
) -> None:
    async with scene(lambda body, n: REPLY, tmp_path) as here:
        with here.slot.case("c1") as first:
            one = await ask(here, kind, stream=stream)
    async with scene(lambda body, n: "other", tmp_path, run_id="r2") as here:
        with here.slot.case("c1") as again:
            two = await ask(here, kind, stream=stream)
        assert here.server.log == []
        assert (here.gateway.spent_usd, here.gateway.calls) == (0.0, 0)
    assert two.content == one.content
    assert two.headers["Content-Type"] == one.headers["Content-Type"]
    before, after = first.calls[0], again.calls[0]
    assert (before.cached, after.cached, after.measured_in) == (False, True, "r1")
    assert (after.usage, after.cost_usd, after.latency_s) == (before.usage, before.cost_usd, before.latency_s)
    assert again.tool_calls == first.tool_calls
    assert again.requests[0].first_byte_s == first.requests[0].first_byte_s


async def test_a_stream_is_kept_with_its_usage_for_an_app_that_asks(tmp_path: Path) -> None:
    async with scene(lambda body, n: REPLY, tmp_path) as here:
        with here.slot.case("c1"):
            await ask(here, "chat", stream=True)
        with here.slot.case("c1"):
            got = await ask(here, "chat", stream=True, stream_options={"include_usage": True})
    assert len(here.server.log) == 1
    assert got.events[-2]["usage"]["completion_tokens"] == REPLY.tokens


async def test_the_same_request_again_in_one_case_is_a_fresh_answer(tmp_path: Path) -> None:
    async with scene(lambda body, n: f"answer {n}", tmp_path) as here:
        with here.slot.case("c1"):
            first = [(await ask(here, "chat")).content for _ in range(3)]
        with here.slot.case("c1"):
            again = [(await ask(here, "chat")).content for _ in range(3)]
        with here.slot.case("c1", repeat=1):
            other = await ask(here, "chat")
        with here.slot.case("c1", scope="another"):
            elsewhere = await ask(here, "chat")
        with here.slot.case("c1", scope=None):
            unkept = await ask(here, "chat")
    assert len({*first, other.content, elsewhere.content, unkept.content}) == 6
    assert again == first


async def test_a_failed_request_that_is_sent_again_finds_its_place(tmp_path: Path) -> None:
    async with scene(lambda body, n: fault(500) if n == 0 else f"answer {n}", tmp_path) as here:
        with here.slot.case("c1"):
            assert (await ask(here, "chat")).status == 500
            second = await ask(here, "chat")
        with here.slot.case("c1"):
            assert (await ask(here, "chat")).content == second.content


async def test_two_slots_that_ask_the_same_at_once_ask_once(tmp_path: Path) -> None:
    async def slow(sent: Any, number: int) -> Reply:
        await asyncio.sleep(0.05)
        return REPLY

    async with scene(slow, tmp_path) as here:
        slots = [here.door.slot(f"s{n}") for n in range(8)]
        traces = []

        async def one(slot: Any) -> bytes:
            with slot.case("c1") as trace:
                traces.append(trace)
                return (await post(here, PATHS["chat"], body(stream=True), token=slot.token)).content

        got = await asyncio.gather(*(one(slot) for slot in slots))
    assert len(set(got)) == len(here.server.log) == 1
    assert sum(not trace.calls[0].cached for trace in traces) == 1
    assert max(trace.requests[0].waited_s for trace in traces) > 0.04


async def test_calls_outside_of_a_case_are_never_kept(tmp_path: Path) -> None:
    async with scene(lambda body, n: f"answer {n}", tmp_path) as here:
        got = [(await post(here, PATHS["chat"], body())).content for _ in range(2)]
    assert got[0] != got[1]


ASKING_FOR_MORE = ("OpenAI-Beta", "OpenAI-Organization", "anthropic-version", "X-Model-Tier")
OF_THE_CLIENT = (
    "User-Agent", "X-Stainless-Retry-Count", "Accept-Language", "traceparent", "X-Request-Id", "Idempotency-Key",
    "x-ms-client-request-id",
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "same"), [*((name, False) for name in ASKING_FOR_MORE), *((name, True) for name in OF_THE_CLIENT)]
)
async def test_an_answer_to_other_headers_is_another_answer(tmp_path: Path, name: str, same: bool) -> None:
    async with scene(lambda body, n: f"answer {n}", tmp_path) as here:
        for value in ("a", "b"):
            with here.slot.case("c1") as trace:
                await post(here, PATHS["chat"], body(), headers={name: value})
    assert trace.calls[0].cached is same


async def test_nothing_that_failed_or_is_half_made_is_kept(tmp_path: Path) -> None:
    from aiohttp import web

    answers = [
        fault(400), web.json_response({"choices": []}), web.Response(body=b"{", content_type="application/json"),
        web.Response(body=b"data: {}\n\n", content_type="text/event-stream"),
        web.Response(body=b"data: \xff\n\ndata: [DONE]\n\n", content_type="text/event-stream"),
    ]  # fmt: skip
    async with scene(lambda body, n: answers[n], tmp_path) as here:
        for _ in answers:
            with here.slot.case("c1"):
                await ask(here, "chat")
    assert len(here.server.requests) == len(answers)


async def test_cached_calls_count_for_a_cases_caps_but_not_for_the_run(tmp_path: Path) -> None:
    settings = DoorSettings(max_calls_per_case=2)
    for run in range(2):
        budget = Budget(max_usd=1.0)
        async with scene(lambda body, n: "ok", tmp_path, settings=settings, budget=budget) as here:
            with here.slot.case("c1") as trace:
                codes = [(await ask(here, "chat", user=str(n))).status for n in range(3)]
        assert codes == [200, 200, 402]
        assert (budget.calls, trace.refused is not None) == (0 if run else 2, True)


def fill(path: Path) -> dict[bytes, StoredAnswer]:
    store = AnswerStore(path)
    kept = {}
    for n in range(40):
        answer = StoredAnswer({"text": f"answer {n} " * 60}, n / 7, "r1", 1)
        kept[bytes([n]) * 32] = answer
        store.put(bytes([n]) * 32, answer)
    store.close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.execute("PRAGMA journal_mode=DELETE")
    database.close()
    return kept


@pytest.mark.parametrize("damage", ["flip", "truncate", "zero"])
def test_a_damaged_file_gives_the_kept_answer_or_none(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "answers.sqlite"
    kept = fill(path)
    whole = path.read_bytes()
    dice = random.Random(7)
    found = 0
    for _ in range(60):
        content = bytearray(whole)
        if damage == "truncate":
            content = content[: dice.randrange(4096, len(content))]
        for _ in range(dice.randrange(1, 6) if damage == "flip" else 0):
            content[dice.randrange(4096, len(content))] ^= dice.randrange(1, 256)
        if damage == "zero":
            start = dice.randrange(4096, len(content))
            content[start : start + 2000] = bytes(len(content[start : start + 2000]))
        for old in tmp_path.glob("answers.sqlite*"):
            old.unlink()
        path.write_bytes(content)
        store = AnswerStore(path)
        for key, answer in kept.items():
            got = store.get(key)
            assert got in (None, answer)
            found += got is not None
        store.put(b"new", StoredAnswer({"a": 1}, 1.0, "r2", 1))
        assert store.get(b"new") is not None
        store.close()
    assert 0 < found < 60 * len(kept)


@pytest.mark.parametrize(
    "change",
    [
        "body = replace(body, 'chunk', 'chink')", "body = substr(body, 1, 100)", "latency_s = 0.0", "attempts = 9",
        "measured_in = 'r9'", "body = x'ff'", "body = 5", "latency_s = 'x'", "checksum = x''", "measured_in = NULL",
    ],
)  # fmt: skip
async def test_a_poisoned_answer_is_dropped_and_asked_again(tmp_path: Path, change: str) -> None:
    async with scene(lambda body, n: REPLY, tmp_path) as here:
        with here.slot.case("c1"):
            await ask(here, "chat", stream=True)
    database = sqlite3.connect(tmp_path / "answers.sqlite")
    try:
        with database:
            database.execute(f"UPDATE OR IGNORE answers SET {change}")
            changed = not change.endswith("NULL")
    finally:
        database.close()
    async with scene(lambda body, n: "fresh", tmp_path) as here:
        with here.slot.case("c1") as trace:
            got = await ask(here, "chat", stream=True)
    assert trace.calls[0].cached is not changed
    assert (b"fres" in got.content) is changed


async def test_an_answer_of_another_request_is_not_believed(tmp_path: Path) -> None:
    async with scene(lambda body, n: f"answer {n}", tmp_path) as here:
        with here.slot.case("c1"):
            await ask(here, "chat")
            await ask(here, "messages")
    database = sqlite3.connect(tmp_path / "answers.sqlite")
    with database:
        rows = database.execute("SELECT key, body, checksum FROM answers").fetchall()
        for (key, _, _), (_, other, checksum) in zip(rows, reversed(rows), strict=True):
            database.execute("UPDATE answers SET body = ?, checksum = ? WHERE key = ?", (other, checksum, key))
    database.close()
    async with scene(lambda body, n: "fresh", tmp_path) as here:
        with here.slot.case("c1") as trace:
            await ask(here, "chat")
    assert trace.calls[0].cached is False
