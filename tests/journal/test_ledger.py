"""What a run has spent, over its processes: under a cap also what was in flight when one of them was killed."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from evaluator.errors import InfrastructureError
from evaluator.gateway.budget import Account, Budget
from evaluator.journal.journal import Journal
from evaluator.journal.ledger import Ledger


def budget_of(ledger: Ledger, max_usd: float | None = 10.0) -> Budget:
    return Budget(
        max_usd, spent_usd=ledger.spent_usd, calls=ledger.calls, accounts=ledger.accounts, on_settled=ledger.keep,
        on_begun=ledger.keep_begun,
    )  # fmt: skip


def as_left(path: Path, copy: Path) -> Journal:
    """The journal as another process finds it when this one is killed now."""
    with sqlite3.connect(path) as now, sqlite3.connect(copy) as then:
        now.backup(then)
    return Journal(copy, identity="i")


async def test_calls_in_flight_at_each_kill_count_with_the_most_that_they_can_cost(tmp_path: Path) -> None:
    path = tmp_path / "journal-0.sqlite"
    for number in range(3):
        with Journal(path, identity="i") as journal:
            ledger = Ledger(journal, before=(0.0, 0))
            assert ledger.just_lost == bool(number)
            assert ledger.spent_usd == pytest.approx(1.1 * number)
            assert ledger.calls == 3 * number
            assert ledger.accounts.get("head", Account()).spent_usd == pytest.approx(1.0 * number)
            told = f"up to {2 * number} calls in flight: they count against the budget, as ${number:.4f}"
            assert told in ledger.lost or not number
            budget = budget_of(ledger)
            async with budget.reserve(0.5, party="base") as held:
                held.spent_usd = 0.1
            async with budget.reserve(0.6, party="head"), budget.reserve(0.4, party="head"):
                path = tmp_path / f"journal-{number + 1}.sqlite"
                as_left(journal.path, path).close()


async def test_what_has_settled_is_in_flight_no_more(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.sqlite", identity="i") as journal:
        budget = budget_of(Ledger(journal, before=(2.0, 7)))
        budget.charge(2.0, 7)  # by another run of the same job, whose own ledger has it
        async with budget.reserve(0.6, party="head") as held:
            held.spent_usd = 0.1
        await asyncio.sleep(0)
        after = Ledger(journal, before=(0.0, 0))
    assert after.spent_usd == pytest.approx(0.1)
    assert (after.calls, after.just_lost, after.lost) == (1, False, "")


async def test_without_a_cap_nothing_is_written_ahead(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.sqlite", identity="i") as journal:
        async with budget_of(Ledger(journal, before=(0.0, 0)), None).reserve(0.6, party="head"):
            await asyncio.sleep(0)
            assert journal.meta("spent") is None


async def test_a_call_that_cannot_be_noted_is_not_made(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal.sqlite", identity="i") as journal:
        budget = budget_of(Ledger(journal, before=(0.0, 0)))
        journal._connection.execute("PRAGMA query_only = 1")  # as on a disk that may not be written to any more
        with pytest.raises(InfrastructureError):
            async with budget.reserve(0.6, party="head"):
                pytest.fail("it was sent")
