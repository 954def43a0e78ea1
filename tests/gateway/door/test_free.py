"""What costs nothing is forwarded though it is not metered; nothing that makes a model write is taken for it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evaluator.gateway.budget import Budget
from evaluator.gateway.door import DoorSettings
from evaluator.gateway.door.endpoints import CONTEXT_TOKENS, metered
from evaluator.gateway.door.free import MOST_RESPONSES, OwnResponses, free
from evaluator.gateway.door.routes import Dialect, Route
from evaluator.gateway.door.turned_away import MOST_PATHS, TurnedAway
from evaluator.gateway.providers import Provider
from tests.gateway.door.scene import KEY, body, post, scene

CLOSED = DoorSettings(unmetered=False)
OPENAI = Route("/v1", Provider("openai", ("https://o/v1",), price_provider="openai"))
MISTRAL = Route("/mistral", Provider("mistral", ("https://m/v1",), price_provider="mistral"))
ANTHROPIC = Route("/anthropic", Provider("anthropic", ("https://a",)), Dialect.ANTHROPIC)
AZURE = Route("/azure", Provider("azure", ("https://z",)), Dialect.AZURE)


@pytest.mark.parametrize(
    ("route", "method", "path"),
    [
        (OPENAI, "POST", "/moderations"), (OPENAI, "GET", "/models"), (OPENAI, "GET", "/models/openai/gpt-5"),
        (OPENAI, "POST", "/responses/input_tokens"), (OPENAI, "GET", "/responses/resp_a1"),
        (OPENAI, "GET", "/responses/resp_a1/input_items"), (OPENAI, "POST", "/responses/resp_a1/cancel"),
        (ANTHROPIC, "POST", "/v1/messages/count_tokens"), (ANTHROPIC, "GET", "/v1/models"),
        (AZURE, "GET", "/openai/v1/responses/resp_a1"), (AZURE, "POST", "/openai/responses/resp_a1/cancel"),
        (AZURE, "GET", "/openai/models"),
    ],
)  # fmt: skip
def test_a_few_requests_are_free(route: Route, method: str, path: str) -> None:
    assert free(route, method, path) is not None
    assert metered(route.dialect, method, path) is None


@pytest.mark.parametrize(
    ("route", "method", "path"),
    [
        (OPENAI, "POST", "/responses"), (OPENAI, "POST", "/responses/"), (OPENAI, "POST", "/responses/compact"),
        (OPENAI, "POST", "/responses/resp_a1"), (OPENAI, "DELETE", "/responses/resp_a1"), (OPENAI, "GET", "/responses"),
        (OPENAI, "POST", "/responses/resp_a1/cancel/"), (OPENAI, "POST", "/responses/resp_a1%2fcancel"),
        (OPENAI, "POST", "/responses/input_tokens/x"), (OPENAI, "PUT", "/moderations"), (OPENAI, "POST", "/Moderations"),
        (OPENAI, "POST", "//moderations"), (OPENAI, "POST", "/moderations/../chat/completions"),
        (OPENAI, "POST", "/models"), (OPENAI, "GET", "/files/models"), (OPENAI, "GET", "/models?x"),
        (OPENAI, "POST", "/chat/completions"), (OPENAI, "POST", "/images/generations"), (OPENAI, "POST", "/batches"),
        (OPENAI, "GET", "/files"), (OPENAI, "POST", "/v1/messages/count_tokens"), (MISTRAL, "POST", "/moderations"),
        (ANTHROPIC, "POST", "/v1/messages"), (ANTHROPIC, "POST", "/v1/messages/batches"),
        (ANTHROPIC, "POST", "/v1/messages/count_tokens/"), (ANTHROPIC, "POST", "/moderations"),
        (AZURE, "POST", "/openai/v1/responses"), (AZURE, "POST", "/openai/deployments/d/responses/resp_a/cancel"),
        (AZURE, "POST", "/openai/v1/moderations"),
    ],
)  # fmt: skip
def test_nothing_else_is(route: Route, method: str, path: str) -> None:
    assert free(route, method, path) is None


async def test_a_free_request_is_no_charge_where_dollars_are_capped_and_calls_are_metered(tmp_path: Path) -> None:
    async with scene(lambda body, n: "ok", tmp_path, budget=Budget(max_usd=1.0), settings=CLOSED) as here:
        with here.slot.case("c") as trace:
            got = await post(here, "/v1/moderations", {"model": "omni-moderation-latest", "input": "hi"})
            assert (got.status, got.json["results"]) == (200, [{"flagged": False}])
            counted = await post(here, "/anthropic/v1/messages/count_tokens", {"model": "m", "messages": []})
            assert (counted.status, counted.json) == (200, {"input_tokens": 7})
            assert (await post(here, "/v1/chat/completions", body())).status == 200
        assert [call.model for call in trace.calls] == ["m"]
        assert [request.charged_usd for request in trace.requests[:2]] == [0.0, 0.0]
        assert here.gateway.budget.spent_usd == pytest.approx(here.cost())
        assert here.door.turned_away.notes() == ()


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_app_may_look_at_its_own_responses_and_at_no_others(tmp_path: Path, *, streamed: bool) -> None:
    sent: dict[str, Any] = {"model": "m", "input": "hi", "max_output_tokens": 9, "background": True, "stream": streamed}
    async with scene(lambda body, n: "ok", tmp_path, budget=Budget(max_usd=1.0), settings=CLOSED) as here:
        refused = await post(here, "/v1/responses/resp_1", b"", method="GET")
        assert (refused.status, refused.json["error"]["code"]) == (403, "not_metered")
        assert (await post(here, "/v1/responses", sent)).status == 200
        with here.slot.case("c") as trace:
            assert (await post(here, "/v1/responses/resp_1?include=x", b"", method="GET")).json["id"] == "resp_1"
            assert (await post(here, "/v1/responses/resp_1/cancel", b"{}")).json["status"] == "cancelled"
        assert trace.calls == ()
        assert (await post(here, "/v1/responses/resp_2", b"", method="GET")).status == 403
        base = here.doors.entrances["base"]
        beside = replace(here, door=base, slot=base.slot("base-0"))
        assert (await post(beside, "/v1/responses/resp_1", b"", method="GET")).status == 403, "it is head's"


async def test_a_response_in_the_background_counts_with_the_most_that_it_may_take(tmp_path: Path) -> None:
    sent = {"model": "m", "input": "hi", "max_output_tokens": 9, "background": True}
    async with scene(lambda body, n: "ok", tmp_path, budget=Budget(max_usd=1.0), settings=CLOSED) as here:
        with here.slot.case("c") as trace:
            got = await post(here, "/v1/responses", sent)
            assert (got.json["status"], got.json["usage"]) == ("queued", None)
            done = await post(here, "/v1/responses/resp_1", b"", method="GET")
            assert done.json["status"] == "completed"
        [call] = trace.calls
        assert call.most_usage is not None
        assert call.most_usage.output_tokens == 9
        assert here.gateway.budget.spent_usd == call.counted_usd == (call.most_usage.input_tokens + 2 * 9) / 1e6


@pytest.mark.parametrize(("kind", "more"), [("function", 0), ("web_search", CONTEXT_TOKENS), ("mcp", CONTEXT_TOKENS)])
async def test_what_the_providers_tools_find_in_the_background_counts(tmp_path: Path, kind: str, more: int) -> None:
    sent = {"model": "m", "input": "hi", "max_output_tokens": 9, "background": True, "tools": [{"type": kind}]}
    async with scene(lambda body, n: "ok", tmp_path, budget=Budget(max_usd=1.0), settings=CLOSED) as here:
        with here.slot.case("c") as trace:
            assert (await post(here, "/v1/responses", sent)).status == 200
        [call] = trace.calls
        assert call.most_usage is not None
        assert more <= call.most_usage.input_tokens < more + 200


async def test_a_key_that_a_free_path_refuses_is_told_like_any_other(tmp_path: Path) -> None:
    async with scene(lambda body, n: "ok", tmp_path, settings=CLOSED, api_key="wrong") as here:
        assert (await post(here, "/v1/moderations", {"input": "hi"})).status == 401
    assert "check the key" in str(here.doors.broken)


async def test_a_provider_without_its_key_is_not_asked_and_the_run_is_told(tmp_path: Path) -> None:
    async with scene(lambda body, n: "ok", tmp_path, settings=CLOSED, missing="SOME_KEY") as here:
        got = await post(here, "/v1/chat/completions", body())
        assert (got.status, got.json["error"]["code"], got.headers["x-should-retry"]) == (401, "no_key", "false")
        assert here.server.requests == []
    assert "the app asks 'openai', and the environment variable SOME_KEY is not set" in str(here.doors.broken)
    assert KEY not in got.content.decode()


def test_what_is_refused_is_told_escaped_and_bounded() -> None:
    turned_away = TurnedAway()
    for _ in range(3):
        turned_away.add("why", "GET", "/files")
    for number in range(10 * MOST_PATHS):
        turned_away.add("why", "POST", f"/{number}\n::error::\x1b[31m" + "x" * 5000)
    [note] = turned_away.notes()
    assert note.startswith(f"{3 + 10 * MOST_PATHS} requests were refused as not metered (403): GET /files (3), POST /0")
    assert note.endswith(", ...; why")
    assert len(note) < 500
    assert note.isprintable()


def test_of_very_many_responses_the_oldest_are_forgotten() -> None:
    own = OwnResponses()
    for number in range(MOST_RESPONSES + 1):
        own.add("openai", f"resp_{number}")
    assert (own.has("openai", "resp_0"), own.has("openai", "resp_1"), own.has("other", "resp_1")) == (
        False,
        True,
        False,
    )
