"""The shares of a budget: head can neither spend nor hold what base needs, and nobody ever passes the cap."""

import asyncio
import random
from dataclasses import dataclass, field

import pytest

from evaluator.errors import BudgetError, InfrastructureError
from evaluator.gateway.budget import EVALUATION, KEPT_FOR_EVALUATION, Budget
from evaluator.records import SIDES

RUNS = 300


@dataclass
class Spender:
    """One party's calls: random prices, answers and patience."""

    budget: Budget
    dice: random.Random
    party: str
    dearest: float
    refused: int = 0
    most: float = 0.0
    waited_for_others: list[str] = field(default_factory=list)

    async def call(self) -> None:
        worst = self.dice.uniform(0.0, self.dearest)
        asked = asyncio.create_task(self._reserved(worst))
        if self.dice.random() < 0.1:  # given up
            await asyncio.sleep(0)
            asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)

    async def _reserved(self, worst: float) -> None:
        try:
            async with self.budget.reserve(worst, party=self.party) as held:
                held.spent_usd = worst  # until the answer is there
                share = self.budget.share_usd()
                in_flight = sum(self.budget._reserved.values())
                assert self.budget.max_usd is not None
                assert self.budget.spent_usd + in_flight <= self.budget.max_usd * (1 + 1e-9)
                if self.party in self.budget.sides and share is not None:
                    account = self.budget.accounts[self.party]
                    self.most = max(self.most, account.spent_usd + self.budget._reserved[self.party])
                for _ in range(self.dice.randint(0, 4)):
                    await asyncio.sleep(0)
                held.spent_usd = worst * self.dice.random()
        except BudgetError:
            self.refused += 1


async def one_run(seed: int) -> tuple[Budget, dict[str, Spender]]:
    dice = random.Random(seed)
    cap, judged = dice.uniform(0.5, 5.0), dice.random() < 0.5
    budget = Budget(cap, sides=SIDES, judged=judged)
    parties = [*SIDES, *([EVALUATION] if judged else [])]
    spenders = {party: Spender(budget, dice, party, cap * dice.uniform(0.05, 0.9)) for party in parties}
    calls = [spender.call() for spender in spenders.values() for _ in range(dice.randint(1, 25))]
    dice.shuffle(calls)
    places = asyncio.Semaphore(dice.randint(1, 20))

    async def placed(call: object) -> None:
        async with places:
            await call  # type: ignore[misc]

    await asyncio.wait_for(asyncio.gather(*map(placed, calls)), 30)
    return budget, spenders


async def test_random_spenders_never_pass_the_cap_nor_a_side_its_share() -> None:
    refused, near = 0, 0.0
    for seed in range(RUNS):
        budget, spenders = await one_run(seed)
        assert budget.max_usd is not None
        assert budget.spent_usd <= budget.max_usd * (1 + 1e-9), f"seed {seed}"
        assert sum(account.spent_usd for account in budget.accounts.values()) == pytest.approx(budget.spent_usd)
        kept = KEPT_FOR_EVALUATION * budget.max_usd if budget.judged else 0.0
        for side in SIDES:
            assert spenders[side].most <= (budget.max_usd - kept) / 2 * (1 + 1e-9), f"seed {seed}"
        refused += sum(spender.refused for spender in spenders.values())
        near = max(near, budget.spent_usd / budget.max_usd)
    assert refused > RUNS, "the caps were never reached"
    assert near > 0.8, "the caps were never near"


async def test_base_never_waits_for_money_that_head_holds() -> None:
    """Without shares it would: head's calls have reserved all of it, and do not end."""
    for sides in (SIDES, ()):
        budget = Budget(1.0, sides=sides)
        held, done = asyncio.Event(), asyncio.Event()

        async def hold(budget: Budget = budget, held: asyncio.Event = held, done: asyncio.Event = done) -> None:
            async with budget.reserve(0.45, party="head"):
                held.set()
                await done.wait()

        async def base(budget: Budget = budget) -> None:
            async with budget.reserve(0.4, party="base"):
                pass

        holders = [asyncio.create_task(hold()) for _ in range(2)]
        await held.wait()
        asked = asyncio.create_task(base())
        await asyncio.sleep(0.01)
        assert asked.done() == bool(sides)
        done.set()
        await asyncio.gather(asked, *holders)


async def test_a_cap_below_a_cent_is_told_as_it_was_written() -> None:
    budget = Budget(0.0005, sides=SIDES)
    with pytest.raises(BudgetError, match=r"the share is \$0.0003 of \$0.0005"):
        async with budget.reserve(0.0004, party="head"):
            pass


async def test_calls_without_a_price_are_told_without_an_amount() -> None:
    budget = Budget(None, max_calls=2, sides=SIDES)
    async with budget.reserve(0.0, party="head") as held:
        held.spent_usd = 0.0
    with pytest.raises(BudgetError, match="is used up; spent by head 1 calls"):
        async with budget.reserve(0.0, party="head"):
            pass


