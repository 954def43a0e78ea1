"""The file of a run journal: SQLite in WAL mode, held by one process, with notes about the run.

What is kept within one turn of the event loop is one commit, made before anything else runs that could hang on it;
without a loop, each record is one. `bench/journal.py` measures both, beside JSON Lines.

SQLite checks its log but not its pages, so every row has a checksum.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from evaluator.errors import InfrastructureError
from evaluator.journal.codec import checksum_of
from evaluator.journal.lock import RunLock

_VERSION = "2"
_META = "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL, checksum BLOB) WITHOUT ROWID"
_OF_THE_DISK = {
    sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PERM, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL,
}  # fmt: skip
"""SQLite's errors that say nothing of what is in the file."""


class JournalFile:
    """The file of one run; one process at a time."""

    def __init__(self, path: Path, *, identity: str, schema: Sequence[str]) -> None:
        """Open or make the file.

        Args:
            path: The file.
            identity: What is run: another identity in the file is an error, never a mix of two runs.
            schema: Statements that make the tables of a new file.

        Raises:
            InfrastructureError: In use by another process, unwritable, damaged, of another run or version.
        """
        self.path = path
        self.identity = identity
        self._db: sqlite3.Connection | None = None
        self._failed: InfrastructureError | None = None
        self._notes: dict[str, Callable[[], str]] = {}
        """What the commit of this turn asks for its text."""
        self._lock = RunLock.take(path.with_suffix(".lock"))
        with self._closed_if_it_fails():
            self._db = sqlite3.connect(path, isolation_level=None)
            self._open(schema)

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

    @contextmanager
    def _closed_if_it_fails(self) -> Iterator[None]:
        """Open the file, or look through it: whoever is told that this failed has nothing to close."""
        try:
            yield
        except sqlite3.Error as error:
            self.close()
            raise self._broken(error) from None
        except BaseException:
            self.close()
            raise

    def _open(self, schema: Sequence[str]) -> None:
        database = self._connection
        # Text that is no UTF-8 any more must reach the checksum instead of raising.
        database.text_factory = lambda text: text.decode("utf-8", "replace")
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=NORMAL")
        [(tables,)] = database.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        if tables == 0:
            database.execute("BEGIN")  # whole or not at all, whenever we are killed
            for statement in (_META, *schema):
                database.execute(statement)
            for name, value in (("version", _VERSION), ("identity", self.identity)):
                database.execute("INSERT INTO meta VALUES (?, ?, ?)", (name, value, checksum_of(name, value)))
            database.execute("COMMIT")
            return
        self._require_own()
        self._require_sound()

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
        self._begin()
        try:
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
        if self._failed is not None:
            raise self._failed
        if self._connection.in_transaction:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        try:
            self._connection.execute("BEGIN")
        except sqlite3.Error as error:
            self._failed = self._broken(error)
            raise self._failed from None
        # Whatever is woken up by what is done now comes after it in the loop's queue, and finds it kept.
        loop.call_soon(self._commit)

    def _commit(self) -> None:
        if self._db is None or not self._db.in_transaction:
            return
        try:
            notes, self._notes = self._notes, {}
            for name, text in notes.items():
                self.set_meta(name, text())
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            self._failed = self._broken(error)
        except InfrastructureError as error:  # told by whatever is kept next
            self._failed = error

    def keep(self) -> None:
        """See that all that was put is on disk.

        Raises:
            InfrastructureError: It is not.
        """
        self._commit()
        if self._failed is not None:
            raise self._failed

    async def committed(self) -> None:
        """Wait for the end of this turn of the event loop, when what was put in it is on disk.

        Raises:
            InfrastructureError: It is not.
        """
        await asyncio.sleep(0)
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

    def note(self, name: str, text: Callable[[], str]) -> None:
        """Keep a note about the run with what else is kept in this turn; its text is asked for once, at the end of it.

        Raises:
            InfrastructureError: The file cannot be written.
        """
        self._begin()
        if self._connection.in_transaction:
            self._notes[name] = text
        else:  # there is no loop, and so no end of a turn
            self.set_meta(name, text())

    def _verify(self, checksum: object, *row: object) -> None:
        if checksum_of(*row) != checksum:
            raise self._broken(ValueError("it was damaged while the run was going"))
