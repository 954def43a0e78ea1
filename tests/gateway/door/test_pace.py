"""Requests of an app go through the gateway's pace: told to wait, they wait before they are sent, and nothing is sent twice."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from evaluator.gateway.pace import Limits
from tests.gateway.door.scene import body, post, scene
from tests.standin.limited import Limited
from tests.standin.provider import fault

WAIT_S = 0.3


async def test_a_429_reaches_the_app_and_the_next_request_waits_as_told(tmp_path: Path) -> None:
    def answer(body: Any, number: int) -> Any:
        return fault(429, headers={"retry-after-ms": f"{1000 * WAIT_S:.0f}"}) if number == 0 else "ok"

    async with scene(answer, tmp_path) as here:
        with here.slot.case("c1") as trace:
            first = await post(here, "/v1/chat/completions", body("one"))
            second = await post(here, "/v1/chat/completions", body("two"))
            other = await post(here, "/v1/chat/completions", body("three", model="another"))
    assert (first.status, second.status, other.status) == (429, 200, 200)
    assert len(here.server.requests) == 3
    turned_away, waited, free = trace.requests
    assert turned_away.waited_s < WAIT_S / 2
    assert waited.waited_s > WAIT_S / 2
    assert free.waited_s < WAIT_S / 2  # another model has limits of its own
    assert waited.call is not None
    assert (waited.call.latency_s or 0.0) < WAIT_S / 2  # our wait is not the provider's latency


async def test_an_app_is_kept_from_a_limit_that_is_told(tmp_path: Path) -> None:
    provider = Limited(requests=(5, 50))

    async with scene(provider, tmp_path) as here:
        await post(here, "/v1/chat/completions", body("first"))
        got = await asyncio.gather(*(post(here, "/v1/chat/completions", body(f"{n}")) for n in range(25)))
    # Of 25 at once five would fit. On a busy machine one or two may reach the provider later than we reckoned.
    assert sum(one.status == 200 for one in got) >= 18
    assert provider.turned_away["m"] <= 7


async def test_a_side_that_hangs_does_not_hold_up_the_other(tmp_path: Path) -> None:
    released = asyncio.Event()

    async def answer(body: Any, number: int) -> str:
        if "slow" in str(body["messages"]):
            await released.wait()
        return "ok"

    async with scene(answer, tmp_path, limits=Limits(max_in_flight=2)) as here:
        base = here.door.slot("base-0")
        slow = [asyncio.create_task(post(here, "/v1/chat/completions", body(f"slow {n}"))) for n in range(4)]
        while here.server.in_flight < 2:
            await asyncio.sleep(0.01)
        got = await post(here, "/v1/chat/completions", body("quick"), token=base.token)
        assert (got.status, here.server.most_in_flight) == (200, 3)
        released.set()
        assert [(await one).status for one in slow] == [200] * 4


@pytest.mark.parametrize("status", [429, 503])
async def test_the_door_sends_nothing_twice(tmp_path: Path, status: int) -> None:
    async with scene(lambda body, n: fault(status, headers={"Retry-After": "0"}), tmp_path) as here:
        got = await post(here, "/v1/chat/completions", body())
    assert (got.status, len(here.server.requests)) == (status, 1)
