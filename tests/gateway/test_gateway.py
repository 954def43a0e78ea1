"""The gateway against a real HTTP server: meters, prices, retries, caches, caps."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from bench.provider import provider
from evaluator.config.model import PriceSection
from evaluator.errors import BudgetError, ConfigError, ProviderError
from evaluator.gateway.budget import Budget
from evaluator.gateway.cache import AnswerStore
from evaluator.gateway.gateway import Gateway, ProviderDown
from evaluator.gateway.interface import ChatRequest
from evaluator.gateway.pace import NO_LIMITS, Limits
from evaluator.gateway.prices import Prices
from evaluator.gateway.providers import Provider
from evaluator.gateway.retry import RetryPolicy
from evaluator.gateway.wire_time import TICK_S
from evaluator.records import FailureKind
from tests.standin.provider import Answerer, StandIn, completion, fault, stand_in

KEY = "sk-secret-0123456789"
QUICK = RetryPolicy(attempts=4, first_wait_s=0.001, longest_wait_s=0.05)
PRICES = Prices({"m": PriceSection(input=1.0, output=2.0)})


def ask(text: str = "hello", *, model: str = "m", repeat: int = 0, limit: int = 16) -> ChatRequest:
    return ChatRequest("p", model, ({"role": "user", "content": text},), {"max_tokens": limit}, repeat=repeat)


@asynccontextmanager
async def gateway_to(
    answer: Answerer, folder: Path, *, budget: Budget | None = None, policy: RetryPolicy = QUICK, run_id: str = "r1",
    timeout_s: float = 5.0, limits: Limits = NO_LIMITS,
) -> AsyncIterator[tuple[Gateway, StandIn]]:  # fmt: skip
    async with stand_in(answer) as server:
        provider = Provider("p", (server.url,), KEY, timeout_s=timeout_s, identity="the provider", limits=limits)
        store = AnswerStore(folder / "answers.sqlite")
        try:
            async with Gateway(
                {"p": provider}, store=store, prices=PRICES, budget=budget or Budget(), run_id=run_id, policy=policy
            ) as gateway:
                yield gateway, server
        finally:
            store.close()


async def test_an_answer_is_metered_and_priced(tmp_path: Path) -> None:
    async with gateway_to(lambda body, n: "안녕하세요", tmp_path) as (gateway, server):
        answer = await gateway.caller().chat(ask())
    usage = server.responses[0]["usage"]
    assert answer.text == "안녕하세요"
    assert answer.call.usage is not None
    assert answer.call.usage.input_tokens == usage["prompt_tokens"]
    assert answer.call.cost_usd == pytest.approx((usage["prompt_tokens"] + 2 * usage["completion_tokens"]) / 1e6)
    assert server.keys == [f"Bearer {KEY}"]
    assert gateway.spent_usd == answer.call.cost_usd


async def test_our_requests_and_the_stand_ins_answers_fit_openais_description(tmp_path: Path) -> None:
    schema = os.environ.get("LLM_EVAL_GATE_OPENAI_SCHEMA")
    async with gateway_to(lambda body, n: "ok", tmp_path) as (gateway, server):
        await gateway.caller().chat(ask())
    if schema:
        server.check(Path(schema))
    assert set(server.requests[0]) == {"model", "messages", "max_tokens"}


async def test_all_keys_that_may_be_sent_are_told(tmp_path: Path) -> None:
    names = {"a": "sk-a", "b": "sk-b", "c": "sk-a", "local": None}
    providers = {name: Provider(name, ("http://127.0.0.1:1",), key) for name, key in names.items()}
    store = AnswerStore(tmp_path / "answers.sqlite")
    gateway = Gateway(providers, store=store, prices=PRICES, budget=Budget(), run_id="r")
    store.close()
    assert gateway.keys == {"sk-a", "sk-b"}


async def test_latency_is_the_providers_and_not_our_queue(tmp_path: Path) -> None:
    async def slow(body: object, number: int) -> str:
        await asyncio.sleep(0.05)
        return "ok"

    async with stand_in(slow) as server:
        # A server that answers one at a time: the last of thirty waits for all the others, on our side.
        provider = Provider("p", (server.url,), exclusive=True)
        store = AnswerStore(tmp_path / "answers.sqlite")
        async with Gateway({"p": provider}, store=store, prices=PRICES, budget=Budget(), run_id="r") as gateway:
            started = time.perf_counter()
            answers = await asyncio.gather(*(gateway.caller().chat(ask(f"q{n}")) for n in range(30)))
            waited = time.perf_counter() - started
        store.close()
    assert server.most_in_flight == 1
    latencies = [answer.call.latency_s or 0.0 for answer in answers]
    assert sum(latencies) <= waited
    assert min(latencies) >= 0.05 - TICK_S


async def test_latency_is_the_providers_even_where_our_own_loop_looks_late(tmp_path: Path) -> None:
    with provider(0.1) as server:
        store = AnswerStore(tmp_path / "answers.sqlite")
        async with Gateway(
            {"p": Provider("p", (server.url,))}, store=store, prices=PRICES, budget=Budget(), run_id="r"
        ) as gateway:
            asked = asyncio.create_task(gateway.caller().chat(ask()))
            await asyncio.sleep(0.05)
            time.sleep(0.3)
            latency = (await asked).call.latency_s or 0.0
        store.close()
    assert 0.1 - TICK_S <= latency < 0.2


async def test_a_cached_answer_keeps_its_cost_and_latency_and_says_so(tmp_path: Path) -> None:
    async with gateway_to(lambda body, n: "ok", tmp_path) as (gateway, _):
        first = await gateway.caller().chat(ask())
    async with gateway_to(lambda body, n: "other", tmp_path, run_id="r2") as (gateway, server):
        again = await gateway.caller().chat(ask())
        assert server.requests == []
    assert again.text == "ok"
    assert (again.call.cached, first.call.cached) == (True, False)
    assert (again.call.latency_s, again.call.cost_usd) == (first.call.latency_s, first.call.cost_usd)
    assert (again.call.measured_in, gateway.spent_usd) == ("r1", 0.0)


@pytest.mark.parametrize("change", [{"text": "other"}, {"repeat": 1}, {"limit": 17}])
async def test_another_request_has_another_answer(tmp_path: Path, change: dict[str, object]) -> None:
    async with gateway_to(lambda body, n: f"answer {n}", tmp_path) as (gateway, server):
        await gateway.caller().chat(ask())
        await gateway.caller().chat(ask(**change))  # type: ignore[arg-type]
        await gateway.caller("another scope").chat(ask())
    assert len(server.requests) == 3


async def test_the_same_request_at_the_same_time_is_sent_once(tmp_path: Path) -> None:
    async def slow(body: object, number: int) -> str:
        await asyncio.sleep(0.02)
        return "ok"

    async with gateway_to(slow, tmp_path) as (gateway, server):
        await asyncio.gather(*(gateway.caller().chat(ask()) for _ in range(10)))
    assert len(server.requests) == 1


async def test_a_poisoned_cache_entry_is_dropped(tmp_path: Path) -> None:
    import sqlite3

    async with gateway_to(lambda body, n: "right", tmp_path) as (gateway, _):
        await gateway.caller().chat(ask())
    with sqlite3.connect(tmp_path / "answers.sqlite") as db:
        db.execute("UPDATE answers SET body = replace(body, 'right', 'wrong')")
    db.close()
    async with gateway_to(lambda body, n: "right again", tmp_path) as (gateway, _):
        assert (await gateway.caller().chat(ask())).text == "right again"


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (lambda: fault(500), FailureKind.SERVER),
        (lambda: fault(503, headers={"Retry-After": "0"}), FailureKind.SERVER),
        (lambda: web.Response(body=b'{"choi', content_type="application/json"), FailureKind.INVALID_ANSWER),
        (lambda: web.json_response({"object": "chat.completion"}), FailureKind.INVALID_ANSWER),
        (lambda: web.json_response([1]), FailureKind.INVALID_ANSWER),
    ],
)
async def test_a_passing_fault_is_asked_again_and_a_lasting_one_is_an_error(
    tmp_path: Path, failure: object, kind: FailureKind
) -> None:
    def twice(body: object, number: int) -> "web.StreamResponse | str":
        return failure() if number < 2 else "ok"  # type: ignore[operator]

    async with gateway_to(twice, tmp_path) as (gateway, server):
        answer = await gateway.caller().chat(ask())
        assert (answer.text, answer.call.attempts, len(server.requests)) == ("ok", 3, 3)
    async with gateway_to(lambda body, n: failure(), tmp_path / "b") as (gateway, server):  # type: ignore[operator]
        with pytest.raises(ProviderError) as caught:
            await gateway.caller().chat(ask())
        assert (caught.value.kind, len(server.requests)) == (kind, 4)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (lambda: fault(400, "bad tool"), FailureKind.INVALID_REQUEST),
        (lambda: fault(400, "too long", code="context_length_exceeded"), FailureKind.CONTEXT_TOO_LONG),
        (lambda: fault(400, "filtered", code="content_filter"), FailureKind.REFUSED),
        (lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}), FailureKind.INVALID_REQUEST),
    ],
)
async def test_a_refused_request_is_not_sent_again(tmp_path: Path, failure: object, kind: FailureKind) -> None:
    async with gateway_to(lambda body, n: failure(), tmp_path) as (gateway, server):  # type: ignore[operator]
        with pytest.raises(ProviderError) as caught:
            await gateway.caller().chat(ask())
    assert (caught.value.kind, len(server.requests)) == (kind, 1)


async def test_a_wrong_key_stops_the_run_and_is_not_shown(tmp_path: Path) -> None:
    async with gateway_to(lambda body, n: fault(401, f"Incorrect API key provided: {KEY}"), tmp_path) as (gateway, _):
        with pytest.raises(ProviderDown) as caught:
            await gateway.caller().chat(ask())
    assert "check the key" in str(caught.value)
    assert KEY not in str(caught.value)
    assert KEY not in repr(Provider("p", ("u",), KEY))


async def test_a_dead_provider_ends_the_run(tmp_path: Path) -> None:
    async with gateway_to(lambda body, n: fault(500), tmp_path) as (gateway, _):
        with pytest.raises(ProviderDown) as caught:
            for number in range(20):
                with pytest.raises(ProviderError):
                    await gateway.caller().chat(ask(f"q{number}"))
    assert "8 calls in a row" in str(caught.value)


async def test_a_hung_call_times_out(tmp_path: Path) -> None:
    async def hang(body: object, number: int) -> str:
        await asyncio.sleep(3)
        return "late"

    policy = RetryPolicy(attempts=1)
    async with gateway_to(hang, tmp_path, policy=policy, timeout_s=0.1) as (gateway, _):
        with pytest.raises(ProviderError) as caught:
            await gateway.caller().chat(ask())
    assert caught.value.kind is FailureKind.TIMEOUT


async def test_the_cap_holds_with_many_calls_in_flight(tmp_path: Path) -> None:
    budget = Budget(max_usd=0.0005)
    async with gateway_to(lambda body, n: "word " * 8, tmp_path, budget=budget) as (gateway, server):
        tried = await asyncio.gather(*(gateway.caller().chat(ask(f"q{n}")) for n in range(200)), return_exceptions=True)
    spent = sum(
        (row["usage"]["prompt_tokens"] + 2 * row["usage"]["completion_tokens"]) / 1e6 for row in server.responses
    )
    assert spent <= 0.0005
    assert spent == pytest.approx(gateway.spent_usd)
    refused = [error for error in tried if isinstance(error, BudgetError)]
    assert refused
    assert len(refused) + len(server.responses) == 200


@pytest.mark.parametrize("fault_of", ["no usage", "time-out"])
async def test_what_may_have_been_charged_counts_in_full_against_the_cap(tmp_path: Path, fault_of: str) -> None:
    async def answer(body: object, number: int) -> "web.StreamResponse | str":
        if fault_of == "time-out":
            await asyncio.sleep(1)
        return web.json_response({key: value for key, value in completion("m", "ok").items() if key != "usage"})

    budget = Budget(max_usd=0.0005)
    policy = RetryPolicy(attempts=1)
    async with gateway_to(answer, tmp_path, budget=budget, policy=policy, timeout_s=0.05) as (gateway, server):
        for number in range(12):
            with contextlib.suppress(ProviderError, ProviderDown, BudgetError):
                await gateway.caller().chat(ask(f"q{number}"))
    assert 0 < budget.spent_usd <= 0.0005
    assert gateway.spent_usd == pytest.approx(budget.spent_usd), "what progress tells is what counts"
    assert len(server.requests) < 12


async def test_a_budget_needs_a_known_price(tmp_path: Path) -> None:
    async with gateway_to(lambda body, n: "ok", tmp_path, budget=Budget(max_usd=1)) as (gateway, server):
        with pytest.raises(ConfigError, match="no known price"):
            await gateway.caller().chat(ask(model="nobody-sells-this"))
    assert server.requests == []


async def test_embeddings_come_in_the_order_asked_for(tmp_path: Path) -> None:
    async with gateway_to(lambda body, n: "", tmp_path) as (gateway, _):
        answer = await gateway.caller().embed(("aaa", "bbbb"), provider="p", model="m")
    assert answer.vectors[0][0] > 2
    assert answer.vectors[1][1] > 3


async def test_tool_calls_and_refusals_are_read(tmp_path: Path) -> None:
    body = completion("m", "")
    body["choices"][0]["message"] = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "find", "arguments": '{"q": "날씨"}'}}],
    }
    refused = completion("m", "")
    refused["choices"][0]["message"] = {"role": "assistant", "content": None, "refusal": "I will not"}
    answers = [body, refused]
    async with gateway_to(lambda b, n: web.json_response(answers[n]), tmp_path) as (gateway, _):
        answer = await gateway.caller().chat(ask())
        assert [(call.name, call.arguments) for call in answer.tool_calls] == [("find", {"q": "날씨"})]
        # A refusal is an answer that was paid for: who asked decides what it means.
        refusing = await gateway.caller().chat(ask("b"))
    assert (refusing.text, refusing.call.cost_usd) != ("", None)
    assert refusing.body["choices"][0]["message"]["refusal"] == "I will not"


def test_prices_come_from_the_list_unless_the_config_says_otherwise() -> None:
    from evaluator.records import Usage

    usage = Usage(1_000_000, 100_000, 400_000)
    assert Prices({}).cost("gpt-5-mini", usage, price_provider="openai") == pytest.approx(
        0.6 * 0.25 + 0.4 * 0.025 + 0.1 * 2.0
    )
    from evaluator.gateway.prices import CacheWrites, _by_the_list

    listed = Prices()
    for model, seller in (("claude-sonnet-4-5", "anthropic"), ("gemini-2.5-pro", "google"), ("gpt-5", "openai")):
        for given in (1, 1000, 199_999, 200_001, 1_500_000):  # some get dearer with their length
            asked = Usage(given, 77, given // 3)
            assert listed.cost(model, asked, price_provider=seller) == pytest.approx(
                _by_the_list(model, asked, seller, None)
            )
    plain, written = (
        listed.cost("claude-sonnet-4-5", Usage(1000), price_provider="anthropic", written=part)
        for part in (None, CacheWrites(500, 500))
    )
    assert plain is not None
    assert written == pytest.approx(plain * (0.5 * 1.25 + 0.5 * 2))
    own = Prices({"gpt-5-mini": PriceSection(input=3.0, output=4.0, cached_input=1.0)})
    assert own.cost("gpt-5-mini", usage) == pytest.approx(0.6 * 3 + 0.4 * 1 + 0.1 * 4)
    assert not Prices({}).known("nobody-sells-this")
