"""How far a gate is, at its last look: for who waits for it. Decides nothing, and costs a look at a few numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluator.gate.decide import Judged
from evaluator.gate.monitors import BettingMonitor, Monitor

_TOO_LITTLE = 0.1
"""Share of the evidence below which it cannot be told when there will be enough."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a gate knows by now."""

    objectives: int
    decided: int
    """Objectives that further evidence would not change."""
    failing: int
    """Of the decided ones, those that fail."""
    cases: int
    """Cases of the first repeat that were looked at."""
    of: int
    """Cases there are."""
    share: float
    """Share of the first repeat that will be needed, as far as can be told; above 1 if it goes on to further ones."""

    def __str__(self) -> str:
        """In words, in a line."""
        if self.cases == 0:
            return "too early to tell"
        return f"{self._state('no decision')} ({self.decided} of {self.objectives} objectives decided)"

    @property
    def short(self) -> str:
        """In a few characters."""
        if self.cases == 0:
            return "too early"
        return f"{self._state('undecided')} {self.decided}/{self.objectives}"

    def _state(self, undecided: str) -> str:
        if self.failing:
            return f"{self.failing} failing"
        return "passing" if self.decided == self.objectives else undecided


def on_the_way(
    monitors: Mapping[tuple[int, int], Monitor], hopeless: set[tuple[int, int]], objectives: int, cases: int, of: int
) -> Standing:
    """The standing before all cases are known once.

    Args:
        monitors: By place of the objective and number of its bound.
        hopeless: Those that cannot be decided early, and for which a good value is enough.
        objectives: How many there are.
        cases: That were looked at.
        of: Cases there are.
    """
    if not monitors or cases == 0:
        return Standing(objectives, 0, 0, cases, of, 1.0)
    open_: set[int] = set()
    failing: set[int] = set()
    share = cases / of
    for key, monitor in monitors.items():
        if monitor.decided:
            failing |= set() if monitor.good else {key[0]}
        elif not (monitor.good and key in hopeless):
            open_.add(key[0])
            share = max(share, _needed(monitor, cases, of))
    return Standing(objectives, objectives - len(open_), len(failing - open_), cases, of, share)


def after_a_repeat(judged: Sequence[Judged], settled: Sequence[bool], cases: int, repeats: int) -> Standing:
    """The standing once all cases are known.

    Args:
        judged: The objectives, by the last complete repeat.
        settled: Of each, whether more repeats would not change it.
        cases: How many there are.
        repeats: That are asked for by now.
    """
    failing = sum(found.result.state == "fail" for found, done in zip(judged, settled, strict=True) if done)
    return Standing(len(judged), sum(settled), failing, cases, cases, float(repeats))


def together(near: Standing, far: Standing) -> Standing:
    """The standing of two gates over the same cases."""
    return Standing(
        near.objectives + far.objectives,
        near.decided + far.decided,
        near.failing + far.failing,
        max(near.cases, far.cases),
        near.of,
        max(near.share, far.share),
    )


def _needed(monitor: Monitor, cases: int, of: int) -> float:
    """Share of the cases after which there will be enough evidence: its logarithm grows in proportion to them."""
    share = monitor.evidence if isinstance(monitor, BettingMonitor) else 0.0
    return min(1.0, cases / share / of) if share > _TOO_LITTLE else 1.0
