"""A provider that asks one worker to wait is left alone by all of them."""

import asyncio
import time
from pathlib import Path
from typing import Any

from evaluator.engines.ray.lending import Caps
from evaluator.engines.ray.pacing import SharedPace
from evaluator.engines.ray.share import SharedBudget
from evaluator.engines.ray.treasury import Treasury
from evaluator.gateway.pace import NO_LIMITS, Ending, Told
from tests.engines.ray.conftest import Kept
from tests.engines.ray.test_ray_runs import WORKERS, gate
from tests.pipeline.commands import right
from tests.standin.app import CONFIG, make_app
from tests.standin.provider import fault
from tests.standin.threaded import running


def test_what_one_worker_is_told_holds_the_others_and_nobody_else() -> None:
    async def run() -> None:
        clock = [100.0]
        treasury = Treasury(Caps(), now=lambda: clock[0])
        async with (
            SharedBudget(lender=treasury, worker=0) as one,
            SharedBudget(lender=treasury, worker=1) as other,
        ):
            for budget in (one, other):
                budget.pace = SharedPace(budget.tell_hold, now=lambda: clock[0])
            assert one.pace is not None
            assert other.pace is not None
            line = one.pace.line("p", "m", NO_LIMITS)
            call = line.enter(10, None)
            assert call is not None
            line.leave(call, Ending.TURNED_AWAY, Told(retry_after_s=30.0))
            for _ in range(20):
                await asyncio.sleep(0)
            assert other.pace.line("p", "m", NO_LIMITS).lane.held_until == 130.0
            assert other.pace.line("p", "m", NO_LIMITS).enter(10, None) is None
            assert other.pace.line("p", "another", NO_LIMITS).enter(10, None) is not None
            clock[0] = 131.0
            assert other.pace.line("p", "m", NO_LIMITS).enter(10, None) is not None

    asyncio.run(run())


def test_after_a_retry_after_no_worker_asks_before_its_time(tmp_path: Path, kept: Kept) -> None:
    wait_s, arrivals = 5, []

    async def turn_one_away(body: Any, number: int) -> Any:
        arrivals.append(time.monotonic())
        if number == 20:
            return fault(429, "slow down", headers={"Retry-After": str(wait_s)})
        await asyncio.sleep(0.1)
        return right(body)

    with running(turn_one_away) as server:
        repo = make_app(tmp_path / "app", server.url, cases=100, config=CONFIG + WORKERS)
        said = kept.command(tmp_path / "home", *gate(repo, "--engine", "ray"))
    assert said.code == 0, said.err
    told = arrivals[20]
    # By one worker alone the other would have asked twenty times a second.
    assert [at - told for at in arrivals if told + 2 < at < told + wait_s] == []
    assert [at for at in arrivals if at > told + wait_s]
