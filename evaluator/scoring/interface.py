"""What a scorer is: the one interface that all of them implement."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from evaluator.records import Case, Metric, MetricKind, Output, Score


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sides' outputs of one case and repeat."""

    base: Output
    head: Output


class Scorer(ABC):
    """Turns a case and an output into a score.

    A scorer never sees an output that failed: that is counted under `error_rate`. What a scorer itself cannot do
    (a judge that is down, the user's function that raised) comes back as `Score.failure`, never as a value of 0 and
    never as an exception.
    """

    name: str
    """Unique in a config; the name of its first metric unless it has several."""
    metrics: tuple[Metric, ...]
    """What it measures; per-case values come under each metric's source column."""
    pairwise: bool = False
    """True if it needs both sides' outputs: then `score_pair` is called instead of `score`."""

    judges: bool = False
    """True if it asks a model, so that the same answer may get another score the second time."""

    async def start(self) -> None:
        """Get ready (start a process, load a schema); called once before the first case."""
        return

    async def close(self) -> None:
        """Give back what `start` took; called once, also after errors."""
        return

    def without_answer(self, case: Case) -> dict[str, float]:
        """The values of a case that the app itself failed to answer: the worst there are, by column.

        A case without an answer is not a case that does not count: else a change could make its wrong answers vanish
        by failing on them. Empty where the scorer does not apply to the case, or has no worst value.
        """
        if self.pairwise or (case.expected is None and not self.judges):
            return {}
        return {
            metric.source: metric.low
            for metric in self.metrics
            if metric.low is not None and metric.higher_is_better and metric.kind is not MetricKind.LABELS
        }

    @abstractmethod
    async def score(self, case: Case, output: Output, *, repeat: int = 0) -> Score:
        """Score one output of one case."""

    async def score_pair(self, case: Case, pair: Pair, *, repeat: int = 0) -> tuple[Score, Score]:
        """Score both sides of one case together; (base, head)."""
        raise NotImplementedError(f"{self.name} is not a pairwise scorer")
