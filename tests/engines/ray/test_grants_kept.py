"""What workers are granted is kept with the run before they get it, so that no kill loosens a cap."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from evaluator.engines.ray import engine as engine_module
from evaluator.engines.ray.crew import Crew, Member
from evaluator.engines.ray.engine import RayEngine
from evaluator.engines.ray.lending import Caps, Parties, Standing, Sum, Wish
from evaluator.engines.ray.messages import Spent
from evaluator.engines.ray.share import SharedBudget
from evaluator.engines.ray.spending import charge
from evaluator.engines.ray.treasury import Treasury
from evaluator.engines.ray.worker import Worker
from evaluator.errors import InfrastructureError
from evaluator.gateway.budget import Account, Budget
from evaluator.journal.journal import Journal
from evaluator.journal.ledger import Ledger

WISH = Wish("head", 0.5, Sum(0.5, 1))


class Remote:
    """A treasury as Ray's handle of it, in this process."""

    def __init__(self, treasury: Treasury) -> None:
        for name in ("held", "holdings", "begin", "forget"):
            setattr(self, name, SimpleNamespace(remote=getattr(treasury, name)))


class NoRay:
    """Where no actor dies."""

    exceptions = SimpleNamespace(RayError=ConnectionError)


def crew_of(treasury: Treasury) -> Crew:
    session = cast(Any, SimpleNamespace(ray=NoRay()))
    return Crew(session, [Member(0, None)], Remote(treasury))


@asynccontextmanager
async def driver(folder: Path) -> AsyncIterator[tuple[Journal, Budget, Treasury, Crew]]:
    """What keeps the grants of a run; a cap of $10 and 100 calls."""
    treasury = Treasury(Caps(10.0, 100), keeps=True)
    with Journal(folder / "journal-1.sqlite", identity="i") as journal:
        ledger = Ledger(journal, before=(0.0, 0))
        budget = Budget(10.0, 100, on_settled=ledger.keep, on_begun=ledger.keep_begun)
        crew = crew_of(treasury)
        crew.keep_grants(budget)
        yield journal, budget, treasury, crew
        for task in crew._listening:
            task.cancel()


async def a_while() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_grant_is_given_out_when_it_is_kept_and_not_before() -> None:
    treasury = Treasury(Caps(10.0), keeps=True)
    asked = asyncio.create_task(treasury.ask(0, Standing(1), WISH))
    await a_while()
    assert not asked.done()
    number, held = await treasury.held(0)
    assert held == {"head": Sum(0.5, 1)}
    await a_while()
    assert not asked.done(), "it is told, and not kept yet"
    waiting = asyncio.create_task(treasury.held(number))
    grant = await asked
    assert grant.more == Sum(0.5, 1)
    await a_while()
    assert not waiting.done(), "nothing more was granted"
    waiting.cancel()


async def test_what_was_granted_and_not_told_counts_after_a_kill(tmp_path: Path) -> None:
    async with driver(tmp_path) as (journal, budget, treasury, crew):
        grant = await treasury.ask(0, Standing(1), Wish("head", 0.5, Sum(2.0, 4)))
        # One of its calls is told of, the driver is killed with the others somewhere on their way.
        told = Spent(0.1, 1, {"head": Account(0.1, 1)})
        charge(cast(Any, SimpleNamespace(budget=budget, charge=budget.charge)), Spent(), told)
        crew.members[0].spent = told
        budget.charge(0.0, 0)
        journal.keep()
        after = Ledger(journal, before=(0.0, 0))
        assert (after.spent_usd, after.calls) == (grant.more.usd, grant.more.calls) == (2.0, 4)
        assert after.accounts["head"] == Account(2.0, 4)
        assert "up to 3 calls in flight: they count against the budget, as $1.9000" in after.lost
        # In the end the worker gives back what it did not need, and nothing is lost.
        standing = Standing(2, spent={"head": Sum(0.1, 1)}, returned={"head": Sum(1.9, 3)}, grants=1)
        await treasury.tell(0, standing)
        await crew.count(budget)
        journal.keep()
        ended = Ledger(journal, before=(0.0, 0))
        assert ended.spent_usd == pytest.approx(0.1)
        assert (ended.calls, ended.lost) == (1, "")


async def test_a_run_whose_grants_cannot_be_kept_ends() -> None:
    async def fails(budget: Budget) -> None:
        raise InfrastructureError("the disk is full")

    treasury = Treasury(Caps(10.0), keeps=True)
    crew = crew_of(treasury)
    crew.keep_grants(Budget(10.0, on_begun=fails))
    asked = asyncio.create_task(treasury.ask(0, Standing(1), WISH))
    news = await crew.news.get()
    assert isinstance(news, InfrastructureError)
    assert not asked.done(), "nobody spends what is not kept"
    asked.cancel()


def test_a_worker_that_told_more_than_was_known_to_be_granted_has_nothing_untold() -> None:
    crew = Crew(cast(Any, None), [Member(0, None)], None)
    crew.members[0].spent = Spent(0.3, 3, {"head": Account(0.3, 3)})
    held: Parties = {"head": Sum(0.2, 2), "base": Sum(0.1, 1)}
    crew.held = held
    assert crew.untold() == {"head": Account(0.0, 0), "base": Account(0.1, 1)}


class Handle:
    """A worker as Ray's handle of it, in this process."""

    def __init__(self, worker: Worker) -> None:
        for name in ("stop", "events"):
            setattr(self, name, SimpleNamespace(remote=getattr(worker, name)))


async def test_a_run_whose_grants_cannot_be_kept_waits_for_none_of_them_at_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fails(budget: Budget) -> None:
        raise InfrastructureError("the disk is full")

    monkeypatch.setattr(engine_module, "END_S", 0.2)
    killed: list[object] = []
    treasury, budget = Treasury(Caps(10.0), keeps=True), Budget(10.0, on_begun=fails)
    worker = Worker(0)
    worker._budget = SharedBudget(10.0, lender=treasury)
    ray = SimpleNamespace(exceptions=NoRay.exceptions, kill=killed.append)
    member = Member(0, Handle(worker))
    crew = Crew(cast(Any, SimpleNamespace(ray=ray)), [member], Remote(treasury))
    crew.keep_grants(budget)
    engine = RayEngine(crew, cast(Any, SimpleNamespace(gateway=SimpleNamespace(budget=budget), targets={})))
    async with worker._budget:
        asking = asyncio.create_task(worker._budget.reserve(0.5, party="head").__aenter__())
        worker._running.add(cast(Any, asking))
        await a_while()
        async with asyncio.timeout(10):
            await engine._settle(cast(Any, None))
    assert killed == [member.actor]
    for task in crew._listening:
        task.cancel()


async def test_the_share_of_a_dead_worker_is_not_counted_twice(tmp_path: Path) -> None:
    async with driver(tmp_path) as (journal, budget, treasury, crew):
        await treasury.ask(0, Standing(1), Wish("head", 0.5, Sum(2.0, 4)))
        lost = await crew.bury(crew.members[0])
        charge(cast(Any, SimpleNamespace(budget=budget, charge=budget.charge)), Spent(), lost)
        journal.keep()
        after = Ledger(journal, before=(0.0, 0))
        assert (after.spent_usd, after.calls, after.lost) == (2.0, 4, "")
