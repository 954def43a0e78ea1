"""Who is next: in order, fairly among sides, and nothing is lost when somebody goes away."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluator.gateway.pace.lane import Call, Ending, Lane, Limits
from evaluator.gateway.pace.told import Told
from evaluator.gateway.pace.turns import Line, Pace, PatienceSpent
from tests.standin.virtual_time import virtual_now, virtually


def line(**limits: float) -> Line:
    return Line(Lane(Limits(**limits)), virtual_now)  # type: ignore[arg-type]


async def take(queue: Line, who: str = "", *, size: int = 100) -> Call:
    return queue.enter(size, 16, who) or await queue.wait(queue.ticket(), size, 16, who)


def test_who_came_first_is_first() -> None:
    async def work() -> list[int]:
        queue, order = line(requests_per_minute=60), []

        async def one(number: int) -> None:
            call = await take(queue)
            order.append(number)
            queue.leave(call, Ending.ANSWERED)

        await asyncio.gather(*(one(number) for number in range(50)))
        assert virtual_now() == pytest.approx(50 - 6, abs=1.1)
        return order

    assert virtually(work()) == list(range(50))


def test_a_call_that_asks_again_keeps_its_place() -> None:
    async def work() -> list[str]:
        queue, order = line(max_in_flight=1), []
        early = queue.ticket()
        first = await take(queue)

        async def one(name: str, ticket: int) -> None:
            call = await queue.wait(ticket, 100, 16)
            order.append(name)
            queue.leave(call, Ending.ANSWERED)

        others = [asyncio.create_task(one(f"{n}", queue.ticket())) for n in range(3)]
        await asyncio.sleep(0)
        again = asyncio.create_task(one("again", early))
        await asyncio.sleep(0)
        queue.leave(first, Ending.ANSWERED)
        await asyncio.gather(again, *others)
        return order

    assert virtually(work()) == ["again", "0", "1", "2"]


def test_a_side_that_floods_the_line_does_not_hold_up_the_other() -> None:
    async def work() -> dict[str, float]:
        queue, ended = line(requests_per_minute=60), {}

        async def one(who: str) -> None:
            queue.leave(await take(queue, who), Ending.ANSWERED)
            ended[who] = virtual_now()

        flood = [asyncio.create_task(one("head")) for _ in range(500)]
        await asyncio.sleep(10)
        await asyncio.gather(*(one("base") for _ in range(20)))
        for task in flood:
            task.cancel()
        await asyncio.gather(*flood, return_exceptions=True)
        return ended

    assert virtually(work())["base"] <= 10 + 2 * 20 + 2


def test_a_side_whose_calls_hang_takes_no_places_of_the_other() -> None:
    async def work() -> int:
        queue = line(max_in_flight=3)
        for _ in range(3):
            await take(queue, "head")
        stuck = asyncio.create_task(take(queue, "head"))
        await asyncio.sleep(0)
        there = [await take(queue, "base") for _ in range(3)]
        stuck.cancel()
        return len(there)

    assert virtually(work()) == 3


def test_an_impatient_call_goes_ahead_in_the_end() -> None:
    async def work() -> tuple[float, float]:
        queue = line()
        queue.leave(await take(queue), Ending.TURNED_AWAY, Told(30.0))
        async with queue.turn(100, None, longest_s=10.0):
            early = virtual_now()
        async with queue.turn(100, None, longest_s=60.0):
            return early, virtual_now()

    assert virtually(work()) == pytest.approx((10.0, 30.0))


def test_a_wait_beyond_patience_is_told_to_all_who_wait() -> None:
    async def work() -> list[object]:
        queue = line(max_in_flight=1, patience_s=100)
        call = await take(queue)
        waiting = [asyncio.create_task(take(queue)) for _ in range(3)]
        await asyncio.sleep(1)
        assert "longer than the patience" in (queue.leave(call, Ending.TURNED_AWAY, Told(3600.0)) or "")
        return list(await asyncio.gather(*waiting, take(queue), return_exceptions=True))

    assert [type(error) for error in virtually(work())] == [PatienceSpent] * 4


@given(
    st.lists(
        st.tuples(st.sampled_from("ab"), st.floats(0, 5), st.floats(0, 3), st.sampled_from(Ending), st.booleans()),
        min_size=1, max_size=40,
    ),
    st.integers(1, 3),
)  # fmt: skip
def test_whoever_goes_away_nothing_is_lost(calls: list[tuple[str, float, float, Ending, bool]], most: int) -> None:
    """Every call that does not go away gets its turn; never are more under way than may be; at the end none is."""

    async def work() -> None:
        queue, under_way = line(max_in_flight=most, requests_per_minute=600), Counter[str]()

        async def one(who: str, after_s: float, lasts_s: float, ending: Ending) -> None:
            await asyncio.sleep(after_s)
            call = await take(queue, who)
            under_way[who] += 1
            assert under_way[who] <= most
            try:
                await asyncio.sleep(lasts_s)
            finally:
                under_way[who] -= 1
                queue.leave(call, ending, Told(0.5) if ending is Ending.TURNED_AWAY else Told())

        tasks = [asyncio.create_task(one(*call[:4])) for call in calls]
        await asyncio.sleep(2.5)
        for task, call in zip(tasks, calls, strict=True):
            if call[4]:
                task.cancel()
        await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 1000)
        assert [task.exception() for task in tasks if not task.cancelled()] == [None] * sum(
            not task.cancelled() for task in tasks
        )
        assert queue.idle

    virtually(work())


def test_lines_are_not_kept_without_bound() -> None:
    pace = Pace(now=lambda: 0.0)
    busy = pace.line("p", "busy", Limits())
    assert busy.enter(1, 1) is not None
    for number in range(3000):
        pace.line("p", f"model {number}", Limits())
    assert pace.line("p", "busy", Limits()) is busy
    assert len(pace._lines) <= 1001


def test_a_call_that_is_taken_back_leaves_nothing_behind() -> None:
    lane = Lane()
    lane.unsend(0.0, lane.send(0.0, lane.window("head"), 400, 100.0, 50.0))
    assert (lane.requests, lane.given, lane.made, lane.window("head").in_flight) == (0, 0.0, 0.0, 0)
