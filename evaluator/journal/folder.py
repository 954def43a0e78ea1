"""Where runs live on disk, and which run a command continues.

Nothing is ever written into the user's checkout: journals, cached answers and reports go to one folder of our own.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evaluator.errors import InfrastructureError
from evaluator.journal.journal import Journal

_KEPT_ATTEMPTS = 5


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
        numbers = sorted(int(file.stem.partition("-")[2]) for file in self.path.glob("journal-*.sqlite"))
        if numbers and not fresh:
            journal = self._open(numbers[-1])
            if journal.meta("finished") is None:
                return journal, f"{self.key}-{numbers[-1]}"
            journal.close()
        for old in numbers[: -_KEPT_ATTEMPTS + 1] if len(numbers) >= _KEPT_ATTEMPTS else []:
            self._remove(old)
        number = numbers[-1] + 1 if numbers else 1
        return self._open(number), f"{self.key}-{number}"

    def _open(self, number: int) -> Journal:
        return Journal(self.path / f"journal-{number}.sqlite", identity=self.key)

    def _remove(self, number: int) -> None:
        try:
            for file in self.path.glob(f"journal-{number}.*"):
                file.unlink(missing_ok=True)
        except OSError as error:
            raise InfrastructureError(f"an old run journal cannot be removed: {error}") from None
