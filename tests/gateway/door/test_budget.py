"""The caps hold: 500 random runs never cost more than allowed, by the provider's own log."""

import asyncio
import contextlib
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from evaluator.config.model import PriceSection
from evaluator.gateway.budget import Budget
from evaluator.gateway.cache import AnswerStore
from evaluator.gateway.door import DoorSettings, Slot, Trace, open_door, standard_routes
from evaluator.gateway.door.endpoints import Endpoint, most_usage, worst_usage
from evaluator.gateway.door.reading import Asked, read_request
from evaluator.gateway.gateway import Gateway
from evaluator.gateway.prices import Prices
from evaluator.records import Output, TracedRequest, Usage
from evaluator.target.metering import metered
from tests.gateway.door.scene import Scene, body, post, providers, scene
from tests.standin.provider import StandIn, fault, stand_in
from tests.standin.replies import Reply

RUNS = 500
RUNS_AT_ONCE = 6


async def test_past_the_runs_cap_a_call_is_not_made_and_the_run_is_told(tmp_path: Path) -> None:
    async with scene(lambda body, n: "ok", tmp_path, budget=Budget(max_calls=2)) as here:
        with here.slot.case("c1") as trace:
            got = [await post(here, "/v1/chat/completions", body(str(n))) for n in range(4)]
            other = await post(here, "/anthropic/v1/messages", body("x"))
    assert [answer.status for answer in got] == [200, 200, 402, 402]
    assert got[2].json["error"]["code"] == "budget"
    assert got[2].headers["x-should-retry"] == "false"
    assert other.json["error"]["type"] == "budget"
    assert len(here.server.log) == 2
    assert "2 calls is used up" in str(here.doors.exhausted)
    assert trace.refused is not None
    assert trace.failure is not None


async def test_what_is_spent_is_told_at_each_settlement(tmp_path: Path) -> None:
    told: list[tuple[float, int]] = []
    budget = Budget(on_settled=lambda budget: told.append((budget.spent_usd, budget.calls)))
    async with scene(lambda body, n: "ok", tmp_path, budget=budget) as here:
        with here.slot.case("c1"):
            for text in ("a", "b"):
                await post(here, "/v1/chat/completions", body(text))
        assert [calls for _, calls in told] == [1, 2]
        assert told[-1][0] == pytest.approx(here.cost())
        assert 0 < told[0][0] < told[1][0]


async def test_a_cases_cap_stops_that_case_alone(tmp_path: Path) -> None:
    settings = DoorSettings(max_usd_per_case=0.0002)
    async with scene(lambda body, n: "word " * 8, tmp_path, settings=settings) as here:
        with here.slot.case("c1") as one:
            codes = [(await post(here, "/v1/chat/completions", body(str(n)))).status for n in range(20)]
        with here.slot.case("c2") as two:
            assert (await post(here, "/v1/chat/completions", body("x"))).status == 200
    assert codes[0] == 200
    assert codes[-1] == 402
    assert sum(call.cost_usd or 0.0 for call in one.calls) <= 0.0002
    assert (two.refused, here.doors.exhausted, here.doors.broken) == (None, None, None)
    assert "cap of a case" in str(one.refused)


async def test_dollars_are_capped_so_the_unpriced_and_the_unmetered_are_refused(tmp_path: Path) -> None:
    async with scene(lambda body, n: "ok", tmp_path, budget=Budget(max_usd=1.0)) as here:
        got = await post(here, "/v1/chat/completions", body(model="nobody-sells-this"))
        assert (got.status, got.json["error"]["code"]) == (403, "no_price")
        for path in ("/v1/echo/images", "/v1/chat/completions/", "/v1/chat//completions", "/v1/CHAT/completions"):
            got = await post(here, path, body())
            assert (got.status, got.json["error"]["code"]) == (403, "not_metered"), path
        assert (await post(here, "/v1/echo/models", b"", method="GET")).status == 200
        assert here.server.log == []
    assert "no known price" in str(here.doors.broken)
    [note] = here.door.turned_away.notes()
    assert note.startswith("4 requests were refused as not metered (403): POST /echo/images (1), POST ")
    assert "the cap on dollars" in note
    async with scene(lambda body, n: "ok", tmp_path) as here:
        assert (await post(here, "/v1/echo/images", b"{}")).status == 200
        assert here.door.turned_away.notes() == ()


