"""What the door meters is what the provider charges, to the token, in every format, whole and streamed."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from evaluator.gateway.budget import Budget
from evaluator.records import Call, FailureKind, Output, Usage
from evaluator.target.metering import metered
from evaluator.target.server import free_port
from tests.gateway.door.scene import KEY, Scene, body, post, scene
from tests.standin.provider import fault
from tests.standin.replies import Reply

TOOLS = (("find", '{"q": "날씨", "n": 2}'), ("save", "{}"))
REPLY = Reply("The parcel left on Monday. 안녕하세요.", tools=TOOLS, cached=5)
RESPONSES: dict[str, Any] = {"model": "m", "input": "hello there, how are you", "max_output_tokens": 16}
MESSAGES = body("hello there, how are you today")


async def ask(scene: Scene, kind: str, stream: bool) -> Any:
    more = {"stream": True} if stream else {}
    if kind == "chat":
        return await post(scene, "/v1/chat/completions", {**body("hello there, my friend"), **more})
    if kind == "responses":
        return await post(scene, "/v1/responses", {**RESPONSES, **more})
    if kind == "azure":
        path = "/azure/openai/deployments/m/chat/completions?api-version=2024-10-21"
        return await post(scene, path, {"messages": body("hello there, my friend")["messages"], **more})
    sent = {**MESSAGES, **more}
    return await post(scene, "/anthropic/v1/messages", sent, headers={"x-api-key": scene.slot.token})


def given(call: Call) -> int | None:
    return call.usage.input_tokens if call.usage else None


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", ["chat", "responses", "messages", "azure"])
async def test_tokens_cost_and_tools_are_the_providers_own(tmp_path: Path, kind: str, stream: bool) -> None:
    async with scene(lambda body, n: REPLY, tmp_path) as here:
        with here.slot.case("c1") as trace:
            got = await ask(here, kind, stream)
    assert got.status == 200
    (call,) = trace.calls
    (charged,) = here.server.log
    assert call.usage == Usage(charged.given, charged.made, 5)
    assert call.model == "m"
    assert call.cost_usd == pytest.approx(here.cost())
    assert here.gateway.spent_usd == pytest.approx(here.cost())
    assert [(tool.name, tool.arguments) for tool in trace.tool_calls] == [
        ("find", {"q": "날씨", "n": 2}),
        ("save", {}),
    ]
    assert trace.requests[0].streamed is stream
    assert here.server.headers[0].get({"messages": "x-api-key", "azure": "api-key"}.get(kind, "authorization")) in (
        KEY,
        f"Bearer {KEY}",
    )
    assert here.slot.token not in str(here.server.headers)


async def test_what_anthropic_writes_to_its_cache_costs_more(tmp_path: Path) -> None:
    for stream in (False, True):
        async with scene(lambda body, n: Reply("ok, done", written=4), tmp_path / str(stream)) as here:
            with here.slot.case("c1") as trace:
                await ask(here, "messages", stream)
        assert given(trace.calls[0]) == here.server.log[0].given
        assert trace.calls[0].cost_usd == pytest.approx(here.cost())


async def test_usage_of_a_stream_is_asked_for_and_hidden_again(tmp_path: Path) -> None:
    async with scene(lambda body, n: REPLY, tmp_path) as here:
        with here.slot.case("c1", scope=None):
            plain = await post(here, "/v1/chat/completions", body(stream=True))
            asked = await post(here, "/v1/chat/completions", body(stream=True, stream_options={"include_usage": True}))
            refused = await post(
                here, "/v1/chat/completions", body(stream=True, stream_options={"include_usage": False})
            )
    assert [request["stream_options"] for request in here.server.requests] == [{"include_usage": True}] * 3
    for got in (plain, refused):
        assert b"usage" not in got.content
        assert got.content.endswith(b"data: [DONE]\n\n")
    assert asked.events[-2]["usage"]["completion_tokens"] == REPLY.tokens
    assert [{k: v for k, v in event.items() if k != "usage"} for event in asked.events[:-2]] == plain.events[:-1]


async def test_a_provider_that_knows_no_stream_options_is_asked_without(tmp_path: Path) -> None:
    def picky(sent: Any, number: int) -> Any:
        if "stream_options" in sent:
            return fault(400, "unknown field stream_options")
        return Reply("hello again", pause_s=0.05)

    async with scene(picky, tmp_path) as here:
        with here.slot.case("c1") as trace:
            first = await post(here, "/v1/chat/completions", body(stream=True))
            second = await post(here, "/v1/chat/completions", body("b", stream=True))
    assert (first.status, second.status, len(here.server.requests)) == (200, 200, 3)
    assert [call.cost_usd for call in trace.calls] == [None, None]  # unknown, not free
    assert all((request.first_byte_s or 0.0) >= 0.05 for request in trace.requests), "not the refusal's"


async def test_a_bad_request_of_one_app_leaves_the_streams_of_all_others_metered(tmp_path: Path) -> None:
    def strict(sent: Any, number: int) -> Any:
        options = sent.get("stream_options") or {}
        if "foo" in options:
            return fault(400, "unknown parameter stream_options.foo")
        return fault(400, "stream_options") if sent["model"] == "old" and options else "ok"

    async with scene(strict, tmp_path) as here:
        with here.slot.case("c1") as bad:
            got = await post(here, "/v1/chat/completions", body(stream=True, stream_options={"foo": 1}))
            await post(here, "/v1/chat/completions", body(stream=True, model="old"))
        other = here.door.slot("base-0")
        with other.case("c2") as good:
            await post(here, "/v1/chat/completions", body("b", stream=True), token=other.token)
    assert (got.status, [call.cost_usd for call in bad.calls]) == (400, [None])
    assert good.calls[0].cost_usd is not None


async def slow(sent: Any, number: int) -> str:
    await asyncio.sleep(0.6)
    return "ok"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_that_the_app_gives_up_counts_with_the_most_that_it_allowed(
    tmp_path: Path, stream: bool
) -> None:
    async with scene(slow, tmp_path) as here:
        with here.slot.case("c1") as trace:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(post(here, "/v1/chat/completions", body(stream=stream)), 0.2)
            assert await trace.settled(1.0)
        assert len(here.server.requests) == 1
    (call,) = trace.calls
    assert (call.model, call.usage, call.cost_usd) == ("m", None, None)
    assert call.counted_usage == call.most_usage is not None
    assert call.most_usage.output_tokens == 16
    assert call.most_usage.input_tokens >= len(json.dumps(here.server.requests[0], separators=(",", ":")))
    assert call.counted_usd == pytest.approx((call.most_usage.input_tokens + 2 * 16) / 1e6)


async def test_what_nobody_told_and_nothing_limits_is_unknown_and_never_free(tmp_path: Path) -> None:
    unlimited = {"model": "m", "messages": body()["messages"]}
    async with scene(lambda body, n: Reply("ok", tells_usage=False), tmp_path) as here:
        with here.slot.case("c1") as trace:
            await post(here, "/v1/chat/completions", unlimited)
            await post(here, "/v1/chat/completions", unlimited | {"stream": True})
            await post(here, "/v1/chat/completions", body())
    assert [call.usage for call in trace.calls] == [None, None, None]
    assert [call.counted_usd is None for call in trace.calls] == [True, True, False]
    output = metered(Output(text="x"), trace)
    assert (output.usage, output.cost_usd) == (None, None)
    assert output.requests == tuple(trace.requests)


async def test_azures_deployment_decides_the_price_and_not_the_bodys_model(tmp_path: Path) -> None:
    path = "/azure/openai/deployments/{}/chat/completions?api-version=2024-10-21"
    async with scene(lambda body, n: "ok", tmp_path, budget=Budget(max_usd=1.0)) as here:
        with here.slot.case("c1") as trace:
            assert (await post(here, path.format("m"), body(model="gpt-5-nano"))).status == 200
            got = await post(here, path.format("ours-in-sweden"), body(model="gpt-5-nano"))
        assert (got.status, got.json["error"]["code"]) == (403, "no_price")
        assert "deployment 'ours-in-sweden'" in got.json["error"]["message"]
        assert "prices: {ours-in-sweden" in str(here.doors.broken and here.doors.broken.hint)
    assert [call.model for call in trace.calls] == ["m"]
    assert trace.calls[0].cost_usd == pytest.approx(here.cost())


async def test_without_a_cap_the_cost_of_an_unknown_deployment_is_unknown(tmp_path: Path) -> None:
    async with scene(lambda body, n: "ok", tmp_path) as here:
        with here.slot.case("c1") as trace:
            path = "/azure/openai/deployments/ours-in-sweden/chat/completions"
            assert (await post(here, path, body(model="gpt-5-nano"))).status == 200
    assert [(call.model, call.cost_usd) for call in trace.calls] == [("ours-in-sweden", None)]


async def test_a_request_that_is_not_answered_in_time_is_a_call_that_counts(tmp_path: Path) -> None:
    async with scene(slow, tmp_path, timeout_s=0.2) as here:
        with here.slot.case("c1") as trace:
            got = await post(here, "/v1/chat/completions", body())
    assert (got.status, [call.cost_usd for call in trace.calls]) == (504, [None])
    assert all(call.counted_usd for call in trace.calls)


async def test_what_never_reached_the_provider_is_no_call_and_its_tries_are_no_wait_of_ours(tmp_path: Path) -> None:
    async with scene(slow, tmp_path, base_urls=(f"http://127.0.0.1:{free_port()}",)) as here:
        with here.slot.case("c1") as trace:
            got = await post(here, "/v1/chat/completions", body())
    assert (got.status, trace.calls) == (502, ())
    assert trace.requests[0].waited_s < 0.15


async def test_a_request_belongs_to_the_case_that_runs_when_it_comes(tmp_path: Path) -> None:
    sent = json.dumps(body()).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{{port}}\r\nAuthorization: Bearer {{token}}\r\n"
        f"Connection: close\r\nContent-Length: {len(sent)}\r\n\r\n"
    )
    async with scene(lambda body, n: "ok", tmp_path) as here:
        reader, writer = await asyncio.open_connection("127.0.0.1", here.door.port)
        with here.slot.case("c1") as one:
            writer.write(head.format(port=here.door.port, token=here.slot.token).encode() + sent[:9])
            assert not await one.settled(0.2)
        with here.slot.case("c2") as two:
            writer.write(sent[9:])
            await reader.read()
        writer.close()
    assert (len(one.calls), len(two.calls), one.in_flight) == (1, 0, 0)


async def test_what_an_app_asks_before_it_is_at_its_case_is_outside_of_it(tmp_path: Path) -> None:
    async with scene(lambda body, n: "ok", tmp_path) as here:
        with here.slot.case("c1") as trace:
            for at_it in (False, True, True):
                trace.begun = lambda at_it=at_it: at_it
                await post(here, "/v1/chat/completions", body(str(at_it)))
    assert (len(trace.calls), len(here.slot.outside.calls)) == (2, 1)


async def test_embeddings_are_metered(tmp_path: Path) -> None:
    async with scene(lambda body, n: "", tmp_path) as here:
        with here.slot.case("c1") as trace:
            got = await post(here, "/v1/embeddings", {"model": "m", "input": ["abc", "de"]})
    assert len(got.json["data"]) == 2
    assert given(trace.calls[0]) == here.server.log[0].given == 5
    assert trace.calls[0].cost_usd == pytest.approx(here.cost())


async def test_calls_belong_to_the_case_that_runs_and_to_nobody_else(tmp_path: Path) -> None:
    async with scene(lambda body, n: "ok", tmp_path) as here:
        other = here.door.slot("base-0")
        await post(here, "/v1/chat/completions", body("start-up"))
        with here.slot.case("c1") as one, other.case("c2") as two:
            await post(here, "/v1/chat/completions", body("a"))
            await post(here, "/v1/chat/completions", body("b"))
            await post(here, "/v1/chat/completions", body("c"), token=other.token)
            with pytest.raises(RuntimeError, match="runs a case already"), here.slot.case("c3"):
                pass
        await post(here, "/v1/chat/completions", body("afterwards"))
    outside = [*here.slot.outside.requests, *other.outside.requests]
    assert (len(one.calls), len(two.calls), len(outside)) == (2, 1, 2)
    assert here.gateway.spent_usd == pytest.approx(here.cost())
    assert here.gateway.calls == 5


async def test_what_is_no_call_is_none_outside_of_cases_either(tmp_path: Path) -> None:
    async with scene(lambda body, n: fault(429, "too fast") if n == 0 else "ok", tmp_path) as here:
        await post(here, "/v1/models", {}, method="GET")
        await post(here, "/v1/chat/completions", body("turned away"))
        await post(here, "/v1/chat/completions", body("answered"))
    assert here.gateway.budget.accounts["head"].outside_calls == 1


async def test_times_are_the_providers(tmp_path: Path) -> None:
    async with scene(lambda body, n: Reply("word " * 8, pause_s=0.02), tmp_path) as here:
        with here.slot.case("c1") as trace:
            await post(here, "/v1/chat/completions", body(stream=True))
    (request,) = trace.requests
    assert request.first_byte_s is not None
    assert request.call is not None
    assert 0.02 <= request.first_byte_s < 0.1
    assert 0.02 * 12 <= (request.call.latency_s or 0.0) < 1.0
    assert request.waited_s < 0.05


async def test_a_large_body_that_no_provider_takes_hides_no_time_of_the_app(tmp_path: Path) -> None:
    large = b'{"model": "m", "max_tokens": 1, "messages": [' + b"[]," * 500_000 + b"[]]}"
    async with scene(lambda body, n: fault(400, "no"), tmp_path) as here:
        with here.slot.case("c1") as trace:
            assert (await post(here, "/v1/chat/completions", large)).status == 400
    (request,) = trace.requests
    assert request.ended_s - request.started_s > 0.1, "it takes long to read"
    assert request.waited_s < 0.05


async def test_a_failing_provider_is_told_to_app_and_run(tmp_path: Path) -> None:
    async with scene(lambda body, n: fault(500, f"boom {KEY}") if n == 0 else "ok", tmp_path) as here:
        with here.slot.case("c1") as trace:
            got = await post(here, "/v1/chat/completions", body())
            assert trace.failure is not None
            assert trace.failure.kind is FailureKind.SERVER
            assert (got.status, trace.calls) == (500, ())
            assert KEY.encode() not in got.content
            assert b"boom ****" in got.content
            await post(here, "/v1/chat/completions", body())
            assert trace.failure is None
    assert len(here.server.requests) == 2, "the app's client retries, the door does not"


async def test_a_refused_key_is_told_to_the_run(tmp_path: Path) -> None:
    async with scene(lambda body, n: fault(401, f"Incorrect API key provided: {KEY}"), tmp_path) as here:
        with here.slot.case("c1"):
            got = await post(here, "/v1/chat/completions", body())
        assert got.status == 401
        assert KEY not in str(got.json)
        assert "check the key" in str(here.doors.broken)
        assert KEY not in str(here.doors.broken)


async def test_an_unknown_path_is_forwarded_and_its_cost_is_unknown(tmp_path: Path) -> None:
    async with scene(lambda body, n: "", tmp_path) as here:
        with here.slot.case("c1") as trace:
            await post(here, "/v1/echo/images", {"a": 1})
            await post(here, "/v1/echo/models", b"", method="GET")
    assert [(call.cost_usd, call.usage, call.counted_usd) for call in trace.calls] == [(None, None, None)]
    assert len(trace.requests) == 2
