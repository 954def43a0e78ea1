"""What a cap would have had to be: with that one a run of the same answers comes to its end."""

import random

import pytest

from evaluator.errors import BudgetError
from evaluator.gateway.budget import EVALUATION, Account, Budget
from evaluator.gateway.needed import Answered, Needed, needed
from evaluator.records import SIDES


def test_it_is_enough_for_both_sides_shares() -> None:
    budget = Budget(1.0, 100, sides=SIDES, judged=True)
    budget.accounts = {"base": Account(0.1, 10), "head": Account(0.4, 20), EVALUATION: Account(0.02, 4)}
    budget.spent_usd, budget.calls = 0.52, 34
    found = needed(budget, {"base": Answered(10), "head": Answered(10), EVALUATION: Answered(20)}, 50)
    # 40 more answers of head cost $1.60 and a tenth, so both shares together $4.32, of a cap of which a fifth is kept.
    assert found is not None
    assert found.usd == pytest.approx(5.4)
    assert str(found) == "about $5.4000 and 270 calls would have been needed for one answer a case"
    assert found.caps == "`max_usd` to at least $5.4000 and `max_calls` to at least 270"


def test_a_cap_that_is_enough_is_not_asked_to_be_raised() -> None:
    accounts = {str(side): Account(0.1, 5) for side in SIDES}
    budget = Budget(100.0, 10, sides=SIDES, spent_usd=0.2, calls=10, accounts=accounts)
    found = needed(budget, {"base": Answered(5), "head": Answered(5)}, 10)
    assert found is not None
    assert found.caps == "`max_calls` to at least 22"
    assert needed(Budget(100.0, sides=SIDES, accounts=accounts), {"base": Answered(5)}, 10) is None


def test_room_for_the_most_that_one_more_call_can_cost_is_in_it() -> None:
    """Without `max_tokens` that is many times what an answer costs."""
    accounts = {str(side): Account(0.0003, 2) for side in SIDES}
    budget = Budget(0.0166, sides=SIDES, accounts=accounts, spent_usd=0.0006, dearest={"base": 0.0083, "head": 0.0084})
    found = needed(budget, {"base": Answered(2), "head": Answered(2)}, 4)
    assert found is not None
    assert found.usd == pytest.approx(2 * (0.0003 + 1.1 * 0.0003 + 0.0084))


def test_what_comes_from_the_cache_is_no_measure_of_what_is_still_to_be_paid() -> None:
    budget = Budget(0.1, sides=SIDES, accounts={side: Account(0.01, 1) for side in SIDES})
    found = needed(budget, {side: Answered(10, usd=0.1, calls=10) for side in SIDES}, 20)
    assert found is not None
    assert found.usd == pytest.approx(2 * (0.01 + 1.1 * 0.1))


def test_a_second_round_of_answers_needs_more_than_the_first() -> None:
    budget = Budget(max_calls=30, sides=SIDES, calls=30, accounts={side: Account(0.0, 15) for side in SIDES})
    found = needed(budget, {side: Answered(15) for side in SIDES}, 10)
    assert found == Needed(None, 42, 2)
    assert "42 calls would have been needed for 2 answers a case" in str(found)


def test_as_many_answers_a_case_as_are_wanted_at_first_are_counted() -> None:
    budget = Budget(max_calls=10, calls=10, accounts={"head": Account(0.0, 10)})
    assert needed(budget, {"head": Answered(10)}, 10, each=3) == Needed(None, 32, 3)


def test_head_alone_has_no_share_and_what_the_anchor_took_is_in_it() -> None:
    budget = Budget(1.0, spent_usd=1.0, accounts={"head": Account(0.5, 10)})
    found = needed(budget, {"head": Answered(10)}, 20)
    assert found is not None
    assert found.usd == pytest.approx(0.5 + 0.5 + 1.1 * 0.5)


def test_where_nothing_is_answered_the_first_call_must_have_room() -> None:
    budget = Budget(0.001, sides=SIDES, dearest={"head": 0.0083})
    found = needed(budget, {}, 4)
    assert found is not None
    assert found.caps == "`max_usd` to at least $0.0166"
    budget = Budget(max_calls=1, sides=SIDES, dearest={"head": 0.0})
    assert needed(budget, {}, 4) == Needed(None, 10, 1)


def test_of_batches_nothing_is_known_by_side() -> None:
    answered = {str(side): Answered(4, 1.0, 4) for side in SIDES}
    assert needed(Budget(1.0, sides=SIDES, spent_usd=1.0, calls=8), answered, 4) is None


@pytest.mark.parametrize("judged", [False, True])
async def test_with_a_cap_of_that_size_the_same_answers_come_to_their_end(judged: bool) -> None:
    """Random prices and caps; every case is asked on both sides, and judged twice."""
    stopped = 0
    for seed in range(300):
        dice = random.Random(seed)
        worst = {party: dice.uniform(0.1, 1) for party in (*SIDES, EVALUATION)}
        each = {party: most * dice.uniform(0.05, 1) for party, most in worst.items()}
        cap = dice.uniform(2, 12)
        found, knew = await _run(Budget(cap, sides=SIDES, judged=judged), worst, each)
        if found is None or not knew:
            continue
        stopped += 1
        assert found.usd is not None
        assert found.usd > cap, f"seed {seed}"
        again, _ = await _run(Budget(found.usd, sides=SIDES, judged=judged), worst, each)
        assert again is None, f"seed {seed}: ${found.usd:.4f} was not enough"
    assert stopped > 50


async def _run(budget: Budget, worst: dict[str, float], each: dict[str, float]) -> tuple[Needed | None, bool]:
    """Ten cases; what it would have taken where the budget does not do, and whether all had been asked by then."""
    answered: dict[str, int] = dict.fromkeys((*SIDES, EVALUATION), 0)
    parties = (*SIDES, EVALUATION, EVALUATION) if budget.judged else SIDES
    try:
        for _ in range(10):
            for party in parties:
                async with budget.reserve(worst[party], party=party) as held:
                    held.spent_usd = each[party]
                answered[party] += 1
    except BudgetError:
        found = needed(budget, {party: Answered(done) for party, done in answered.items()}, 10)
        return found, set(budget.accounts) == set(parties)
    return None, True


def test_what_other_runs_ask_afterwards_is_part_of_the_cap() -> None:
    """The anchor has no shares; base and head, which come after it, have."""
    budget = Budget(1.0, 30, spent_usd=0.9, calls=30, judged=True, accounts={"head": Account(0.9, 30)})
    found = needed(budget, {"head": Answered(30)}, 40, ahead=80)
    assert found is not None
    assert found.usd == pytest.approx((0.9 + 1.1 * 90 * 0.03) / 0.8)
    assert found.calls == 162  # (30 + 1.1 * 90) / 0.8
