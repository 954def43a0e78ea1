"""The run journal: every output and score on disk the moment it is there, so that a killed run goes on where it was.

SQLite in WAL mode. What is kept within one turn of the event loop is one commit, made before anything else runs that
could hang on it; without a loop, each record is one. `bench/journal.py` measures both, beside JSON Lines.

SQLite checks its log but not its pages, so every row has a checksum: what is damaged is dropped and asked again, or
ends in an error, and never becomes a value.
"""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from evaluator.errors import InfrastructureError
from evaluator.journal.codec import checksum_of, output_from_json, output_to_json, score_from_json, score_to_json
from evaluator.journal.lock import RunLock
from evaluator.records import INFRASTRUCTURE_KINDS, Call, Failure, Output, Score, Side

TRIALS = "\x00canaries"
"""Under which case the trials of judges stand: no row of a golden set can have this id."""
_VERSION = "2"
_META = "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL, checksum BLOB) WITHOUT ROWID"
_SCHEMA = (
    """
    CREATE TABLE IF NOT EXISTS outputs (
      case_id TEXT, side TEXT, repeat INTEGER, record TEXT NOT NULL, checksum BLOB NOT NULL,
      PRIMARY KEY (case_id, side, repeat)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE IF NOT EXISTS scores (
      case_id TEXT, side TEXT, repeat INTEGER, scorer TEXT, record TEXT NOT NULL, checksum BLOB NOT NULL,
      PRIMARY KEY (case_id, side, repeat, scorer)
    ) WITHOUT ROWID
    """,
)
_DROP_ORPHANS = """
    DELETE FROM scores WHERE case_id <> ? AND NOT EXISTS (
      SELECT 1 FROM outputs AS own
      WHERE own.case_id = scores.case_id AND own.side = scores.side AND own.repeat = scores.repeat
    )
"""
_KEYS = {"outputs": "case_id, side, repeat", "scores": "case_id, side, repeat, scorer"}
_OF_THE_DISK = {
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL,
}  # fmt: skip
"""SQLite's errors that say nothing of what is in the file."""
_UNREADABLE = (ValueError, KeyError, IndexError, TypeError, AttributeError)
"""What a record that is none makes its reader raise."""


