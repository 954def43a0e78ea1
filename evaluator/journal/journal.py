"""The run journal: every output and score on disk the moment it is there, so that a killed run goes on where it was.

SQLite in WAL mode with a commit for each record; `bench/journal.py` holds it against JSON Lines.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from evaluator.errors import InfrastructureError
from evaluator.journal.codec import output_from_json, output_to_json, score_from_json, score_to_json
from evaluator.records import INFRASTRUCTURE_KINDS, Call, Failure, Output, Score, Side

TRIALS = "\x00canaries"
"""Under which case the trials of judges stand: no row of a golden set can have this id."""
_VERSION = "1"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outputs (
  case_id TEXT, side TEXT, repeat INTEGER, record TEXT NOT NULL, PRIMARY KEY (case_id, side, repeat)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS scores (
  case_id TEXT, side TEXT, repeat INTEGER, scorer TEXT, record TEXT NOT NULL,
  PRIMARY KEY (case_id, side, repeat, scorer)
) WITHOUT ROWID;
"""


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
        self._db: sqlite3.Connection | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise InfrastructureError(
                f"the run journal cannot be made in {path.parent}: {error.strerror}",
                hint="free some space, or choose another place with LLM_EVAL_GATE_HOME",
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise InfrastructureError(
                f"another process is working on this run ({path})", hint="wait for it, or stop it first"
            ) from None
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.executescript(_SCHEMA)
            self._claim(identity)
        except sqlite3.Error as error:
            self.close()
            raise self._broken(error) from None
        except InfrastructureError:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tr: TracebackType | None) -> None:
        """Close the file and let go of the lock."""
        self.close()

    def close(self) -> None:
        """Close the file and let go of the lock."""
        if self._db is not None:
            self._db.close()
            self._db = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _claim(self, identity: str) -> None:
        found = dict(self._connection.execute("SELECT name, value FROM meta"))
        if not found:
            self.set_meta("version", _VERSION)
            self.set_meta("identity", identity)
            return
        if found.get("version") != _VERSION or found.get("identity") != identity:
            raise InfrastructureError(
                f"the run journal {self.path} belongs to another run or another version of this program",
                hint="move it away, and run again",
            )

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._db is None:
            raise RuntimeError("the journal is closed")
        return self._db

    def _broken(self, error: sqlite3.Error) -> InfrastructureError:
        return InfrastructureError(
            f"the run journal {self.path} cannot be used: {error}",
            hint="free some disk space; if it is damaged, move the file away and run again",
        )

    def write(self, statement: str, row: tuple[object, ...] = ()) -> None:
        """Run a statement, for the tables of this room.

        Raises:
            InfrastructureError: The file cannot be written.
        """
        try:
            self._connection.execute(statement, row)
        except sqlite3.Error as error:
            raise self._broken(error) from None

    def rows(self, statement: str, row: tuple[object, ...] = ()) -> list[Any]:
        """The rows of a query, for the tables of this room."""
        try:
            return self._connection.execute(statement, row).fetchall()
        except sqlite3.Error as error:
            raise self._broken(error) from None

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """What is written within is on the disk itself when this ends, all of it or nothing; power may fail then."""
        self.write("PRAGMA synchronous=FULL")
        self.write("BEGIN IMMEDIATE")
        try:
            yield
            self.write("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise
        finally:
            self.write("PRAGMA synchronous=NORMAL")

    def meta(self, name: str) -> str | None:
        """A note about the run, or None."""
        row = self._connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def set_meta(self, name: str, value: str) -> None:
        """Keep a note about the run."""
        self.write("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def put_output(self, case_id: str, side: Side, repeat: int, output: Output) -> None:
        """Keep an output; a killed process does not lose it once this has returned."""
        self.write("INSERT OR REPLACE INTO outputs VALUES (?, ?, ?, ?)",
                    (case_id, side, repeat, output_to_json(output)))  # fmt: skip

    def put_score(self, case_id: str, side: Side, repeat: int, score: Score) -> None:
        """Keep a score; a killed process does not lose it once this has returned."""
        row = (case_id, side, repeat, score.scorer, score_to_json(score))
        self.write("INSERT OR REPLACE INTO scores VALUES (?, ?, ?, ?, ?)", row)

    def output(self, case_id: str, side: Side, repeat: int) -> Output | None:
        """An output, or None if there is none yet."""
        row = self._connection.execute(
            "SELECT record FROM outputs WHERE case_id = ? AND side = ? AND repeat = ?", (case_id, side, repeat)
        ).fetchone()
        return output_from_json(row[0]) if row else None

    def scores(self, case_id: str, side: Side, repeat: int) -> dict[str, Score]:
        """The scores of one output, by scorer."""
        rows = self._connection.execute(
            "SELECT scorer, record FROM scores WHERE case_id = ? AND side = ? AND repeat = ?", (case_id, side, repeat)
        )
        return {scorer: score_from_json(scorer, record) for scorer, record in rows}

    def forget_outages(self) -> int:
        """Drop what failed for reasons outside the app, so that a resumed run asks again; how many were dropped."""
        dropped = 0
        for table, key in (("outputs", "case_id, side, repeat"), ("scores", "case_id, side, repeat, scorer")):
            marks = " AND ".join(f"{name} = ?" for name in key.split(", "))
            suspects = self._connection.execute(
                f"SELECT {key}, record FROM {table} WHERE record LIKE '%\"failure\":[%'"  # noqa: S608  our own names
            ).fetchall()
            for *row, record in suspects:
                failure = _failure_of(table, record)
                if failure is not None and failure.kind in INFRASTRUCTURE_KINDS:
                    self.write(f"DELETE FROM {table} WHERE {marks}", tuple(row))  # noqa: S608
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
        for case_id, side, repeat, record in self._connection.execute("SELECT * FROM outputs"):
            yield case_id, side, repeat, output_from_json(record)

    def all_scores(self) -> Iterator[tuple[str, Side, int, Score]]:
        """Every score, streamed: (case id, side, repeat, score)."""
        for case_id, side, repeat, scorer, record in self._connection.execute("SELECT * FROM scores"):
            yield case_id, side, repeat, score_from_json(scorer, record)


def _failure_of(table: str, record: str) -> Failure | None:
    return output_from_json(record).failure if table == "outputs" else score_from_json("", record).failure
