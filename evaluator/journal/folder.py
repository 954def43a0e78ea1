"""Where runs live on disk, and which run a command continues.

Nothing is ever written into the user's checkout: journals, cached answers and reports go to one folder of our own.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from evaluator.errors import InfrastructureError
from evaluator.journal.batches import batches_out
from evaluator.journal.journal import Journal
from evaluator.journal.lock import RunInUse

_KEPT_ATTEMPTS = 5
_NUMBER = re.compile(r"journal-(\d{1,9})\.sqlite")


def home_folder(environ: Mapping[str, str]) -> Path:
    """The folder for everything that we keep: LLM_EVAL_GATE_HOME, or one in the user's cache folder."""
    own = environ.get("LLM_EVAL_GATE_HOME")
    if own:
        return Path(own).expanduser().absolute()
    cache = environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "llm-eval-gate"


def run_key(parts: Mapping[str, object]) -> str:
    """Identity of a run, 16 hexadecimal digits: equal parts (contents of both refs, config, dataset ...), equal run."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one run and its attempts."""

    path: Path
    key: str

    def open_journal(self, *, fresh: bool = False) -> tuple[Journal, str]:
        """The journal to work on: the last unfinished attempt, else a new one.

        Args:
            fresh: Start a new attempt in any case.

        Returns:
            The journal and the attempt's run id, such as `3f2a...-2`.
        """
        numbers = self._attempts()
        if numbers and not fresh:
            journal = self.unfinished()
            if journal is not None:
                return journal, f"{self.key}-{numbers[-1]}"
        for old in numbers[: -_KEPT_ATTEMPTS + 1] if len(numbers) >= _KEPT_ATTEMPTS else []:
            self._remove(old)
        number = numbers[-1] + 1 if numbers else 1
        return self._open(number), f"{self.key}-{number}"

    def finish(self, run_id: str, when: str) -> None:
        """Note that an attempt is over: who asks for the run again begins another one.

        Raises:
            InfrastructureError: The journal cannot be written.
        """
        # Who has gone on with it meanwhile comes to the same result, and notes it too.
        with suppress(RunInUse), self._open(int(run_id.rpartition("-")[2])) as journal:
            journal.set_meta("finished", when)

    def unfinished(self) -> Journal | None:
        """The journal of the last attempt, if it was not finished; to be closed by the caller."""
        numbers = self._attempts()
        if not numbers:
            return None
        journal = self._open(numbers[-1])
        if journal.meta("finished") is None:
            return journal
        journal.close()
        return None

    def _attempts(self) -> list[int]:
        found = (_NUMBER.fullmatch(file.name) for file in self.path.glob("journal-*.sqlite"))
        return sorted(int(match[1]) for match in found if match)

    def _open(self, number: int) -> Journal:
        return Journal(self.path / f"journal-{number}.sqlite", identity=self.key)

    def _remove(self, number: int) -> None:
        try:
            for file in self.path.glob(f"journal-{number}.*"):
                file.unlink(missing_ok=True)
        except OSError as error:
            raise InfrastructureError(f"an old run journal cannot be removed: {error}") from None


@dataclass(frozen=True, slots=True)
class Left:
    """A run that the same command began earlier and did not finish, when something was another."""

    run_id: str
    answers: int
    """That it has."""
    changed: tuple[str, ...]
    """Names of the parts of its identity that are not now what they were then."""
    batches: tuple[str, ...] = ()
    """Providers' names of batches that it has out; untrusted."""


def last_of_command(runs: Path, command: str, key: str, parts: Mapping[str, object]) -> Left | None:
    """See what the same command ran last, and remember what it runs now.

    Args:
        runs: The folder of all runs.
        command: Identity of what was asked for, whatever it then meant: the words, not the contents.
        key: Identity of what is run now.
        parts: What that is made of. Only hashes of them are written down.

    Returns:
        The run that was left, if it is another one; each is told once.

    Raises:
        InfrastructureError: The folder cannot be written.
    """
    file = runs / f"last-{command}.json"
    now = {name: run_key({name: part}) for name, part in parts.items()}
    before, then = _read(file)
    if before == key:
        return None
    try:
        runs.mkdir(parents=True, exist_ok=True)
        beside = file.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps({"key": key, "parts": now}), "ascii")
        beside.replace(file)
    except OSError as error:
        raise InfrastructureError(
            f"the run cannot be noted in {runs}: {error.strerror}",
            hint="free some space, or choose another place with LLM_EVAL_GATE_HOME",
        ) from None
    return _left(runs, before, tuple(name for name in now if now[name] != then.get(name))) if before else None


def _left(runs: Path, key: str, changed: tuple[str, ...]) -> Left | None:
    try:
        journal = RunFolder(runs / key, key).unfinished()
    except InfrastructureError:
        return None  # another process is at it, or nobody could go on with it
    if journal is None:
        return None
    with journal:
        answers, out = journal.answers(), batches_out(journal)
    return Left(f"{key}-{journal.path.stem.rpartition('-')[2]}", answers, changed, out) if answers or out else None


def _read(file: Path) -> tuple[str, dict[str, object]]:
    """Key and parts that were noted; an empty key if there is nothing, or nothing that makes sense."""
    try:
        found = json.loads(file.read_text("ascii"))
        key, parts = found["key"], dict(found["parts"])
    except (OSError, ValueError, TypeError, KeyError):
        return "", {}
    return (key, parts) if re.fullmatch(r"[0-9a-f]{16}", str(key)) else ("", {})