class Journal:
    """Outputs and scores of one run; one process at a time."""

    def __init__(self, path: Path, *, identity: str) -> None:
        """Open or make a journal.

        Args:
            path: The file.
            identity: What is run: another identity in the file is an error, never a mix of two runs.

        Raises:
            InfrastructureError: In use by another process, unwritable, damaged, of another run or version.
        """
        self.path = path
        self.identity = identity
        self.damaged = 0
        """Records that were found damaged and dropped; they are asked again."""
        self._db: sqlite3.Connection | None = None
        self._failed: InfrastructureError | None = None
        self._lock = RunLock.take(path.with_suffix(".lock"))
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
            self._open()
        except sqlite3.Error as error:
            self.close()
            raise self._broken(error) from None
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tr: TracebackType | None) -> None:
        """Close the file and let go of the lock."""
        self.close()

    def close(self) -> None:
        """Close the file and let go of the lock; what was kept is on disk."""
        if self._db is not None:
            self._commit()
            self._db.close()
            self._db = None
        self._lock.release()

    def _open(self) -> None:
        database = self._connection
        # Text that is no UTF-8 any more must reach the checksum instead of raising.
        database.text_factory = lambda text: text.decode("utf-8", "replace")
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        [(tables,)] = database.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        if tables == 0:
            database.execute("BEGIN")  # whole or not at all, whenever we are killed
            for statement in (_META, *_SCHEMA):
                database.execute(statement)
            for name, value in (("version", _VERSION), ("identity", self.identity)):
                database.execute("INSERT INTO meta VALUES (?, ?, ?)", (name, value, checksum_of(name, value)))
            database.execute("COMMIT")
            return
        self._require_own()
        self._require_sound()
        self._drop_damaged()

    def _require_own(self) -> None:
        """See that the file is of this run, and of this version of the format."""
        # Older formats have no checksums, but they have these two.
        found = dict(self._connection.execute("SELECT name, value FROM meta WHERE name IN ('version', 'identity')"))
        if found.get("version") != _VERSION:
            told = ascii(found.get("version", "unknown"))[:20]
            raise InfrastructureError(
                f"the run journal {self.path} is of format {told}, and this program writes format {_VERSION}",
                hint="`--no-resume` leaves it and starts over; answers that are cached still count",
            )
        if found.get("identity") != self.identity:
            raise InfrastructureError(
                f"the run journal {self.path} belongs to another run", hint="move it away, and run again"
            )

    def _require_sound(self) -> None:
        """See that SQLite finds nothing wrong, and that no note is damaged: what was spent must not be forgotten."""
        found = self._connection.execute("PRAGMA quick_check(1)").fetchall()
        if found != [("ok",)]:
            raise self._broken(sqlite3.DatabaseError("it is damaged"))
        for name, value, checksum in self._connection.execute("SELECT name, value, checksum FROM meta"):
            if checksum_of(name, value) != checksum:
                raise self._broken(sqlite3.DatabaseError("it is damaged"))

    def _drop_damaged(self) -> None:
        """Drop records that are not as they were written, and the scores of answers that are."""
        for table, key in _KEYS.items():
            rows = self._connection.execute(f"SELECT {key}, record, checksum FROM {table}")  # noqa: S608  our own names
            bad = [row for *row, checksum in rows if checksum_of(*row) != checksum]
            for *row, _ in bad:
                marks = " AND ".join(f"{name} IS ?" for name in key.split(", "))
                self._write(f"DELETE FROM {table} WHERE {marks}", tuple(row))  # noqa: S608
            self.damaged += len(bad)
        if self.damaged:  # what was damaged of an answer may have been whose it is
            self._write(_DROP_ORPHANS, (TRIALS,))

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise RuntimeError("the journal is closed")
        return self._db

    def _broken(self, error: Exception) -> InfrastructureError:
        code = getattr(error, "sqlite_errorcode", None)
        over = "`--no-resume` leaves it and starts over; answers that are cached still count"
        disk = code is not None and code & 0xFF in _OF_THE_DISK
        return InfrastructureError(
            f"the run journal {self.path} cannot be used: {error}",
            hint="free some disk space, and see that it can be written; then run again" if disk else over,
        )

    def _write(self, statement: str, row: tuple[object, ...]) -> None:
        if self._failed is not None:
            raise self._failed
        try:
            if not self._connection.in_transaction:
                self._begin()
            self._connection.execute(statement, row)
        except sqlite3.Error as error:
            # What was kept in this turn may be gone with it: nothing more is believed to be kept.
            self._failed = self._broken(error)
            raise self._failed from None

    def write(self, statement: str, row: tuple[object, ...] = ()) -> None:
        """Run a statement, for the other tables of this room; on disk as an output is.

        Raises:
            InfrastructureError: The file cannot be written.
        """
        self._write(statement, row)

    def rows(self, statement: str, row: tuple[object, ...] = ()) -> list[Any]:
        """The rows of a query, for the other tables of this room."""
        return list(self._rows(statement, row))

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """What is written within is on the disk itself when this ends, all of it or nothing; power may fail then.

        Nothing may be awaited within.
        """
        self.keep()
        try:
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self.keep()
        except sqlite3.Error as error:
            raise self._broken(error) from None
        finally:
            with suppress(sqlite3.Error):  # nothing is open, or the disk fails, which has been told
                self._connection.execute("ROLLBACK")
            with suppress(sqlite3.Error):
                self._connection.execute("PRAGMA synchronous=NORMAL")

    def _begin(self) -> None:
        """Begin a commit that ends with this turn of the event loop; without a loop, each record is one."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        self._connection.execute("BEGIN")
        # Whatever is woken up by what is done now comes after it in the loop's queue, and finds it kept.
        loop.call_soon(self._commit)

    def _commit(self) -> None:
        if self._db is None or not self._db.in_transaction:
            return
        try:
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._failed = self._broken(error)

    def keep(self) -> None:
        """See that all that was put is on disk.

        Raises:
            InfrastructureError: It is not.
        """
        self._commit()
        if self._failed is not None:
            raise self._failed

    def _rows(self, statement: str, row: tuple[object, ...] = ()) -> Iterator[Any]:
        if self._failed is not None:
            raise self._failed
        try:
            yield from self._connection.execute(statement, row)
        except sqlite3.Error as error:
            raise self._broken(error) from None

    def meta(self, name: str) -> str | None:
        """A note about the run, or None."""
        for value, checksum in self._rows("SELECT value, checksum FROM meta WHERE name = ?", (name,)):
            self._verify(checksum, name, value)
            return str(value)
        return None

    def set_meta(self, name: str, value: str) -> None:
        """Keep a note about the run."""
        self._write("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", (name, value, checksum_of(name, value)))

    def put_output(self, case_id: str, side: Side, repeat: int, output: Output) -> None:
        """Keep an output; what awaits anything after this finds it on disk."""
        row = (case_id, side, repeat, output_to_json(output))
        self._write("INSERT OR REPLACE INTO outputs VALUES (?, ?, ?, ?, ?)", (*row, checksum_of(*row)))

    def put_score(self, case_id: str, side: Side, repeat: int, score: Score) -> None:
        """Keep a score; what awaits anything after this finds it on disk."""
        row = (case_id, side, repeat, score.scorer, score_to_json(score))
        self._write("INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?, ?, ?)", (*row, checksum_of(*row)))

    def output(self, case_id: str, side: Side, repeat: int) -> Output | None:
        """An output, or None if there is none yet."""
        found = self._outputs("WHERE case_id = ? AND side = ? AND repeat = ?", (case_id, side, repeat))
        return next((output for *_, output in found), None)

    def scores(self, case_id: str, side: Side, repeat: int) -> dict[str, Score]:
        """The scores of one output, by scorer."""
        found = self._scores("WHERE case_id = ? AND side = ? AND repeat = ?", (case_id, side, repeat))
        return {score.scorer: score for *_, score in found}

    def answers(self) -> int:
        """How many outputs are kept."""
        [(count,)] = self._rows("SELECT count(*) FROM outputs")
        return int(count)

    def forget_outages(self) -> int:
        """Drop what failed for reasons outside the app, so that a resumed run asks again; how many were dropped."""
        dropped = 0
        for table, key in _KEYS.items():
            marks = " AND ".join(f"{name} = ?" for name in key.split(", "))
            suspects = list(
                self._rows(f"SELECT {key}, record FROM {table} WHERE record LIKE '%\"failure\":[%'")  # noqa: S608
            )
            for *row, record in suspects:
                failure = _failure_of(table, record)
                if failure is not None and failure.kind in INFRASTRUCTURE_KINDS:
                    self._write(f"DELETE FROM {table} WHERE {marks}", tuple(row))  # noqa: S608
                    dropped += 1
        return dropped

    def calls(self) -> Iterator[Call]:
        """Every call behind an output or a score."""
        for _, _, _, output in self.all_outputs():
            yield from output.calls
        for _, _, _, score in self.all_scores():
            yield from score.calls

    def all_outputs(self) -> Iterator[tuple[str, Side, int, Output]]:
        """Every output, streamed: (case id, side, repeat, output)."""
        yield from self._outputs("", ())

    def all_scores(self) -> Iterator[tuple[str, Side, int, Score]]:
        """Every score, streamed: (case id, side, repeat, score)."""
        yield from self._scores("", ())

    def _outputs(self, which: str, row: tuple[object, ...]) -> Iterator[tuple[str, Side, int, Output]]:
        for *key, record, checksum in self._rows(f"SELECT * FROM outputs {which}", row):  # noqa: S608  our own words
            self._verify(checksum, *key, record)
            try:
                output = output_from_json(record)
            except _UNREADABLE:
                raise self._broken(ValueError("it holds an answer that cannot be read")) from None
            case_id, side, repeat = key
            yield case_id, side, repeat, output

    def _scores(self, which: str, row: tuple[object, ...]) -> Iterator[tuple[str, Side, int, Score]]:
        for *key, scorer, record, checksum in self._rows(f"SELECT * FROM scores {which}", row):  # noqa: S608
            self._verify(checksum, *key, scorer, record)
            try:
                score = score_from_json(scorer, record)
            except _UNREADABLE:
                raise self._broken(ValueError("it holds a score that cannot be read")) from None
            case_id, side, repeat = key
            yield case_id, side, repeat, score

    def _verify(self, checksum: object, *row: object) -> None:
        if checksum_of(*row) != checksum:
            raise self._broken(ValueError("it was damaged while the run was going"))


def _failure_of(table: str, record: str) -> Failure | None:
    return output_from_json(record).failure if table == "outputs" else score_from_json("", record).failure
