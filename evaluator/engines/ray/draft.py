"""What a worker has of the journal: the unit that it works on. What it adds is sent to the driver, who keeps it."""

from collections.abc import Callable
from dataclasses import dataclass

from evaluator.engines.ray.messages import Answered, Event, Scored, Task
from evaluator.records import Output, Score, Side


@dataclass(frozen=True, slots=True)
class Draft:
    """One unit, as `interface.Kept`."""

    task: Task
    send: Callable[[Event], None]

    def output(self, case_id: str, side: Side, repeat: int) -> Output | None:
        """An output that the journal holds, or None."""
        return self.task.outputs.get(side)

    def scores(self, case_id: str, side: Side, repeat: int) -> dict[str, Score]:
        """The scores that the journal holds, by scorer."""
        return dict(self.task.scores.get(side, {}))

    def put_output(self, case_id: str, side: Side, repeat: int, output: Output) -> None:
        """Send an output."""
        self.send(Answered(self.task.ticket, side, output))

    def put_score(self, case_id: str, side: Side, repeat: int, score: Score) -> None:
        """Send a score."""
        self.send(Scored(self.task.ticket, side, score))


class Unseen:
    """A progress that shows nothing: the driver shows it."""

    def start(self, total: int) -> None:
        """The run begins."""

    def advance(self, *, failed: bool, fresh: bool) -> None:
        """One answer is there."""

    def stop(self) -> None:
        """The run ended."""
