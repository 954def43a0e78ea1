"""Work without a decision: plainly all of it. The sequential gate is the other kind."""

import random
from collections.abc import Mapping, Sequence

from evaluator.gate import Request
from evaluator.records import Failure, Side


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
