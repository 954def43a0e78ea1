"""One budget, several workers that spend it: never above the cap, whatever they do and whoever dies."""

import asyncio
import random
from contextlib import AsyncExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.engines.ray.lending import Caps, Grant, Notice, Standing, Sum, Wish
from evaluator.engines.ray.share import SharedBudget
from evaluator.engines.ray.treasury import Treasury
from evaluator.errors import BudgetError, InfrastructureError
from evaluator.gateway.budget import EVALUATION

EXACT = 1e-9


class Slow:
    """A treasury whose messages take their time and overtake each other."""

    def __init__(self, treasury: Treasury, dice: random.Random) -> None:
        self.treasury, self.dice = treasury, dice

    async def _pause(self) -> None:
        for _ in range(self.dice.randrange(6)):
            await asyncio.sleep(0)

    async def ask(self, worker: int, standing: Standing, wish: Wish) -> Grant:
        await self._pause()
        grant = await self.treasury.ask(worker, standing, wish)
        await self._pause()
        return grant

    async def tell(self, worker: int, standing: Standing) -> None:
        await self._pause()
        await self.treasury.tell(worker, standing)

    async def notices(self, seen: Notice) -> Notice:
        notice = await self.treasury.notices(seen)
        await self._pause()
        return notice

    async def hold(self, provider: str, model: str, seconds: float) -> None:
        await self._pause()
        await self.treasury.hold(provider, model, seconds)


class Spent:
    """What a provider would have charged, and the most that it could have."""

    def __init__(self) -> None:
        self.usd = self.at_risk = self.most_at_risk = 0.0
        self.calls = self.refused = 0


async def call(budget: SharedBudget, worst: float, real: float, spent: Spent, dice: random.Random) -> None:
    try:
        async with budget.reserve(worst) as reservation:
            spent.calls += 1
            spent.at_risk += worst
            spent.most_at_risk = max(spent.most_at_risk, spent.usd + spent.at_risk)
            for _ in range(dice.randrange(8)):
                await asyncio.sleep(0)
            reservation.spent_usd = real
            spent.at_risk -= worst
            spent.usd += real
    except BudgetError:
        spent.refused += 1


def spend(
    seed: int, *, max_usd: float | None, max_calls: int | None, workers: int, calls: list[tuple[float, float]],
    slow: bool = True,
) -> tuple[Spent, Treasury]:  # fmt: skip
    async def run() -> tuple[Spent, Treasury]:
        dice, spent = random.Random(seed), Spent()
        treasury = Treasury(Caps(max_usd, max_calls))
        lender = Slow(treasury, dice) if slow else treasury
        async with asyncio.timeout(60), AsyncExitStack() as stack:
            budgets = [
                await stack.enter_async_context(
                    SharedBudget(max_usd, max_calls, lender=lender, worker=n, at_once=1 + dice.randrange(8))
                )
                for n in range(workers)
            ]
            gates = [asyncio.Semaphore(budget.at_once) for budget in budgets]

            async def one(number: int, worst: float, real: float) -> None:
                async with gates[number]:
                    await call(budgets[number], worst, real, spent, dice)

            await asyncio.gather(*(one(dice.randrange(workers), *prices) for prices in calls))
            for budget in budgets:
                await budget.settle()
        return spent, treasury

    return asyncio.run(run())


prices = st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 1.0)).map(lambda pair: (max(pair), min(pair)))


@settings(max_examples=300)
@given(
    seed=st.integers(0, 2**32),
    max_usd=st.none() | st.floats(0.0, 12.0),
    max_calls=st.none() | st.integers(1, 60),
    workers=st.integers(1, 5),
    calls=st.lists(prices, min_size=1, max_size=60),
)
def test_whatever_the_order_and_the_prices_the_cap_holds(
    seed: int, max_usd: float | None, max_calls: int | None, workers: int, calls: list[tuple[float, float]]
) -> None:
    spent, treasury = spend(seed, max_usd=max_usd, max_calls=max_calls, workers=workers, calls=calls)
    assert spent.calls + spent.refused == len(calls)
    if max_usd is not None:
        assert spent.most_at_risk <= max_usd + EXACT
    if max_calls is not None:
        assert spent.calls <= max_calls
    if max_usd is None and max_calls is None:
        assert spent.refused == 0
    # All is given back: what the treasury holds to be spent is what was spent.
    if max_usd is not None:
        free = treasury._free("", treasury._workers_hold())
        assert free.usd == pytest.approx(max_usd - spent.usd, abs=1e-6)