async def test_head_at_its_share_is_refused_with_what_everybody_has_spent() -> None:
    budget = Budget(1.0, sides=SIDES, judged=True)
    for party, usd, times in (("head", 0.1, 4), ("base", 0.05, 2), (EVALUATION, 0.02, 1)):
        for _ in range(times):
            async with budget.reserve(usd, party=party) as held:
                held.spent_usd = usd
    with pytest.raises(BudgetError) as refused:
        async with budget.reserve(0.01, party="head"):
            pass
    said = refused.value.message
    assert said.startswith("head's calls have used head's share of the budget: the next call could cost $0.0100")
    assert "the share is $0.4000 of $1.00" in said
    assert said.endswith("spent by base $0.1000 in 2 calls, head $0.4000 in 4 calls, judges $0.0200 in 1 calls")
    with pytest.raises(BudgetError, match="head's share"):  # the run ends: nobody's call is begun and lost
        async with budget.reserve(0.01, party="base"):
            pass


async def test_calls_are_shared_like_money() -> None:
    budget = Budget(max_calls=10, sides=SIDES)
    for _ in range(5):
        async with budget.reserve(0.0, party="head"):
            pass
    with pytest.raises(BudgetError, match="head's share of the budget, 5 of 10 calls, is used up"):
        async with budget.reserve(0.0, party="head"):
            pass
    with pytest.raises(BudgetError, match="head's share"):  # the run ends: nobody's call is begun and lost
        async with budget.reserve(0.0, party="base"):
            pass


async def test_judges_that_use_more_than_was_kept_leave_the_sides_equal_parts_of_the_rest() -> None:
    budget = Budget(1.0, sides=SIDES, judged=True)
    assert budget.share_usd() == pytest.approx(0.4)
    async with budget.reserve(0.5, party=EVALUATION) as held:
        held.spent_usd = 0.5
    assert budget.share_usd() == pytest.approx(0.25)
    budget.charge(0.1, 3)  # the anchor
    assert budget.share_usd() == pytest.approx(0.2)


async def test_what_is_asked_outside_of_cases_is_told_apart_and_unknown_is_not_taken_for_nothing() -> None:
    budget = Budget(sides=SIDES)
    for side, counts in (("base", None), ("head", 0.02), ("head", 0.03)):
        async with budget.reserve(0.0, party=side, outside=True) as held:
            held.spent_usd, held.counts_usd = 0.05, counts
    assert (budget.outside_usd("head"), budget.outside_usd("base")) == (0.05, 0.0)
    async with budget.reserve(0.0, party="head", outside=True):
        pass
    assert budget.outside_usd("head") != budget.outside_usd("head")  # NaN: nobody knows
    assert budget.outside_usd("head", measured_as="base") == 0.05  # it makes base no dearer, and no use
    assert budget.accounts["head"].outside_unknown == budget.accounts["base"].outside_unknown == 1


async def test_who_is_refused_waits_for_the_calls_in_flight_and_nobody_begins_another() -> None:
    budget = Budget(1.0, sides=SIDES)
    answered, told = asyncio.Event(), list[str]()

    async def call(party: str, worst: float, *, until: asyncio.Event | None = None) -> None:
        try:
            async with budget.reserve(worst, party=party) as held:
                held.spent_usd = worst
                if until is not None:
                    await until.wait()
                held.spent_usd = 0.01
                told.append(f"{party} was answered")
        except BudgetError:
            told.append(f"{party} was refused")

    under_way = asyncio.create_task(call("head", 0.4, until=answered))
    await asyncio.sleep(0)
    others = [asyncio.create_task(call("base", 0.6)), asyncio.create_task(call("head", 0.01))]
    for _ in range(10):
        await asyncio.sleep(0)
    assert told == [], "the call in flight is let end first"
    answered.set()
    await asyncio.gather(under_way, *others)
    assert told == ["head was answered", "base was refused", "head was refused"]
    assert (budget.spent_usd, budget.calls) == (0.01, 1)


async def test_the_cap_of_a_case_refuses_at_once_and_ends_nothing() -> None:
    budget = Budget(1.0, 3, ends_run=False)
    async with budget.reserve(0.5):
        with pytest.raises(BudgetError):
            async with budget.reserve(1.1):
                pass
        async with budget.reserve(0.2), budget.reserve(0.2):
            with pytest.raises(BudgetError, match="3 calls is used up"):
                async with budget.reserve(0.0):
                    pass


async def test_a_call_under_a_cap_begins_when_it_is_stored_what_is_in_flight() -> None:
    stored: list[tuple[int, float]] = []

    async def store(budget: Budget) -> None:
        stored.append((budget.in_flight.calls, sum(budget.in_flight.usd.values())))

    for budget in (Budget(1.0, on_begun=store), Budget(max_calls=9, on_begun=store), Budget(on_begun=store)):
        async with budget.reserve(0.25, party="base"), budget.reserve(0.5, party="head"):
            pass
    assert stored == [(1, 0.25), (2, 0.75)] * 2, "without a cap nothing hangs on it"


async def test_a_call_that_cannot_be_stored_is_not_made() -> None:
    async def fails(budget: Budget) -> None:
        raise InfrastructureError("the disk is full")

    budget = Budget(1.0, on_begun=fails)
    with pytest.raises(InfrastructureError, match="disk"):
        async with budget.reserve(0.5):
            pytest.fail("it was sent")
    assert (budget.spent_usd, budget.in_flight.calls) == (0.0, 0)
