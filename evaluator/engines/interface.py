"""What an engine is, what it is given, and whom it asks and tells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from evaluator.gate import Request
from evaluator.journal.journal import Journal
from evaluator.records import Case, Failure, Output, Score, Side
from evaluator.scoring.interface import Scorer
from evaluator.target.interface import Target


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is run, and how."""

    cases: Sequence[Case]
    targets: Mapping[Side, Target]
    scorers: Sequence[Scorer]
    concurrency: int = 8
    seed: int = 0
    answers_a_case: int | None = None
    """That are expected at first; one of each target if None."""

    @property
    def answers(self) -> int:
        """How many are expected at first, in all."""
        return len(self.cases) * (len(self.targets) if self.answers_a_case is None else self.answers_a_case)


class Work(Protocol):
    """Asks for answers and is told them; `gate.SequentialGate` is one."""

    def ask(self, at_least: int = 1) -> Sequence[Request]:
        """The answers that are wanted and not told yet; empty when there is enough."""
        ...

    def tell(self, side: Side, case: int, repeat: int, values: Mapping[str, float] | Failure) -> None:
        """Take in one answer's values by column, or why there is none."""
        ...


class Progress(Protocol):
    """Told by an engine what happens."""

    def start(self, total: int) -> None:
        """The run begins; `total` answers are expected."""

    def advance(self, *, failed: bool, fresh: bool) -> None:
        """One answer is there; `fresh` is False if it was in the journal already."""

    def stop(self) -> None:
        """The run ended, well or not."""


class Kept(Protocol):
    """Where a unit's outputs and scores are kept, and found again; the journal is one."""

    def output(self, case_id: str, side: Side, repeat: int) -> Output | None:
        """An output, or None if there is none yet."""
        ...

    def scores(self, case_id: str, side: Side, repeat: int) -> dict[str, Score]:
        """The scores of one output, by scorer."""
        ...

    def put_output(self, case_id: str, side: Side, repeat: int, output: Output) -> None:
        """Keep an output."""
        ...

    def put_score(self, case_id: str, side: Side, repeat: int, score: Score) -> None:
        """Keep a score."""
        ...


class Engine(Protocol):
    """Runs what `work` asks for until it asks for nothing more; answers and scores are then in the journal."""

    async def run(self, schedule: Schedule, work: Work, journal: Journal, progress: Progress) -> None:
        """Run a schedule.

        What the journal holds is not run again. Every answer and score is put into the journal before `work` is told.

        Raises:
            EvalGateError: The run cannot go on: a provider is down, the budget is spent, the journal cannot be written.
        """
        ...
