"""The store of answered calls: exact key, checksum, on disk at the moment an answer is there.

It serves two ends: a run that was killed makes no finished call again, and a later run with the same request gets
the same answer with its original tokens, cost and latency.
"""

import hashlib
import json
import sqlite3
import time
from collections.abc import Callable, Mapping
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
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=30.0)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute(_SCHEMA)
            self._now = now
            self._db.execute("DELETE FROM answers WHERE kept_at < ?", (now() - OLDEST_S,))
        except (sqlite3.Error, OSError) as error:
            raise InfrastructureError(
                f"the answer cache {path} cannot be opened: {error}",
                hint="remove the file, or choose another place with LLM_EVAL_GATE_HOME",
            ) from None

    def get(self, key: bytes) -> StoredAnswer | None:
        """The answer to a request, or None; a row that does not match its checksum is dropped."""
        row = self._do(
            "SELECT body, latency_s, measured_in, attempts, checksum FROM answers WHERE key = ?", (key,)
        ).fetchone()
        if row is None:
            return None
        body, latency_s, measured_in, attempts, checksum = row
        if _checksum(key, body, latency_s, measured_in) != checksum:
            self._do("DELETE FROM answers WHERE key = ?", (key,))
            return None
        return StoredAnswer(json.loads(body), latency_s, measured_in, attempts)

    def put(self, key: bytes, answer: StoredAnswer) -> None:
        """Keep an answer; on disk, as far as a killed process goes, when this returns."""
        body = json.dumps(answer.body, separators=(",", ":"))  # ASCII: a lone surrogate must not stop us
        checksum = _checksum(key, body, answer.latency_s, answer.measured_in)
        self._do(
            "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)",
            (key, body, answer.latency_s, answer.measured_in, answer.attempts, checksum, self._now()),
        )

    def _do(self, statement: str, row: tuple[object, ...]) -> sqlite3.Cursor:
        try:
            return self._db.execute(statement, row)
        except sqlite3.Error as error:
            raise InfrastructureError(
                f"the answer cache {self._path} cannot be used: {error}",
                hint="free some disk space; if the file is damaged, remove it: it holds nothing but cached answers",
            ) from None

    def close(self) -> None:
        """Close the file."""
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


def _checksum(key: bytes, body: str, latency_s: float, measured_in: str) -> bytes:
    return hashlib.sha256(key + f"{latency_s!r}|{measured_in}|".encode() + body.encode()).digest()[:16]
