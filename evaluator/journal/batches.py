"""Which batches a run has sent to providers, in its journal: what is paid for elsewhere must not be forgotten here."""

import json
from array import array
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from evaluator.journal.journal import Journal
from evaluator.records import INFRASTRUCTURE_KINDS, Failure, FailureKind

_KEY_BYTES = 32
_SCHEMA = (
    """
CREATE TABLE IF NOT EXISTS batches (
  number INTEGER PRIMARY KEY, state TEXT NOT NULL, record TEXT NOT NULL, batch_id TEXT NOT NULL,
  keys BLOB NOT NULL, worst BLOB NOT NULL
)
""",
    """
CREATE TABLE IF NOT EXISTS batch_failures (
  key BLOB PRIMARY KEY, kind TEXT NOT NULL, message TEXT NOT NULL, attempts INTEGER NOT NULL
) WITHOUT ROWID
""",
    "CREATE TABLE IF NOT EXISTS batch_fresh (key BLOB PRIMARY KEY) WITHOUT ROWID",
)


@dataclass(frozen=True, slots=True)
class SentBatch:
    """A batch that was sent, or was about to be when the process ended."""

    number: int
    """Of the run's batches, from 1."""
    mark: str
    """What it is called in the provider's list of batches; nobody else's is called so."""
    provider: str
    path: str
    """Of the endpoint, for example `/chat/completions`."""
    model: str
    sent_at: float
    """Seconds since 1970."""
    keys: tuple[bytes, ...]
    """Of its requests, as in the answer store."""
    worst_usd: tuple[float, ...]
    """The most that each request can cost."""
    batch_id: str = ""
    """The provider's name for it; empty as long as it is not known whether it arrived."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A request without a usable answer, and in how many batches it has been by now."""

    failure: Failure
    attempts: int


class BatchLog:
    """The batches of one run; everything is on the disk itself when a method returns."""

    def __init__(self, journal: Journal) -> None:
        """Take the run's journal."""
        self._journal = journal
        for statement in _SCHEMA:
            journal.write(statement)

    def open_batches(self) -> list[SentBatch]:
        """The batches whose answers are not collected, in the order in which they were sent."""
        return [
            _read(*row)
            for row in self._journal.rows(
                "SELECT number, record, batch_id, keys, worst FROM batches WHERE state = 'open' ORDER BY number"
            )
        ]

    def next_number(self) -> int:
        """The number of the next batch."""
        return int(self._journal.rows("SELECT COALESCE(MAX(number), 0) + 1 FROM batches")[0][0])

    def intend(self, batch: SentBatch) -> None:
        """Keep that a batch is about to be sent."""
        record = {
            "mark": batch.mark,
            "provider": batch.provider,
            "path": batch.path,
            "model": batch.model,
            "sent_at": batch.sent_at,
        }
        row = (batch.number, json.dumps(record), b"".join(batch.keys), array("d", batch.worst_usd).tobytes())
        with self._journal.at_once():
            self._journal.write("INSERT INTO batches VALUES (?, 'open', ?, '', ?, ?)", row)

    def sent(self, number: int, batch_id: str) -> None:
        """Keep the name that the provider gave a batch."""
        with self._journal.at_once():
            self._journal.write("UPDATE batches SET batch_id = ? WHERE number = ?", (batch_id, number))

    def drop(self, number: int) -> None:
        """Forget a batch that never was at the provider, or that the provider refused as a whole."""
        with self._journal.at_once():
            self._journal.write(
                "UPDATE batches SET state = 'dropped', keys = x'', worst = x'' WHERE number = ?", (number,)
            )

    def lost(self) -> dict[bytes, Lost]:
        """The requests without a usable answer so far."""
        return {
            key: Lost(Failure(FailureKind(kind), message), attempts)
            for key, kind, message, attempts in self._journal.rows(
                "SELECT key, kind, message, attempts FROM batch_failures"
            )
        }

    def together(self) -> AbstractContextManager[None]:
        """What is written within is on the disk when it ends, all of it or nothing."""
        return self._journal.at_once()

    def collected(self, number: int, found: Sequence[bytes], lost: Mapping[bytes, Lost], *, note: str) -> None:
        """Keep that a batch is done with; to be called within `together`, with what it has cost.

        Args:
            number: The batch's.
            found: Its requests that have an answer.
            lost: Those that have none, and why.
            note: What people should be told of it; empty for nothing.
        """
        write = self._journal.write
        done = "UPDATE batches SET state = 'collected', record = ?, keys = x'', worst = x'' WHERE number = ?"
        write(done, (json.dumps({"note": note}), number))
        for key in found:
            write("DELETE FROM batch_failures WHERE key = ?", (key,))
            write("INSERT OR IGNORE INTO batch_fresh VALUES (?)", (key,))
        for key, one in lost.items():
            row = (key, one.failure.kind.value, one.failure.message, one.attempts)
            write("INSERT OR REPLACE INTO batch_failures VALUES (?, ?, ?, ?)", row)

    def fresh(self) -> set[bytes]:
        """The requests whose answers were collected, by whatever process, and that nobody has asked for since."""
        return {key for (key,) in self._journal.rows("SELECT key FROM batch_fresh")}

    def keep_fresh(self, keys: Iterable[bytes]) -> None:
        """Keep which of them nobody has asked for by now."""
        with self._journal.at_once():
            self._journal.write("DELETE FROM batch_fresh")
            for key in keys:
                self._journal.write("INSERT INTO batch_fresh VALUES (?)", (key,))

    def notes(self) -> tuple[str, ...]:
        """What people should be told of the batches that were collected."""
        rows = self._journal.rows("SELECT record FROM batches WHERE state = 'collected' ORDER BY number")
        return tuple(note for (record,) in rows if (note := json.loads(record)["note"]))

    def forget_outages(self) -> None:
        """Forget what was lost for reasons outside the app, so that a run that is asked for again asks again."""
        with self._journal.at_once():
            for kind in sorted(INFRASTRUCTURE_KINDS):
                self._journal.write("DELETE FROM batch_failures WHERE kind = ?", (kind.value,))


def _read(number: int, record: str, batch_id: str, keys: bytes, worst: bytes) -> SentBatch:
    told = json.loads(record)
    worst_usd = array("d")
    worst_usd.frombytes(worst)
    return SentBatch(
        number=number,
        mark=told["mark"],
        provider=told["provider"],
        path=told["path"],
        model=told["model"],
        sent_at=told["sent_at"],
        keys=tuple(keys[start : start + _KEY_BYTES] for start in range(0, len(keys), _KEY_BYTES)),
        worst_usd=tuple(worst_usd),
        batch_id=batch_id,
    )
