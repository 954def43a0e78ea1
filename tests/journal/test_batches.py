"""The log of batches in a run's journal."""

import sqlite3
from pathlib import Path

import pytest

from evaluator.errors import InfrastructureError
from evaluator.journal.batches import BatchLog, Lost, SentBatch
from evaluator.journal.journal import Journal
from evaluator.records import Failure, FailureKind

KEYS = (b"a" * 32, b"b" * 32)
BATCH = SentBatch(1, "mark", "p", "/chat/completions", "m", 100.0, KEYS, (0.5, 0.25))
OUTAGE, OWN = Failure(FailureKind.SERVER, "down"), Failure(FailureKind.CONTEXT_TOO_LONG, "too long")


def test_a_batch_is_open_from_the_intention_on_until_it_is_collected(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.sqlite", identity="i") as journal:
        log = BatchLog(journal)
        assert log.next_number() == 1
        log.intend(BATCH)
        assert log.open_batches() == [BATCH]
    with Journal(tmp_path / "j.sqlite", identity="i") as journal:
        log = BatchLog(journal)
        log.sent(1, "batch_1")
        [found] = log.open_batches()
        assert found.batch_id == "batch_1"
        assert (found.keys, found.worst_usd) == (KEYS, (0.5, 0.25))
        with log.together():
            log.collected(1, [KEYS[0]], {KEYS[1]: Lost(OUTAGE, 1)}, note="odd")
        assert log.open_batches() == []
        assert log.notes() == ("odd",)
        assert log.lost() == {KEYS[1]: Lost(OUTAGE, 1)}
        assert log.next_number() == 2


def test_an_answer_makes_up_for_an_earlier_failure_and_outages_can_be_forgotten(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.sqlite", identity="i") as journal:
        log = BatchLog(journal)
        log.intend(BATCH)
        with log.together():
            log.collected(1, [], {KEYS[0]: Lost(OUTAGE, 2), KEYS[1]: Lost(OWN, 1)}, note="")
        log.forget_outages()
        assert log.lost() == {KEYS[1]: Lost(OWN, 1)}
        with log.together():
            log.collected(1, [KEYS[1]], {}, note="")
        assert log.lost() == {}
        assert log.notes() == ()


def test_what_is_written_together_is_there_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.sqlite", identity="i") as journal:
        log = BatchLog(journal)
        log.intend(BATCH)
        with pytest.raises(ZeroDivisionError), log.together():
            log.collected(1, list(KEYS), {}, note="")
            journal.set_meta("spent", "1.0 2")
            raise ZeroDivisionError
        assert log.open_batches() == [BATCH]
        assert journal.meta("spent") is None
        journal.set_meta("spent", "2.0 3")  # and it still can be written to
        with sqlite3.connect(tmp_path / "j.sqlite") as other:
            assert other.execute("SELECT value FROM meta WHERE name = 'spent'").fetchone() == ("2.0 3",)
        other.close()


def test_a_dropped_batch_is_no_more(tmp_path: Path) -> None:
    with Journal(tmp_path / "j.sqlite", identity="i") as journal:
        log = BatchLog(journal)
        log.intend(BATCH)
        log.drop(1)
        assert log.open_batches() == []
        assert log.next_number() == 2


@pytest.mark.parametrize("damage", ["worst = x'0000000000000000'", "batch_id = 'batch_2'", "state = 'dropped'"])
def test_a_damaged_row_is_an_error_and_never_another_batch(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "j.sqlite"
    with Journal(path, identity="i") as journal:
        log = BatchLog(journal)
        log.intend(BATCH)
        log.sent(1, "batch_1")
    with sqlite3.connect(path) as database:
        database.execute(f"UPDATE batches SET {damage}")
    database.close()
    with Journal(path, identity="i") as journal, pytest.raises(InfrastructureError, match="is damaged where"):
        BatchLog(journal).open_batches()


def test_a_journal_that_another_program_holds_is_an_error_in_words(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    with Journal(path, identity="i") as journal:
        log = BatchLog(journal)
        journal.write("PRAGMA busy_timeout = 10")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(InfrastructureError, match="locked"):
            log.intend(BATCH)
        other.close()
        log.intend(BATCH)
        assert log.open_batches() == [BATCH]
