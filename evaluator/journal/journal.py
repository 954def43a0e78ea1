"""The run journal: every output and score on disk the moment it is there, so that a killed run goes on where it was.

What is damaged is dropped and asked again, or ends in an error, and never becomes a value.
"""

from collections.abc import Iterator
from pathlib import Path

from evaluator.journal.codec import checksum_of, output_from_json, output_to_json, score_from_json, score_to_json
from evaluator.journal.file import JournalFile
from evaluator.records import INFRASTRUCTURE_KINDS, Call, Failure, Output, Score, Side

TRIALS = "\x00canaries"
"""Under which case the trials of judges stand: no row of a golden set can have this id."""
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
_UNREADABLE = (ValueError, KeyError, IndexError, TypeError, AttributeError)
"""What a record that is none makes its reader raise."""


class Journal(JournalFile):
    """Outputs and scores of one run; one process at a time."""

    def __init__(self, path: Path, *, identity: str) -> None:
        """Open or make a journal; see `JournalFile`."""
        super().__init__(path, identity=identity, schema=_SCHEMA)
        self.damaged = 0
        """Records that were found damaged and dropped; they are asked again."""
        with self._closed_if_it_fails():
            self._drop_damaged()

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


def _failure_of(table: str, record: str) -> Failure | None:
    return output_from_json(record).failure if table == "outputs" else score_from_json("", record).failure
