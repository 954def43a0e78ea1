"""The gateway before a provider with real limits, on a clock of its own: nothing is lost, little is wasted, no time is."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from evaluator.config.model import PriceSection
from evaluator.errors import ProviderError
from evaluator.gateway.budget import Budget
from evaluator.gateway.cache import AnswerStore
from evaluator.gateway.gateway import Gateway, ProviderDown
from evaluator.gateway.interface import ChatRequest
from evaluator.gateway.pace import Limits, read_told
from evaluator.gateway.prices import Prices
from evaluator.gateway.providers import Provider
from evaluator.gateway.transport import Exchange, accepted
from evaluator.gateway.wire import Wire
from evaluator.records import FailureKind
from tests.standin.limited import Headers, Limited, as_anthropic, as_nobody, as_openai
from tests.standin.provider import fault
from tests.standin.virtual_time import virtual_now, virtually

LATENCY_S = 0.5
TOKENS = 34
"""Of one call, by the stand-in's count."""


class Simulated(Gateway):
    """The gateway with the network taken out: asks a limited provider on the loop's own clock."""

    answerer: Any
    sent: int = 0
    most: int = 0
    at_once: int = 0

    async def _exchange(self, wire: Wire) -> Exchange:
        self.sent += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            said = self.answerer(json.loads(wire.body), self.sent)
            await asyncio.sleep(LATENCY_S if said.status == 200 else LATENCY_S / 10)
        finally:
            self.at_once -= 1
        told = read_told(said.headers, virtual_now())
        return accepted(said.status, said.body, told, LATENCY_S, api_key=None)


@dataclass
class Seen:
    """What came of a run."""

    wall_s: float
    gateway: Simulated
    ended_s: dict[str, float] = field(default_factory=dict)
    failures: list[Exception] = field(default_factory=list)


def run(
    folder: Path, answerer: Any, *, calls: int = 300, at_once: int = 32, limits: Limits | None = None,
    models: Sequence[str] = ("m",),
) -> Seen:  # fmt: skip
    async def all_calls() -> Seen:
        if isinstance(answerer, Limited):
            answerer.now = virtual_now
        provider = Provider("p", ("http://nowhere",), limits=limits or Limits())
        store = AnswerStore(folder / "answers.sqlite")
        prices = Prices({model: PriceSection(input=1.0, output=2.0) for model in models})
        parts: Any = {"store": store, "prices": prices, "budget": Budget(), "run_id": "r", "now": virtual_now}
        async with Simulated({"p": provider}, **parts) as gateway:
            gateway.answerer = answerer
            seen = Seen(0.0, gateway)
            places = {model: asyncio.Semaphore(at_once) for model in models}

            async def one(number: int, model: str) -> None:
                message: Any = {"role": "user", "content": f"{number:8}" + "x" * 50}
                async with places[model]:
                    try:
                        await gateway.caller().chat(ChatRequest("p", model, (message,), {"max_tokens": 16}))
                    except (ProviderError, ProviderDown) as error:
                        seen.failures.append(error)
                seen.ended_s[model] = virtual_now()

            await asyncio.gather(*(one(number, model) for number in range(calls) for model in models))
            seen.wall_s = virtual_now()
        store.close()
        return seen

    return virtually(all_calls())


def test_a_provider_without_limits_is_asked_as_fast_as_ever(tmp_path: Path) -> None:
    seen = run(tmp_path, Limited(), calls=320, at_once=32)
    assert (seen.gateway.most, seen.gateway.sent) == (32, 320)
    assert seen.wall_s == pytest.approx(10 * LATENCY_S)


@pytest.mark.parametrize("headers", [as_openai, as_anthropic])
@pytest.mark.parametrize("retry_after", [True, False])
def test_a_limit_on_requests_that_is_told_wastes_the_first_moment_alone(
    tmp_path: Path, headers: Headers, retry_after: bool
) -> None:
    # 300 requests a minute, a fifth of it at once.
    provider = Limited(requests=(60, 5), headers=headers, retry_after=retry_after)
    seen = run(tmp_path, provider, at_once=100)
    assert (provider.answered["m"], seen.failures) == (300, [])
    assert provider.turned_away["m"] <= 100 - 60  # all that were sent before the first answer
    assert seen.wall_s <= 1.1 * (300 - 60) / 5


def test_a_limit_on_tokens_is_kept_too(tmp_path: Path) -> None:
    provider = Limited(tokens=(60 * TOKENS, 5 * TOKENS))
    seen = run(tmp_path, provider, at_once=32)
    assert (provider.answered["m"], seen.failures) == (300, [])
    assert provider.turned_away["m"] <= 10
    assert seen.wall_s <= 1.1 * (300 - 60) / 5


def test_a_limit_that_only_retry_after_tells_is_found(tmp_path: Path) -> None:
    provider = Limited(requests=(20, 20), headers=as_nobody)
    seen = run(tmp_path, provider)
    assert (provider.answered["m"], seen.failures) == (300, [])
    assert seen.wall_s <= 1.3 * (300 - 20) / 20


def test_a_limit_that_nothing_tells_is_found(tmp_path: Path) -> None:
    provider = Limited(requests=(20, 20), headers=as_nobody, retry_after=False)
    seen = run(tmp_path, provider)
    assert (provider.answered["m"], seen.failures) == (300, [])
    assert seen.wall_s <= 1.3 * (300 - 20) / 20
    assert provider.turned_away["m"] <= 150


