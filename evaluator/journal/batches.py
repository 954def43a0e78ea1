"""Which batches a run has sent to providers, in its journal: what is paid for elsewhere must not be forgotten here."""

import json
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from evaluator.errors import InfrastructureError
from evaluator.journal.codec import checksum_of
from evaluator.journal.journal import Journal
from evaluator.records import INFRASTRUCTURE_KINDS, Failure, FailureKind

_KEY_BYTES = 32
_COLUMNS = ("number", "state", "record", "batch_id", "keys", "worst")
_SCHEMA = (
    """
CREATE TABLE IF NOT EXISTS batches (
  number INTEGER PRIMARY KEY, state TEXT NOT NULL, record TEXT NOT NULL, batch_id TEXT NOT NULL,
  keys BLOB NOT NULL, worst BLOB NOT NULL, checksum BLOB NOT NULL
)
""",
    """
CREATE TABLE IF NOT EXISTS batch_failures (
  key BLOB PRIMARY KEY, kind TEXT NOT NULL, message TEXT NOT NULL, attempts INTEGER NOT NULL,
  checksum BLOB NOT NULL
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
        return [_read(number, *rest) for number, state, *rest in self._rows("batches") if state == "open"]

    def _rows(self, table: str) -> Iterator[Any]:
        """The rows of a table, in the order of their keys.

        Raises:
            InfrastructureError: One is not as it was written: which batch is meant, or what it may cost, is not known.
        """
        for *row, checksum in self._journal.rows(f"SELECT * FROM {table} ORDER BY 1"):  # noqa: S608  our own names
            if checksum_of(*row) != checksum:
                raise InfrastructureError(
                    f"the run journal {self._journal.path} is damaged where its batches stand",
                    hint="see at the provider which batches are out; `--no-resume` leaves the journal and starts over",
                )
            yield row

    def _change(self, number: int, **columns: object) -> None:
        """Write some columns of a batch anew."""
        [row] = [row for row in self._rows("batches") if row[0] == number]
        changed = {**dict(zip(_COLUMNS, row, strict=True)), **columns}
        self._put("batches", *changed.values())

    def _put(self, table: str, *row: object) -> None:
        marks = ", ".join("?" * (len(row) + 1))
        self._journal.write(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", (*row, checksum_of(*row)))  # noqa: S608

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
        keys, worst = b"".join(batch.keys), array("d", batch.worst_usd).tobytes()
        with self._journal.at_once():
            self._put("batches", batch.number, "open", json.dumps(record), "", keys, worst)

    def sent(self, number: int, batch_id: str) -> None:
        """Keep the name that the provider gave a batch."""
        with self._journal.at_once():
            self._change(number, batch_id=batch_id)

    def drop(self, number: int) -> None:
        """Forget a batch that never was at the provider, or that the provider refused as a whole."""
        with self._journal.at_once():
            self._change(number, state="dropped", keys=b"", worst=b"")

    def lost(self) -> dict[bytes, Lost]:
        """The requests without a usable answer so far."""
        return {
            key: Lost(Failure(FailureKind(kind), message), attempts)
            for key, kind, message, attempts in self._rows("batch_failures")
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
        self._change(number, state="collected", record=json.dumps({"note": note}), keys=b"", worst=b"")
        for key in found:
            write("DELETE FROM batch_failures WHERE key = ?", (key,))
            write("INSERT OR IGNORE INTO batch_fresh VALUES (?)", (key,))
        for key, one in lost.items():
            self._put("batch_failures", key, one.failure.kind.value, one.failure.message, one.attempts)

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
        done = (record for _, state, record, *_ in self._rows("batches") if state == "collected")
        return tuple(note for record in done if (note := json.loads(record)["note"]))

    def forget_outages(self) -> None:
        """Forget what was lost for reasons outside the app, so that a run that is asked for again asks again."""
        with self._journal.at_once():
            for kind in sorted(INFRASTRUCTURE_KINDS):
                self._journal.write("DELETE FROM batch_failures WHERE kind = ?", (kind.value,))


def batches_out(journal: Journal) -> tuple[str, ...]:
    """The providers' names of the batches that a run has out; none where no batch was ever sent."""
    if not journal.rows("SELECT 1 FROM sqlite_schema WHERE name = 'batches'"):
        return ()
    return tuple(batch.batch_id or "one without a name yet" for batch in BatchLog(journal).open_batches())


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
