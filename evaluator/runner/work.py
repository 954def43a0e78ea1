"""What is still to be run, asked step by step: by the sequential gate, or plainly all of it."""

import random
from collections.abc import Mapping, Sequence
from typing import Protocol

from evaluator.gate import Request
from evaluator.records import INFRASTRUCTURE_KINDS, Case, Failure, Output, Score, Side
from evaluator.scoring.builtin import builtin_values
from evaluator.scoring.interface import Scorer


class Work(Protocol):
    """Asks for answers and is told them; `gate.SequentialGate` is one."""

    def ask(self, at_least: int = 1) -> Sequence[Request]:
        """The answers that are wanted and not told yet; empty when there is enough."""
        ...

    def tell(self, side: Side, case: int, repeat: int, values: Mapping[str, float] | Failure) -> None:
        """Take in one answer's values by column, or why there is none."""
        ...


class AllOnce:
    """Every case on every side, so many times, in random order: a run without a decision."""

    def __init__(self, cases: int, sides: Sequence[Side], *, repeats: int = 1, seed: int = 0) -> None:
        """Draw the order."""
        order = list(range(cases))
        random.Random(seed).shuffle(order)  # noqa: S311  an order, not a secret
        self._left = [
            Request(side, case, repeat)
            for repeat in reversed(range(repeats))
            for case in reversed(order)
            for side in sides
        ]
        self._open: dict[Request, None] = {}

    def ask(self, at_least: int = 1) -> list[Request]:
        """The next answers, at least so many as long as there are."""
        while self._left and len(self._open) < at_least:
            self._open[self._left.pop()] = None
        return list(self._open)

    def tell(self, side: Side, case: int, repeat: int, values: Mapping[str, float] | Failure) -> None:
        """Strike an answer off the list."""
        self._open.pop(Request(side, case, repeat), None)


def answer_values(case: Case, output: Output, scorers: Sequence[Scorer]) -> dict[str, float]:
    """What an answer contributes to the metrics before it is scored: values by column, a failure as `error_rate` 1.

    What the app itself failed to answer (a crash, a refusal, a prompt that cannot be rendered) has the worst value of
    every score; what failed for reasons outside the app has none.
    """
    if output.failure is None:
        return {**builtin_values(output), "error_rate": 0.0}
    values = {"error_rate": 1.0}
    if output.failure.kind not in INFRASTRUCTURE_KINDS:
        for scorer in scorers:
            values |= scorer.without_answer(case)
    return values


def values_of(case: Case, output: Output, scores: Sequence[Score], scorers: Sequence[Scorer]) -> dict[str, float]:
    """All that one answer contributes: of a failed score only the others' values are there, and `error_rate` is 1."""
    values = answer_values(case, output, scorers)
    for score in scores:
        values |= score.values if score.failure is None else {"error_rate": 1.0}
    return values
