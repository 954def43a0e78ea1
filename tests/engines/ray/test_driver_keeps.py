"""What a worker tells is on disk before anybody hears of it, and before an error ends the run."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from evaluator.engines.interface import Schedule
from evaluator.engines.ray.crew import Member
from evaluator.engines.ray.draft import Unseen
from evaluator.engines.ray.engine import RayEngine, _Pass
from evaluator.engines.ray.messages import Answered, Batch, Event, Failed, Finished, Spent, Trouble
from evaluator.engines.ray.spending import charge
from evaluator.engines.units import Unit
from evaluator.errors import InfrastructureError
from evaluator.gate import Request
from evaluator.gateway.budget import Account, Budget
from evaluator.journal.journal import Journal
from evaluator.records import Case, Failure, Output, Side


class Told:
    """Work that notes what it is told."""

    def __init__(self) -> None:
        self.told: list[Request] = []

    def ask(self, at_least: int = 1) -> Sequence[Request]:
        return []

    def tell(self, side: Side, case: int, repeat: int, values: Mapping[str, float] | Failure) -> None:
        self.told.append(Request(side, case, repeat))


def begun(journal: Journal, work: Told) -> tuple[RayEngine, _Pass]:
    """A driver whose one worker has the unit of ticket 0; nothing of Ray is asked here."""
    current = _Pass(Schedule([Case("a", "x")], {}, []), work, journal, Unseen())
    current.given[0] = Unit(0, 0, ("head",))
    return RayEngine(cast(Any, None), cast(Any, SimpleNamespace(gateway=None))), current


def batch(*events: Event) -> tuple[Member, Batch]:
    return Member(0, None), Batch(events, Spent(), {})


async def test_nobody_is_told_of_an_answer_that_could_not_be_kept(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal-1.sqlite", identity="i") as journal:
        engine, current = begun(journal, work := Told())
        journal._connection.execute("PRAGMA max_page_count = 1")  # SQLite's own full disk
        long = Output(text="x" * 100_000)
        with pytest.raises(InfrastructureError, match="full"):
            await engine._take_in(batch(Answered(0, "head", long), Finished(0, {"head": {"m": 1.0}})), current)
    assert work.told == []


async def test_a_commit_that_fails_is_heard_before_work_is_told(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal-1.sqlite", identity="i") as journal:
        engine, current = begun(journal, work := Told())
        full = InfrastructureError("the run journal cannot be used: full", hint="free some disk space")

        def commit() -> None:
            journal._connection.execute("ROLLBACK")
            journal._failed = full

        journal._commit = commit  # type: ignore[method-assign]
        with pytest.raises(InfrastructureError, match="full"):
            await engine._take_in(
                batch(Answered(0, "head", Output(text="x")), Finished(0, {"head": {"m": 1.0}})), current
            )
        journal._commit = lambda: None  # type: ignore[method-assign]
    assert work.told == []


async def test_an_answer_that_is_told_behind_an_error_is_kept(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal-1.sqlite", identity="i") as journal:
        engine, current = begun(journal, work := Told())
        failed = Failed(Trouble("InfrastructureError", "the provider is down"))
        with pytest.raises(InfrastructureError, match="down"):
            await engine._take_in(batch(failed, Answered(0, "head", Output(text="kept"))), current)
        found = journal.output("a", "head", 0)
    assert found is not None
    assert found.text == "kept"
    assert work.told == []


def test_the_sum_is_stored_together_with_what_each_party_spent() -> None:
    stored: list[tuple[float, float]] = []
    budget = Budget(
        10.0, on_settled=lambda budget: stored.append((budget.spent_usd, budget.accounts["head"].spent_usd))
    )
    gateway = cast(Any, SimpleNamespace(budget=budget, charge=budget.charge))
    before = Spent(1.0, 1, {"head": Account(1.0, 1)})
    charge(gateway, Spent(), before)
    charge(gateway, before, before)
    charge(gateway, before, Spent(3.0, 2, {"head": Account(3.0, 2)}))
    assert stored == [(1.0, 1.0), (3.0, 3.0)]
    assert budget.calls == 2
