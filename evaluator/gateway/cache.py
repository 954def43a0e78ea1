"""The store of answered calls: exact key, checksum, on disk at the moment an answer is there.

It serves two ends: a run that was killed makes no finished call again, and a later run with the same request gets
the same answer with its original tokens, cost and latency. What is damaged is dropped, never believed: a row by its
checksum, a file that SQLite finds malformed as a whole.
"""

import asyncio
import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluator.errors import InfrastructureError

OLDEST_S = 7 * 24 * 3600.0
"""Answers older than a week are asked again: providers change the model behind a name."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
  key BLOB PRIMARY KEY, body TEXT NOT NULL, latency_s REAL NOT NULL, measured_in TEXT NOT NULL,
  attempts INTEGER NOT NULL, checksum BLOB NOT NULL, kept_at REAL NOT NULL
) WITHOUT ROWID
"""
_INSERT = "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)"
_WRITE_AFTER_S = 0.02
_encode = json.JSONEncoder(separators=(",", ":")).encode
"""ASCII: a lone surrogate must not stop us."""


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """An answer as it was when it was measured."""

    body: Mapping[str, Any]
    latency_s: float
    measured_in: str
    attempts: int


class AnswerStore:
    """Answers by request, in one SQLite file in WAL mode; safe to kill at any moment."""

    def __init__(self, path: Path, *, now: Callable[[], float] = time.time) -> None:
        """Open or make the file, and forget what is too old.

        Args:
            path: The file.
            now: Seconds since the epoch.

        Raises:
            InfrastructureError: The file cannot be opened or is not ours.
        """
        self._path = path
        self._now = now
        self._waiting: dict[bytes, StoredAnswer] = {}
        self._told: list[asyncio.Future[None]] = []
        self._failed: InfrastructureError | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._db = self._open()
            except sqlite3.DatabaseError as error:
                if not _is_malformed(error):
                    raise
                self._set_aside()
        except (sqlite3.Error, OSError) as error:
            raise InfrastructureError(
                f"the answer cache {path} cannot be opened: {error}",
                hint="remove the file, or choose another place with LLM_EVAL_GATE_HOME",
            ) from None

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, isolation_level=None, timeout=30.0)
        # Text that is no UTF-8 any more must reach the checksum instead of raising.
        database.text_factory = lambda text: text.decode("utf-8", "replace")
        try:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=NORMAL")
            database.execute(_SCHEMA)
            database.execute("DELETE FROM answers WHERE kept_at < ?", (self._now() - OLDEST_S,))
        except sqlite3.Error:
            database.close()
            raise
        return database

    def _set_aside(self) -> None:
        """Begin a new file where SQLite finds the old one malformed; the old one stays beside it."""
        for suffix in ("-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        self._path.replace(self._path.with_name(self._path.name + ".damaged"))
        self._db = self._open()

    def get(self, key: bytes) -> StoredAnswer | None:
        """The answer to a request, or None; a row that does not match its checksum is dropped."""
        if key in self._waiting:
            return self._waiting[key]
        rows = self._do("SELECT body, latency_s, measured_in, attempts, checksum FROM answers WHERE key = ?", (key,))
        if not rows:
            return None
        body, latency_s, measured_in, attempts, checksum = rows[0]
        try:
            if _checksum(key, body, latency_s, measured_in, attempts) != checksum:
                raise ValueError("not what was kept")
            return StoredAnswer(json.loads(body), latency_s, measured_in, attempts)
        except (ValueError, TypeError, AttributeError, UnicodeError):
            # Flipped bytes may have changed a column's type too.
            self._do("DELETE FROM answers WHERE key = ?", (key,))
            return None

    def put(self, key: bytes, answer: StoredAnswer) -> None:
        """Keep an answer; on disk, as far as a killed process goes, when this returns."""
        body = _encode(answer.body)
        checksum = _checksum(key, body, answer.latency_s, answer.measured_in, answer.attempts)
        self._do(_INSERT, (key, body, answer.latency_s, answer.measured_in, answer.attempts, checksum, self._now()))

    def put_all(self, answers: Iterable[tuple[bytes, StoredAnswer]]) -> None:
        """Keep many answers; on the disk itself when this returns, all of them or none."""
        self._do("BEGIN")
        try:
            for key, answer in answers:
                self.put(key, answer)
        except BaseException:
            if self._db.in_transaction:
                self._do("ROLLBACK")
            raise
        if not self._db.in_transaction:
            raise InfrastructureError(
                f"the answer cache {self._path} was damaged and has been set aside", hint="run the same command again"
            )
        self._do("COMMIT")
        self._do("PRAGMA wal_checkpoint(FULL)")

    async def keep(self, key: bytes, answer: StoredAnswer) -> None:
        """As `put`; answers that come in the same turn of the event loop cost one commit."""
        loop = asyncio.get_running_loop()
        if not self._told:
            loop.call_soon(self.flush)
        told = loop.create_future()
        self._told.append(told)
        self._waiting[key] = answer
        await told

    def put_soon(self, key: bytes, answer: StoredAnswer) -> None:
        """Keep an answer from now on, on disk within some milliseconds: many of them cost one commit.

        To be called where an event loop runs. What a killed process loses is what it was asking at that moment.
        """
        if not self._waiting:
            asyncio.get_running_loop().call_later(_WRITE_AFTER_S, self.flush)
        self._waiting[key] = answer

    def flush(self) -> None:
        """Write what `keep` and `put_soon` have taken.

        What cannot be written is told to who waits for it, and by the next `get` or `put`.
        """
        if not self._waiting:  # written by now; the file may be closed
            return
        waiting, self._waiting = self._waiting, {}
        told, self._told = self._told, []
        try:
            if len(waiting) > 1:
                self._do("BEGIN")
            for key, answer in waiting.items():
                self.put(key, answer)
            if self._db.in_transaction:  # not, if a damaged file was set aside in between
                self._do("COMMIT")
        except InfrastructureError as error:
            self._failed = error
        for future in told:
            if future.done():  # who waited has gone away
                continue
            if self._failed is None:
                future.set_result(None)
            else:
                future.set_exception(self._failed)

    def _do(self, statement: str, row: tuple[object, ...] = ()) -> list[Any]:
        if self._failed is not None:
            raise self._failed
        try:
            try:
                return self._db.execute(statement, row).fetchall()
            except sqlite3.DatabaseError as error:
                if not _is_malformed(error):
                    raise
                self._db.close()
                self._set_aside()
                return self._db.execute(statement, row).fetchall()
        except (sqlite3.Error, OSError) as error:
            raise InfrastructureError(
                f"the answer cache {self._path} cannot be used: {error}",
                hint="free some disk space; if the file is damaged, remove it: it holds nothing but cached answers",
            ) from None

    def close(self) -> None:
        """Write what is waiting and close the file; what cannot be written is lost, as it is kept for reuse alone."""
        self.flush()
        self._db.close()


def request_key(scope: str, base_url: str, path: str, body: bytes, repeat: int) -> bytes:
    """Key of a request: SHA-256 over where it goes, its canonical body and its repeat index.

    Args:
        scope: Runs that share a scope share answers.
        base_url: The provider's address: the same model elsewhere is another model.
        path: For example `/chat/completions`.
        body: Canonical JSON of the body.
        repeat: A repeat is a fresh sample, so it has its own answer.
    """
    digest = hashlib.sha256()
    for part in (scope.encode(), base_url.encode(), path.encode(), body, str(repeat).encode()):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def _checksum(key: bytes, body: str, latency_s: float, measured_in: str, attempts: int) -> bytes:
    told = f"{latency_s!r}|{measured_in}|{attempts!r}|".encode()
    return hashlib.sha256(key + told + body.encode()).digest()[:16]


def _is_malformed(error: sqlite3.Error) -> bool:
    """Whether SQLite says that the file is damaged."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF == sqlite3.SQLITE_CORRUPT