@pytest.mark.parametrize(
    ("endpoint", "fields", "most"),
    [
        (Endpoint.CHAT, {}, 4096), (Endpoint.CHAT, {"max_tokens": 5}, 5), (Endpoint.CHAT, {"max_tokens": "50"}, 50),
        (Endpoint.CHAT, {"max_tokens": 5, "max_completion_tokens": 90.0, "n": 3}, 270),
        (Endpoint.CHAT, {"max_tokens": True, "n": -4}, 4096), (Endpoint.CHAT, {"max_tokens": -1}, 1),
        (Endpoint.CHAT, {"max_tokens": "1e400", "n": "x"}, 4096),
        (Endpoint.RESPONSES, {"max_output_tokens": 7}, 7), (Endpoint.MESSAGES, {"max_tokens": 8}, 8),
        (Endpoint.COMPLETIONS, {"max_tokens": 2, "prompt": ["a", "b"], "best_of": 3}, 12),
        (Endpoint.COMPLETIONS, {"max_tokens": 2, "prompt": [1, 2, 3]}, 2), (Endpoint.EMBEDDINGS, {}, 0),
    ],
)  # fmt: skip
def test_the_worst_case_is_the_requests_own_limit(endpoint: Endpoint, fields: dict[str, Any], most: int) -> None:
    found = worst_usage(endpoint, asked(fields), 100, 4096)
    assert (found.input_tokens, found.output_tokens) == (100, most)


def test_what_a_request_only_points_to_is_reserved_too() -> None:
    seen = worst_usage(Endpoint.CHAT, asked({"type": "image_url", "image_url": {"url": "https://x"}}), 60, 1)
    assert seen.input_tokens > 20_000
    named = asked({"previous_response_id": "r"})
    assert worst_usage(Endpoint.RESPONSES, named, 2, 1).input_tokens > 100_000
    assert worst_usage(Endpoint.MESSAGES, asked({"cache_control": 1}), 19, 1).input_tokens == 2 * 19


@pytest.mark.parametrize(
    ("endpoint", "field"),
    [
        (Endpoint.CHAT, "max_output_tokens"), (Endpoint.COMPLETIONS, "max_completion_tokens"),
        (Endpoint.RESPONSES, "max_tokens"), (Endpoint.MESSAGES, "max_output_tokens"),
    ],
)  # fmt: skip
def test_a_limit_in_a_field_of_another_path_limits_nothing(endpoint: Endpoint, field: str) -> None:
    assert worst_usage(endpoint, asked({field: 1}), 100, 4096).output_tokens == 4096
    assert most_usage(endpoint, asked({field: 1}), 100) is None


def test_nothing_is_the_most_where_nothing_limits_an_answer() -> None:
    assert most_usage(Endpoint.CHAT, asked({"n": 4}), 100) is None
    assert most_usage(Endpoint.CHAT, asked({"max_tokens": 5, "n": 4}), 100) == Usage(100, 20)
    assert most_usage(Endpoint.EMBEDDINGS, asked({}), 100) == Usage(100, 0)


def asked(fields: dict[str, Any]) -> Asked:
    """What a body asks for."""
    return read_request(json.dumps(fields).encode(), extras={}, token="", on_demand=False)[0]


@dataclass
class Plan:
    """One random run."""

    dice: random.Random
    price: PriceSection
    cap: float
    case_cap: float | None
    slots: int

    def answer(self, sent: Any, number: int) -> Any:
        """Any answer that keeps the request's limit; some without usage, some failing, some broken off."""
        limit = next(sent[name] for name in ("max_tokens", "max_output_tokens") if name in sent)
        kind = self.dice.random()
        if kind < 0.08:
            return fault(self.dice.choice([400, 429, 500, 503]))
        reply = Reply(
            "word" * self.dice.randint(1, limit),
            tells_usage=self.dice.random() > 0.15,
            pause_s=0.002 if self.dice.random() < 0.2 else 0.0,
            breaks_after=self.dice.randint(1, 6) if self.dice.random() < 0.1 else None,
        )
        return reply if kind > 0.3 else self._late(reply)

    async def _late(self, reply: Reply) -> Reply:
        await asyncio.sleep(self.dice.random() * 0.01)
        return reply

    def spent(self, server: StandIn) -> float:
        """What the stand-in charges."""
        return sum(row.given * self.price.input + row.made * self.price.output for row in server.log) / 1e6


def draw(seed: int) -> Plan:
    dice = random.Random(seed)
    price = PriceSection(input=dice.uniform(0.1, 20), output=dice.uniform(0.1, 80))
    call = (200 * price.input + 20 * price.output) / 1e6
    cap = call * dice.uniform(0.3, 12)
    return Plan(dice, price, cap, call * dice.uniform(0.5, 4) if dice.random() < 0.4 else None, dice.randint(1, 12))


