"""The rule's numbers: the zone around a limit, error rates, and how they are shared out. Nothing is decided here."""

from dataclasses import dataclass, replace

from evaluator.records import Bound

NEAR_EDGE = 0.4
"""Near edge of the zone, as a share of the limit, where a bound names none."""
FAR_EDGE = 1.6
"""Far edge of the zone, as a share of the limit, where a bound names none."""
FEWEST_UNITS = 5
"""With fewer cases (or clusters) nothing but an exact test may decide."""
MOST_LOST = 0.2
"""Above this share of cases that count on one side only, what is left no longer stands for the golden set."""
ALPHA = 0.025
"""One-sided error of a pass and of a fail, before it is shared out."""
EARLY_ALPHA = 0.0175
"""What of it goes to the looks on the way through the first repeat, where there are any; the rest to complete data."""
NOISE_ALPHA = 0.01
"""One-sided error of the last resort, the test against run-to-run noise, before it is divided by the objectives."""
QUANTILE_ALPHA = 0.01
"""One-sided error of a fail of an absolute bound on a quantile."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How strictly bounds are judged in one look at complete data."""

    objectives: int = 1
    """Objectives tested at once: a false fail of any may happen `ALPHA` of the time, so each gets its share."""
    looks: int = 1
    """Looks at complete data, one a repeat."""
    alpha: float = ALPHA
    """What these looks share; less than `ALPHA` if others, before or after them, have their part of it."""
    strict: bool = False
    """Non-inferiority: a pass must exclude the limit itself, and there is no weak pass."""
    last: bool = True
    """No further repeats will come: what is undecided is resolved by the last resort."""
    seed: int = 0
    """Of the bootstrap."""

    @property
    def pass_alpha(self) -> float:
        """One-sided error of one look's pass."""
        return self.alpha / self.looks

    @property
    def fail_alpha(self) -> float:
        """One-sided error of one look's fail of one objective."""
        return self.pass_alpha / self.objectives

    @property
    def noise_alpha(self) -> float:
        """One-sided error of the test against run-to-run noise."""
        return NOISE_ALPHA / self.objectives

    def on_the_way(self, looks: int) -> "Rule":
        """The rule for so many looks at intervals before the data are complete."""
        return replace(self, looks=looks, alpha=EARLY_ALPHA)

    def edges(self, bound: Bound) -> tuple[float, float]:
        """Near and far edge of the zone around a bound on a change, counted towards the worse, in the bound's unit."""
        near = NEAR_EDGE * bound.limit if bound.near is None else bound.near
        far = FAR_EDGE * bound.limit if bound.far is None else bound.far
        return near, bound.limit if self.strict else far
