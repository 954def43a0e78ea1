"""Outbox, lines and the client of the Batch API."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from evaluator.errors import InfrastructureError, ProviderError
from evaluator.gateway.batch_lines import Line, Odd, read_lines
from evaluator.gateway.batches import BatchClient, BatchRefusedError, NoBatchesError
from evaluator.gateway.gateway import ProviderDown
from evaluator.gateway.interface import Deferred
from evaluator.gateway.outbox import Outbox
from evaluator.gateway.providers import Provider
from evaluator.records import Failure, FailureKind
from tests.standin import openai_description as described
from tests.standin.batch_api import BatchApi
from tests.standin.provider import fault, stand_in

CHAT = "/chat/completions"
KEY = b"k" * 32


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def put(
    outbox: Outbox, number: int, *, provider: str = "p", path: str = CHAT, model: str = "m", **more: Any
) -> Exception:
    body = json.dumps(
        {"model": model, "messages": [{"role": "user", "content": f"줄 \u2028 {number}"}]}, ensure_ascii=False
    )
    return outbox.put(key(number), provider, path, model, body.encode(), worst_usd=0.5, **more)


def test_the_same_request_waits_once(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    assert isinstance(put(outbox, 1), Deferred)
    assert isinstance(put(outbox, 1), Deferred)
    assert len(outbox) == 1
    [parcel] = outbox.parcels()
    [line] = [json.loads(text) for text in parcel.file.read_bytes().split(b"\n") if text]
    assert described.problems("BatchRequestInput", line) == []
    assert described.problems("CreateChatCompletionRequest", line["body"]) == []
    assert line["custom_id"] == key(1).hex()
    assert line["body"]["messages"][0]["content"] == "줄 \u2028 1"


def test_each_provider_endpoint_and_model_has_a_file_of_its_own_and_each_limit_begins_another(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, most_requests=3, most_bytes=600)
    for number in range(4):
        put(outbox, number)
    put(outbox, 10, provider="q")
    put(outbox, 11, model="n")
    put(outbox, 12, path="/embeddings", inputs=2)
    put(outbox, 13, path="/embeddings", inputs=2)
    put(outbox, 14, model="n" * 500)
    put(outbox, 15, model="n" * 500)
    parcels = outbox.parcels()
    kinds = [(parcel.provider, parcel.path, parcel.model[:1], len(parcel.keys)) for parcel in parcels]
    assert kinds == [
        *[("p", CHAT, "m", 2)] * 2,
        ("q", CHAT, "m", 1),
        ("p", CHAT, "n", 1),
        *[("p", "/embeddings", "m", 1)] * 2,
        *[("p", CHAT, "n", 1)] * 2,
    ]
    for parcel in parcels:
        assert parcel.file.stat().st_size == parcel.size
        assert len(parcel.file.read_bytes().splitlines()) == len(parcel.keys) == len(parcel.worst_usd)
        assert parcel.inputs <= 3
        assert parcel.size <= 600 or len(parcel.keys) == 1
    outbox.clear()
    assert len(outbox) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_request_that_failed_for_good_is_not_sent_again(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    outbox.failed[key(1)] = Failure(FailureKind.CONTEXT_TOO_LONG, "HTTP 400: too long")
    error = put(outbox, 1)
    assert isinstance(error, ProviderError)
    assert (error.kind, error.message) == (FailureKind.CONTEXT_TOO_LONG, "p: HTTP 400: too long")
    assert len(outbox) == 0


def line(custom_id: str = KEY.hex(), **more: Any) -> bytes:
    body = {"choices": [{"message": {"content": "hi"}}]}
    whole = {
        "id": "r",
        "custom_id": custom_id,
        "response": {"status_code": 200, "request_id": "x", "body": body},
        "error": None,
    }
    return json.dumps({**whole, **more}).encode() + b"\n"


def failed(status: int, code: str | None = None, message: str = "no") -> dict[str, Any]:
    return {"status_code": status, "request_id": "x", "body": {"error": {"message": message, "code": code}}}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (line(response=failed(500)), FailureKind.SERVER),
        (line(response=failed(429)), FailureKind.RATE_LIMIT),
        (line(response=failed(429, "insufficient_quota")), FailureKind.AUTHENTICATION),
        (line(response=failed(400)), FailureKind.INVALID_REQUEST),
        (line(response=failed(400, "context_length_exceeded")), FailureKind.CONTEXT_TOO_LONG),
        (line(response={"status_code": 200, "body": {"choices": []}}), FailureKind.INVALID_ANSWER),
        (line(response={"status_code": 200, "body": "text"}), FailureKind.INVALID_ANSWER),
        (line(response=None, error={"code": "server_error", "message": "it broke"}), FailureKind.SERVER),
        (line(response=None), FailureKind.SERVER),
    ],
)
def test_lines_without_an_answer_are_classed(tmp_path: Path, text: bytes, kind: FailureKind) -> None:
    [found] = read(tmp_path, text)
    assert isinstance(found, Line)
    assert found.failure is not None
    assert found.failure.kind is kind
    assert not found.unfinished


def test_requests_that_an_expired_batch_did_not_ask_are_told_apart(tmp_path: Path) -> None:
    [found] = read(tmp_path, line(response=None, error={"code": "batch_expired", "message": "too late"}))
    assert isinstance(found, Line)
    assert found.unfinished


def test_the_key_is_struck_out_of_what_a_provider_says(tmp_path: Path) -> None:
    for text in (
        line(response=failed(400, message="bad\nk-secret")),
        line(response=None, error={"code": "x", "message": "bad\nk-secret"}),
    ):
        [found] = read(tmp_path, text)
        assert isinstance(found, Line)
        assert found.failure is not None
        assert found.failure.message.endswith("bad ***")


def read(folder: Path, text: bytes) -> list[Line | Odd]:
    (folder / "lines").write_bytes(text)
    return list(read_lines(folder / "lines", CHAT, {KEY}, api_key="k-secret"))


@given(st.one_of(st.binary(max_size=200), st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(KEY.hex()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["id", "custom_id", "response", "error", "status_code", "body", "choices", "code", "message"]), inner
    ), max_leaves=12,
).map(lambda value: json.dumps(value).encode())))  # fmt: skip
def test_whatever_stands_in_a_file_is_a_line_of_ours_or_odd(
    tmp_path_factory: pytest.TempPathFactory, text: bytes
) -> None:
    for found in read(tmp_path_factory.getbasetemp(), text):
        assert isinstance(found, Odd) or found.key == KEY
        if isinstance(found, Line) and found.failure is None:
            assert found.body is not None


@asynccontextmanager
async def client(api: BatchApi) -> AsyncIterator[BatchClient]:
    async with (
        stand_in(lambda body, n: "hi", api) as server,
        BatchClient(Provider("p", (server.url,), "k-secret")) as made,
    ):
        yield made


async def test_making_a_batch_is_never_repeated_and_looking_at_one_is(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    api = BatchApi()
    async with client(api) as made:
        file = await made.upload(tmp_path / "f", "f.jsonl")
        api.after["POST /batches"] = lambda: fault(503)
        with pytest.raises(InfrastructureError, match="HTTP 503 for POST /batches"):
            await made.create(file, CHAT, "mark")
        assert api.seen.count("POST /batches") == 1
        failures = [fault(503, headers={"retry-after-ms": "1"}), None]
        api.before["GET /batches"] = lambda: failures.pop(0)
        found = await made.find("mark", since=0)
        assert found is not None
        assert found.batch_id == "batch_1"
        assert api.seen.count("GET /batches") == 2
    assert api.violations == []


async def test_the_list_is_read_back_no_further_than_it_must_be() -> None:
    api = BatchApi()
    async with client(api) as made:
        for number in range(250):
            told = {"id": f"b{number}", "object": "batch", "endpoint": "/v1/chat/completions", "input_file_id": "f",
                    "completion_window": "24h", "status": "completed", "created_at": 1_000 + number}  # fmt: skip
            api.batches[f"b{number}"] = type("B", (), {"told": told})()
        assert await made.find("mark", since=1_200) is None
        assert api.seen.count("GET /batches") == 1
        assert await made.find("mark", since=0) is None
        assert api.seen.count("GET /batches") == 1 + 3


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (404, NoBatchesError, "has no Batch API"),
        (405, NoBatchesError, "has no Batch API"),
        (401, ProviderDown, "HTTP 401"),
        (400, BatchRefusedError, "HTTP 400"),
        (302, InfrastructureError, "HTTP 302"),
    ],
)
async def test_refusals_are_told_apart(tmp_path: Path, status: int, error: type[Exception], said: str) -> None:
    def refuse() -> web.StreamResponse:
        headers = {"Location": "http://127.0.0.1:1/v1/batches"} if status == 302 else None
        return fault(status, "because of k-secret", headers=headers)

    (tmp_path / "f").write_bytes(b"")
    api = BatchApi()
    async with client(api) as made:
        file = await made.upload(tmp_path / "f", "f.jsonl")
        api.before["POST /batches"] = refuse
        with pytest.raises(error, match=said) as caught:
            await made.create(file, CHAT, "mark")
        assert "k-secret" not in str(caught.value)


NONSENSE = (b"<html>", b"[]", b'{"id": null}', b'{"id": "b", "status": 7, "errors": [1], "data": 7}')


@pytest.mark.parametrize("nonsense", NONSENSE)
async def test_a_provider_that_answers_nonsense_is_no_traceback(tmp_path: Path, nonsense: bytes) -> None:
    def answer() -> web.StreamResponse:
        return web.Response(body=nonsense, content_type="application/json")

    (tmp_path / "f").write_bytes(b"")
    api = BatchApi()
    async with client(api) as made:
        if b'"b"' not in nonsense:
            api.before["POST /files"] = answer
            with pytest.raises(InfrastructureError):
                await made.upload(tmp_path / "f", "f.jsonl")
        api.before["GET /batches/{batch_id}"] = answer
        with pytest.raises(InfrastructureError, match="cannot be read"):
            await made.look("b")
        api.before["GET /batches"] = answer
        with suppress(InfrastructureError):
            assert await made.find("mark", since=0) is None


async def test_why_a_batch_failed_is_told_without_the_key(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    api = BatchApi()
    async with client(api) as made:
        batch = await made.create(await made.upload(tmp_path / "f", "f.jsonl"), CHAT, "mark")
        errors = [
            {"code": "c", "message": "x" * 295 + "\nk-secret", "param": None, "line": 7},
            {"code": "d", "message": "no"},
        ]
        api.batches[batch.batch_id].told |= {"status": "failed", "errors": {"object": "list", "data": errors}}
        looked = await made.look(batch.batch_id)
    assert looked.ended
    first, second = looked.errors
    assert first.startswith("line 7: xxx")
    assert "k-s" not in first
    assert second == "no (d)"
