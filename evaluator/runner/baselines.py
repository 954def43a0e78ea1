"""Values of earlier runs of one content, kept so that it need not be asked again: base's, and a pinned anchor's.

What is kept is found by content alone (`content_key`): equal app, config, rules and golden set. There is no "nearest".
Only runs of one ref alone are kept, whose size nobody chose by what they showed; a gate's own runs stop where the data
say so, and values that are kept by what they showed are biased.
"""

import gzip
import hashlib
import io
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt

from evaluator.errors import InfrastructureError
from evaluator.journal.codec import output_from_json, output_to_json, score_from_json, score_to_json
from evaluator.journal.journal import TRIALS, Journal
from evaluator.records import Output, Score
from evaluator.results.table import Table

_KEPT = 20
"""Runs of one content that are kept; the oldest go first."""
_VALUES, _ANSWERS = "values.npz", "answers.jsonl.gz"
_SUM = ".sha256"
"""A zip has check sums of what it holds, but not of the names in it."""

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Known:
    """What earlier runs of a content gave."""

    columns: Mapping[str, Values]
    """By column: (cases, repeats of all runs pooled), NaN for missing."""
    runs: int
    answers: Path
    """Answers of the newest run, for reports."""


def content_key(parts: Mapping[str, object]) -> str:
    """Identity of a content, 64 hexadecimal digits: all that answers and scores hang on."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


class Baselines:
    """A folder with the runs that are known, by content."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; it is made when something is kept."""
        self._folder = folder

    def known(
        self, key: str, case_ids: Sequence[str], *, most_runs: int, max_age_s: float, now: float | None = None
    ) -> Known | None:
        """The newest runs of a content, pooled; None if there are none.

        Args:
            key: From `content_key`.
            case_ids: The cases in the order wanted; a run with other cases does not count.
            most_runs: How many are pooled at most.
            max_age_s: Older ones do not count.
            now: Seconds since 1970; the clock's if None.
        """
        oldest = (time.time() if now is None else now) - max_age_s
        found: list[Mapping[str, Values]] = []
        answers: Path | None = None
        for run in self._runs(key):
            if len(found) >= most_runs:
                break
            columns = _read_values(run / _VALUES, case_ids, oldest)
            if columns is None:
                continue
            found.append(columns)
            answers = answers or run / _ANSWERS
        if not found or answers is None:
            return None
        names = set.intersection(*(set(columns) for columns in found))
        pooled = {name: np.concatenate([columns[name] for columns in found], axis=1) for name in sorted(names)}
        return Known(pooled, len(found), answers)

    def keep(self, key: str, run_id: str, table: Table, journal: Journal, *, now: float | None = None) -> str:
        """Keep the run of head alone, if it is whole and its own; gives why it was not kept, or nothing.

        A run with outages is not whole, and one with answers of an earlier run would count the same answers twice.

        Raises:
            InfrastructureError: The folder cannot be written.
        """
        if any(table.outages.values()):
            return "some answers failed for reasons outside the app"
        if not _measured_here(journal, run_id):
            return "some answers came from an earlier run (`--no-cache` asks for all of them anew)"
        target = self._folder / key / run_id
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            room = Path(tempfile.mkdtemp(dir=target.parent, prefix=".new-"))
            try:
                _write_values(room / _VALUES, table, time.time() if now is None else now)
                _write_answers(room / _ANSWERS, table.case_ids, journal)
                room.chmod(0o755)  # a later step of the job, another user's, may carry it away
                if not target.exists():
                    room.rename(target)  # whole or not at all
            finally:
                shutil.rmtree(room, ignore_errors=True)
            for old in list(self._runs(key))[_KEPT:]:
                shutil.rmtree(old, ignore_errors=True)
        except OSError as error:
            raise InfrastructureError(
                f"the run cannot be kept as a baseline in {self._folder}: {error.strerror}",
                hint="free some space, or choose another place with LLM_EVAL_GATE_HOME",
            ) from None
        return ""

    def _runs(self, key: str) -> Iterator[Path]:
        """The runs of a content, the newest first."""
        folder = self._folder / key
        if not folder.is_dir():
            return
        found: list[tuple[int, Path]] = []
        for path in folder.iterdir():
            with suppress(FileNotFoundError):  # another process may be clearing up
                if path.is_dir() and not path.name.startswith("."):
                    found.append((path.stat().st_mtime_ns, path))
        yield from (path for _, path in sorted(found, reverse=True))


def read_answers(known: Known) -> Iterator[tuple[str, Output, list[Score]]]:
    """The answers behind a baseline, marked as not paid for now: (case id, output, scores).

    A damaged file ends the answers: they are for reports only, and the values have their own check.
    """
    try:
        with gzip.open(known.answers, "rt", encoding="utf-8") as file:
            for line in file:
                case_id, output, scores = json.loads(line)
                read = output_from_json(output)
                marked = replace(read, calls=tuple(replace(call, cached=True) for call in read.calls))
                found = [score_from_json(name, text) for name, text in scores.items()]
                yield (
                    case_id,
                    marked,
                    [
                        replace(score, calls=tuple(replace(call, cached=True) for call in score.calls))
                        for score in found
                    ],
                )
    except Exception:  # whatever a damaged archive makes its readers raise
        return


def _read_values(path: Path, case_ids: Sequence[str], oldest: float) -> Mapping[str, Values] | None:
    """The columns of one run, its cases in the order wanted; None if it is too old, of other cases, or damaged."""
    try:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != path.with_suffix(_SUM).read_text("ascii"):
            return None
        with io.BytesIO(data) as file, np.load(file, allow_pickle=False) as stored:
            ids = [str(name) for name in stored["ids"]]
            if float(stored["created"][0]) < oldest or sorted(ids) != sorted(case_ids):
                return None
            place = {name: index for index, name in enumerate(ids)}
            order = [place[name] for name in case_ids]
            return {
                name.removeprefix("column:"): np.asarray(stored[name], dtype=np.float64)[order]
                for name in stored.files
                if name.startswith("column:")
            }
    except Exception:  # zlib, zipfile and numpy each have their own words for a damaged file
        return None


def _measured_here(journal: Journal, run_id: str) -> bool:
    """Whether all of it was asked in this run: by the app, and by the judges of its answers."""
    outputs = (call for *_, output in journal.all_outputs() for call in output.calls)
    scores = (call for case_id, *_, score in journal.all_scores() if case_id != TRIALS for call in score.calls)
    return all(call.measured_in == run_id for call in chain(outputs, scores))


def _write_values(path: Path, table: Table, now: float) -> None:
    values = {f"column:{name}": array for name, array in table.columns["head"].items()}
    values |= {"ids": np.array(table.case_ids, dtype=np.str_), "created": np.array([now])}
    with io.BytesIO() as file:
        np.savez_compressed(file, **values)  # type: ignore[arg-type]
        data = file.getvalue()
    path.write_bytes(data)
    path.with_suffix(_SUM).write_text(hashlib.sha256(data).hexdigest(), "ascii")


def _write_answers(path: Path, case_ids: Sequence[str], journal: Journal) -> None:
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=3) as file:
        for case_id in case_ids:
            output = journal.output(case_id, "head", 0)
            if output is None:
                continue
            scores = {name: score_to_json(score) for name, score in journal.scores(case_id, "head", 0).items()}
            file.write(json.dumps([case_id, output_to_json(output), scores]) + "\n")