def test_what_the_config_says_of_the_limits_is_kept_from_the_first_call_on(tmp_path: Path) -> None:
    provider = Limited(requests=(31, 5), tokens=(31 * TOKENS, 5 * TOKENS), headers=as_nobody)
    limits = Limits(max_in_flight=8, requests_per_minute=300, tokens_per_minute=300 * TOKENS)
    seen = run(tmp_path, provider, calls=200, at_once=100, limits=limits)
    assert (provider.answered["m"], provider.turned_away["m"]) == (200, 0)
    assert seen.gateway.most <= 8
    assert seen.wall_s <= 1.1 * (200 - 30) / 5


def test_two_models_of_a_provider_are_paced_apart(tmp_path: Path) -> None:
    provider = Limited(requests=(20, 2))
    free = Limited(now=virtual_now)

    def answer(body: Any, number: int) -> Any:
        provider.now = virtual_now
        return (provider if body["model"] == "slow" else free)(body, number)

    seen = run(tmp_path, answer, calls=100, models=("slow", "fast"))
    assert seen.failures == []
    assert seen.ended_s["fast"] <= 5 * LATENCY_S
    assert seen.ended_s["slow"] >= (100 - 20) / 2


def test_when_one_call_is_told_to_wait_all_of_them_do(tmp_path: Path) -> None:
    at: list[float] = []

    def answer(body: Any, number: int) -> Any:
        at.append(virtual_now())
        return fault(429, headers={"Retry-After": "30"}) if number == 1 else Limited(now=virtual_now)(body, number)

    seen = run(tmp_path, answer, calls=40, at_once=4)
    assert seen.failures == []
    first, later = [moment for moment in at if moment < LATENCY_S], [moment for moment in at if moment >= LATENCY_S]
    assert len(first) == 4
    assert min(later) >= 30


def test_a_fixed_window_that_is_used_up_is_waited_for_once(tmp_path: Path) -> None:
    answered: dict[int, int] = {}

    def answer(body: Any, number: int) -> Any:
        minute = int(virtual_now() // 60)
        if answered.get(minute, 0) >= 50:
            return fault(429, headers={"Retry-After": f"{60 * (minute + 1) - virtual_now():.3f}"})
        answered[minute] = answered.get(minute, 0) + 1
        return Limited(now=virtual_now)(body, number)

    seen = run(tmp_path, answer, calls=150, at_once=16)
    assert seen.failures == []
    assert seen.gateway.sent <= 150 + 2 * 16
    assert seen.wall_s <= 120 + 30


@pytest.mark.parametrize("told", [{"Retry-After": "20"}, {"retry-after-ms": "100"}, {"Retry-After": "0"}, {}])
def test_a_provider_that_turns_all_away_ends_the_run_once_patience_is_spent(
    tmp_path: Path, told: dict[str, str]
) -> None:
    seen = run(
        tmp_path, lambda body, number: fault(429, headers=told), calls=16, at_once=4, limits=Limits(patience_s=120)
    )
    assert len(seen.failures) == 16
    assert isinstance(seen.failures[0], ProviderDown)
    assert "turned every call away for 120 s" in str(seen.failures[0])
    assert 120 <= seen.wall_s <= 4 * (120 + 60)  # four at a time, each ends at the first sign after two minutes
    assert seen.gateway.sent <= 400


def test_a_wait_beyond_all_patience_is_not_begun(tmp_path: Path) -> None:
    seen = run(tmp_path, lambda body, number: fault(429, headers={"Retry-After": "86400"}), calls=8, at_once=8)
    assert all(isinstance(error, ProviderDown) for error in seen.failures)
    assert "86400 s, longer than the patience of 600 s" in str(seen.failures[0])
    assert seen.wall_s <= LATENCY_S
    assert seen.gateway.sent == 8


def test_a_dead_provider_with_retry_after_uses_up_its_attempts(tmp_path: Path) -> None:
    seen = run(tmp_path, lambda body, number: fault(503, headers={"Retry-After": "1"}), calls=8, at_once=8)
    assert {getattr(error, "kind", FailureKind.SERVER) for error in seen.failures} == {FailureKind.SERVER}
    assert isinstance(seen.failures[-1], ProviderDown)
    assert seen.wall_s <= 120


def test_a_request_that_never_fits_is_not_asked_again(tmp_path: Path) -> None:
    message = "Request too large for m in organization o on tokens per min (TPM): Limit 30000, Requested 31538."
    seen = run(tmp_path, lambda body, number: fault(429, message, code="rate_limit_exceeded"), calls=1)
    (error,) = seen.failures
    assert isinstance(error, ProviderError)
    assert (error.kind, seen.gateway.sent) == (FailureKind.CONTEXT_TOO_LONG, 1)


def test_now_and_then_an_overload_hardly_slows_anything(tmp_path: Path) -> None:
    def answer(body: Any, number: int) -> Any:
        return fault(503) if number % 50 == 7 else Limited(now=virtual_now)(body, number)

    seen = run(tmp_path, answer, calls=640, at_once=32)
    assert seen.failures == []
    assert seen.wall_s <= 1.6 * 20 * LATENCY_S