async def one_slot(plan: Plan, app: aiohttp.ClientSession, url: str, slot: Slot, cases: list[float]) -> int:
    """Run some cases on a slot, each with some calls at once; some are given up. Gives how many were refused."""
    refused = 0

    async def call(number: int) -> int:
        path = plan.dice.choice(["/v1/chat/completions", "/v1/responses", "/anthropic/v1/messages"])
        limit = plan.dice.randint(1, 40)
        sent: dict[str, Any] = {"model": "m", "stream": plan.dice.random() < 0.5}
        text = f"{number} " + "y" * plan.dice.randint(0, 200)
        if path == "/v1/responses":
            sent |= {"input": text, "max_output_tokens": limit}
        else:
            sent |= {"messages": [{"role": "user", "content": text}], "max_tokens": limit}
        patience = plan.dice.uniform(0.001, 0.02) if plan.dice.random() < 0.15 else 10.0
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            timeout = aiohttp.ClientTimeout(total=patience)
            headers = {"Authorization": f"Bearer {slot.token}"}
            async with app.post(url + path, json=sent, headers=headers, timeout=timeout) as got:
                await got.read()
                return int(got.status == 402)
        return 0

    for case in range(plan.dice.randint(1, 3)):
        with slot.case(f"c{case}", scope="s") as trace:
            done = await asyncio.gather(*(call(n) for n in range(plan.dice.randint(1, 5))))
            await trace.settled(2.0)
            refused += sum(done)
        cases.append(trace.budget.spent_usd)
    return refused


async def one_run(seed: int, folder: Path) -> tuple[float, float, int, list[float]]:
    """(spent by the stand-in's log, share of the cap that we think is spent, refusals, what cases cost)."""
    plan = draw(seed)
    budget = Budget(max_usd=plan.cap)
    settings = DoorSettings(max_usd_per_case=plan.case_cap)
    cases: list[float] = []
    async with stand_in(plan.answer) as server:
        behind = providers(server)
        store = AnswerStore(folder / f"{seed}.sqlite")
        prices = Prices({"m": plan.price})
        async with (
            Gateway(behind, store=store, prices=prices, budget=budget, run_id="r") as gateway,
            open_door(gateway, standard_routes(behind), settings=settings) as door,
            aiohttp.ClientSession() as app,
        ):
            entrance = door.entrances["head"]
            slots = [entrance.slot(f"s{n}") for n in range(plan.slots)]
            refused = await asyncio.gather(*(one_slot(plan, app, entrance.url, slot, cases) for slot in slots))
        store.close()
    for spent in cases:
        assert plan.case_cap is None or spent <= plan.case_cap * (1 + 1e-9), f"seed {seed}"
    assert budget.spent_usd == pytest.approx(gateway.spent_usd), f"seed {seed}"
    charged = plan.spent(server)
    assert charged <= budget.spent_usd * (1 + 1e-9) + 1e-12, f"seed {seed}: the provider charges more than we think"
    return charged / plan.cap, budget.spent_usd / plan.cap, sum(refused), cases


async def test_500_random_runs_never_pass_their_cap(tmp_path: Path) -> None:
    shares, ours, refusals = [], [], 0
    places = asyncio.Semaphore(RUNS_AT_ONCE)

    async def run(seed: int) -> tuple[float, float, int, list[float]]:
        async with places:
            return await one_run(seed, tmp_path)

    for seed, (charged, counted, refused, _) in enumerate(await asyncio.gather(*map(run, range(RUNS)))):
        assert charged <= 1 + 1e-9, f"seed {seed} passed its cap"
        assert counted <= 1 + 1e-9, f"seed {seed} counted past its cap"
        shares.append(charged)
        ours.append(counted)
        refusals += refused
    assert max(shares) > 0.7, "the caps were never near"
    assert refusals > RUNS, "the caps were never reached"
    assert sum(ours) / len(ours) > 0.3


async def late(sent: Any, number: int) -> str:
    await asyncio.sleep(0.2)
    return "ok"


async def two_at_once(here: Scene) -> tuple[TracedRequest, TracedRequest]:
    """The requests of a case that asks twice at once, the first and the one that had to wait for it."""
    with here.slot.case("c1", scope=None) as trace:
        asked = (post(here, "/v1/chat/completions", body(text)) for text in ("a", "b"))
        assert [got.status for got in await asyncio.gather(*asked)] == [200, 200]
    first, second = trace.requests
    assert second.ended_s - second.started_s > 0.35, "it had to wait"
    return first, second


async def test_what_a_case_waits_for_its_own_cap_is_the_apps_time(tmp_path: Path) -> None:
    settings = DoorSettings(max_usd_per_case=0.00015)  # room for the worst of one call, and for two that are answered
    async with scene(late, tmp_path, settings=settings) as here:
        requests = await two_at_once(here)
    answered = Output(text="x", latency_s=requests[1].ended_s)
    assert max(request.waited_s for request in requests) < 0.1
    counted = metered(answered, Trace(requests=list(requests))).latency_s
    assert counted is not None
    assert counted > 0.35


async def test_what_a_case_waits_for_the_runs_budget_is_not(tmp_path: Path) -> None:
    async with scene(late, tmp_path, budget=Budget(max_usd=0.00015)) as here:
        requests = await two_at_once(here)
    assert requests[1].waited_s > 0.15
    counted = metered(Output(text="x", latency_s=requests[1].ended_s), Trace(requests=list(requests))).latency_s
    assert counted is not None
    assert counted < requests[1].ended_s - 0.15