@settings(max_examples=200)
@given(seed=st.integers(0, 2**32), workers=st.integers(1, 5), count=st.integers(1, 80), cap=st.integers(1, 80))
def test_no_call_is_refused_while_there_is_money_that_nobody_needs(
    seed: int, workers: int, count: int, cap: int
) -> None:
    # Each call may cost 8 and costs 1: all but the last few fit, however the money was shared out before.
    spent, _ = spend(seed, max_usd=cap + 7.0, max_calls=None, workers=workers, calls=[(8.0, 1.0)] * count)
    assert spent.calls == min(count, cap)
    spent, _ = spend(seed, max_usd=None, max_calls=cap, workers=workers, calls=[(8.0, 1.0)] * count)
    assert spent.calls == min(count, cap)


@settings(max_examples=200)
@given(seed=st.integers(0, 2**32), workers=st.integers(1, 4), judged=st.booleans())
def test_head_cannot_take_what_base_and_the_judges_need(seed: int, workers: int, judged: bool) -> None:
    caps = Caps(10.0, None, ("base", "head"), judged)
    got, refused, most = {"base": 0, "head": 0, EVALUATION: 0}, list[str](), 15

    async def run() -> None:
        dice = random.Random(seed)
        treasury = Treasury(caps)
        lender = Slow(treasury, dice)
        async with asyncio.timeout(60), AsyncExitStack() as stack:
            budgets = [
                await stack.enter_async_context(
                    SharedBudget(10.0, sides=caps.sides, judged=judged, lender=lender, worker=n, at_once=4)
                )
                for n in range(workers)
            ]

            async def spend(party: str, times: int) -> None:
                for _ in range(times):
                    try:
                        async with dice.choice(budgets).reserve(0.5, party=party) as reservation:
                            await asyncio.sleep(0)
                            reservation.spent_usd = 0.25
                            got[party] += 1
                    except BudgetError:
                        refused.append(party)
                        return

            # As many as the share has room for, where the last call must have room for the most that it could cost.
            await asyncio.gather(*(spend("head", most // 5) for _ in range(5)))
            await asyncio.gather(*(spend("base", 3) for _ in range(4)))
            await asyncio.gather(*(spend(EVALUATION, 2) for _ in range(4 if judged else 0)))
            assert refused == []
            await spend("head", 9)
            assert refused == ["head"]

    asyncio.run(run())
    assert got["head"] == (15 if judged else 19)
    assert got["base"] == 12
    assert got[EVALUATION] == (8 if judged else 0)


def test_the_share_of_a_dead_worker_counts_as_spent() -> None:
    async def run() -> None:
        treasury = Treasury(Caps(10.0, 100))
        async with SharedBudget(10.0, 100, lender=treasury, worker=0, at_once=2) as dies:
            async with dies.reserve(1.0) as reservation:
                reservation.spent_usd = 0.5
            held = dies._parts[""].granted
        assert dict(await treasury.forget(0)) == {"": held}
        assert held.usd >= 1.0
        async with SharedBudget(10.0, 100, lender=treasury, worker=1) as lives:
            made = 0
            with pytest.raises(BudgetError, match=r"would pass the budget of \$10\.00"):
                while True:
                    async with lives.reserve(1.0) as reservation:
                        reservation.spent_usd = 1.0
                    made += 1
        assert made == int(10 - held.usd)

    asyncio.run(run())


def test_a_worker_that_waits_is_answered_when_another_dies() -> None:
    async def run() -> None:
        treasury = Treasury(Caps(10.0, None))
        async with (
            SharedBudget(10.0, lender=treasury, worker=0) as one,
            SharedBudget(10.0, lender=treasury, worker=1) as other,
            one.reserve(8.0),
        ):
            waits = asyncio.create_task(call(other, 8.0, 8.0, spent := Spent(), random.Random(0)))
            for _ in range(50):
                await asyncio.sleep(0)
            assert not waits.done()
            await treasury.forget(0)
            async with asyncio.timeout(10):
                await waits
            assert (spent.calls, spent.refused) == (0, 1)

    asyncio.run(run())


def test_rounding_leaves_no_share_short_of_a_call_that_costs_nothing() -> None:
    """It would ask for nothing, be granted nothing, and ask again for ever."""
    asked = 0

    class Counting(Treasury):
        async def ask(self, worker: int, standing: Standing, wish: Wish) -> Grant:
            nonlocal asked
            asked += 1
            assert asked <= 2_000
            return await Treasury.ask(self, worker, standing, wish)

    async def run() -> None:
        treasury, dice = Counting(Caps(1.0)), random.Random(1)
        async with asyncio.timeout(60), SharedBudget(1.0, lender=treasury, worker=0) as budget:
            for _ in range(1_000):
                worst = dice.random() * 1e-3
                async with budget.reserve(worst) as reservation:
                    reservation.spent_usd = worst * dice.random()
                budget.give_back()
                async with budget.reserve(0.0):
                    pass

    asyncio.run(run())
    assert asked >= 1_000


def test_when_heads_calls_are_used_up_nobody_begins_one_that_would_be_lost() -> None:
    async def run() -> None:
        caps = Caps(None, 10, ("base", "head"))
        treasury = Treasury(caps)
        async with (
            asyncio.timeout(10),
            SharedBudget(None, 10, sides=caps.sides, lender=treasury, worker=0) as one,
            SharedBudget(None, 10, sides=caps.sides, lender=treasury, worker=1) as other,
        ):

            async def spend(budget: SharedBudget, party: str) -> None:
                async with budget.reserve(0.0, party=party):
                    pass

            for _ in range(5):
                await spend(one, "head")
            async with other.reserve(0.0, party="base"):
                refused = [
                    asyncio.create_task(spend(one, "head")),
                    asyncio.create_task(spend(one, "base")),
                    asyncio.create_task(spend(other, "base")),
                ]
                for _ in range(50):
                    await asyncio.sleep(0)
                # What is under way elsewhere is let end, and its answer is paid for.
                assert not any(task.done() for task in refused)
            for error in await asyncio.gather(*refused, return_exceptions=True):
                assert isinstance(error, BudgetError)
                assert "head's share of the budget, 5 of 10 calls, is used up" in error.message

    asyncio.run(run())


def test_a_call_that_may_fit_waits_for_those_under_way_elsewhere() -> None:
    async def run() -> None:
        treasury = Treasury(Caps(10.0, None))
        async with (
            SharedBudget(10.0, lender=treasury, worker=0) as one,
            SharedBudget(10.0, lender=treasury, worker=1) as other,
        ):
            spent, dice = Spent(), random.Random(0)
            async with one.reserve(8.0) as reservation:
                waits = asyncio.create_task(call(other, 8.0, 1.0, spent, dice))
                for _ in range(50):
                    await asyncio.sleep(0)
                assert not waits.done()
                reservation.spent_usd = 1.0
            async with asyncio.timeout(10):
                await waits
            assert (spent.calls, spent.refused) == (1, 0)

    asyncio.run(run())


def test_what_can_never_fit_is_refused_when_nothing_is_under_way_in_the_words_of_a_whole_budget() -> None:
    async def run() -> None:
        treasury = Treasury(Caps(10.0, None))
        await treasury.begin({"": Sum(9.0, 12)}, Caps(10.0))

        async def reserved(budget: SharedBudget, worst: float) -> None:
            async with budget.reserve(worst):
                pass

        async with asyncio.timeout(10), SharedBudget(10.0, lender=treasury, worker=0) as budget:
            async with budget.reserve(0.5) as under_way:
                never, small = (asyncio.create_task(reserved(budget, worst)) for worst in (2.0, 0.3))
                for _ in range(50):
                    await asyncio.sleep(0)
                assert not never.done(), "what is under way is let end: the run ends with this"
                under_way.spent_usd = 0.5
            with pytest.raises(BudgetError) as caught:
                await never
            with pytest.raises(BudgetError, match="could cost"):
                await small
        assert caught.value.message == (
            "the next call could cost $2.0000, which would pass the budget of $10.00 ($9.5000 spent in 13 calls)"
        )
        assert "raise `budget:`" in caught.value.hint

    asyncio.run(run())


def test_a_treasury_that_is_gone_ends_who_waits_for_it() -> None:
    class Gone(Treasury):
        async def ask(self, *words: object) -> Grant:
            raise InfrastructureError("the coordinator of the workers ended")

    async def run() -> None:
        async with asyncio.timeout(10), SharedBudget(1.0, lender=Gone(Caps(1.0)), worker=0) as budget:
            for _ in range(2):
                with pytest.raises(InfrastructureError, match="coordinator"):
                    async with budget.reserve(0.5):
                        pass

    asyncio.run(run())
