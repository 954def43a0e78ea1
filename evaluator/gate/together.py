"""Head against base and against a pinned anchor at once: two gates over the same answers, one verdict."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from evaluator.gate.anchor import anchored
from evaluator.gate.decide import combine
from evaluator.gate.plan import Request
from evaluator.gate.sequential import SequentialGate
from evaluator.gate.standing import Standing, together
from evaluator.records import Failure, Objective, Side, Verdict


class AnchoredGate:
    """Asks and tells like a `SequentialGate`, and stops only when base's and the anchor's objectives are decided.

    Both gates draw the same order of cases from the seed, so that head is asked once for both. The anchor's values are
    known beforehand. The error rate is shared over the objectives of both.
    """

    def __init__(
        self,
        n_cases: int,
        objectives: Sequence[Objective],
        anchor: Mapping[str, npt.ArrayLike],
        *,
        share: float,
        max_repeats: int = 3,
        seed: int = 0,
        baseline: Mapping[str, npt.ArrayLike] | None = None,
        clusters: npt.ArrayLike | None = None,
        strict: bool = False,
        early: bool = True,
        beside: Callable[[Side], float] | None = None,
    ) -> None:
        """Set up; nothing is asked yet.

        Args:
            n_cases: How many cases there are.
            objectives: The bounds to keep, against base.
            anchor: The anchor's values by column, (cases,) or (cases, repeats), NaN for missing. What it has no value
                of at all is not compared with it: a judge that looks at two answers has nothing to say of one.
            share: Of each bound on a change: how far head may be from the anchor. See `anchored`.
            max_repeats: As for `SequentialGate`, and so are the rest.
            seed: Of the order of cases.
            baseline: Base's known values.
            clusters: Of the cases.
            strict: Non-inferiority, against both.
            early: Whether to look before all cases are known once.
            beside: As for `SequentialGate`.

        Raises:
            EvalGateError: As `SequentialGate`.
        """
        far = [wanted for wanted in anchored(objectives, share) if _measured(anchor, wanted.metric.source)]
        self._near = SequentialGate(
            n_cases, objectives, max_repeats=max_repeats, seed=seed, baseline=baseline, clusters=clusters,
            strict=strict, early=early, others=len(far), beside=beside,
        )  # fmt: skip
        self._far = (
            SequentialGate(
                n_cases, far, max_repeats=max_repeats, seed=seed, baseline=anchor, clusters=clusters,
                strict=strict, early=early, others=len(objectives), beside=beside,
            ) if far else None
        )  # fmt: skip
        self._base_is_known, self._cases = baseline is not None, n_cases

    @property
    def cases_used(self) -> int:
        """Cases of the first repeat that count by now, for either comparison."""
        return max(gate.cases_used for gate in self._gates)

    @property
    def repeats_used(self) -> int:
        """Complete repeats that count, for either comparison."""
        return max(gate.repeats_used for gate in self._gates)

    @property
    def used(self) -> list[int]:
        """Indices of the cases that count by now, in the order of the golden set."""
        # Both drew the same order, so one has all that the other has.
        return max((gate.used for gate in self._gates), key=len)

    @property
    def _gates(self) -> tuple[SequentialGate, ...]:
        return (self._near,) if self._far is None else (self._near, self._far)

    @property
    def standing(self) -> Standing:
        """How far both comparisons are, at their last look."""
        return self._near.standing if self._far is None else together(self._near.standing, self._far.standing)

    def ask(self, at_least: int = 1) -> list[Request]:
        """The requests that either comparison wants; empty when both are decided."""
        wanted: dict[Request, None] = {}
        for gate in self._gates:
            wanted |= dict.fromkeys(gate.ask(at_least))
        return list(wanted)

    def tell(self, side: Side, case: int, repeat: int, values: Mapping[str, float] | Failure | Exception) -> None:
        """Take in an answer, for both comparisons."""
        if side == "head" or not self._base_is_known:
            self._near.tell(side, case, repeat, values)
        if side == "head" and self._far is not None:
            self._far.tell(side, case, repeat, values)

    def verdict(self) -> Verdict:
        """One verdict over all objectives: fail if any fails, against base or against the anchor."""
        if self._far is None:
            return self._near.verdict()
        results = [result for gate in self._gates for result in gate.verdict().objectives.values()]
        both = combine(results)
        if self.cases_used < self._cases:
            reason = f"{both.reason} Decided after {self.cases_used} of {self._cases} cases."
            both = replace(both, reason=reason)
        return both


def _measured(columns: Mapping[str, npt.ArrayLike], name: str) -> bool:
    return name in columns and not bool(np.isnan(np.asarray(columns[name], dtype=np.float64)).all())
