"""The power of one plain comparison: the smallest relative change told from zero, and how many cases one needs.

What the gate's whole rule can see, zone, looks and repeats included, is `evaluator.gate.power`.
"""

import math

from evaluator.stats.arrays import FloatArray, IntArray, moments
from evaluator.stats.special import normal_quantile, t_quantile


def relative_standard_error(
    base: FloatArray, head: FloatArray, *, change: float = 0.0, clusters: IntArray | None = None
) -> float:
    """Standard error of the relative change, if the true change is `change`.

    sd(head - (1 + change) base) / (sqrt(n) |mean(base)|), CR1 where there are clusters; infinite with a base mean of
    zero or fewer than two units. The noise is what was seen between the two runs, whatever the change between them.

    Args:
        base: One finite value a case, shape (cases,).
        head: The same cases in the same order.
        change: Relative, e.g. -0.05; with a negative base mean it is counted against its absolute value.
        clusters: Codes (cases,), or None.
    """
    found = moments(base[:, None], clusters)
    mean = float(found.means[0])
    if mean == 0 or found.df < 1:
        return math.inf
    factor = 1.0 + change * math.copysign(1.0, mean)
    error = moments((head - factor * base)[:, None], clusters)
    return math.sqrt(float(error.covariance[0, 0])) / abs(mean)


def detectable_change(standard_error: float, units: int, *, alpha: float = 0.05, chance: float = 0.8) -> float:
    """The true relative change whose two-sided 1 - alpha interval leaves out zero in `chance` of all repetitions.

    (t_{1-alpha/2, units-1} + z_chance) * standard_error; about 2.8 standard errors by default.
    """
    if units <= 1:
        return math.inf
    return (t_quantile(1.0 - alpha / 2.0, units - 1) + normal_quantile(chance)) * standard_error


def cases_needed(standard_error: float, cases: int, effect: float, *, alpha: float = 0.05, chance: float = 0.8) -> int:
    """How many cases like these are needed to tell a true relative change of `effect` from zero in `chance` of runs.

    cases * ((z_{1-alpha/2} + z_chance) * standard_error / effect)^2, rounded up, at least 2.

    Raises:
        ValueError: If the effect is not positive, or the standard error is not finite.
    """
    if not effect > 0 or not math.isfinite(standard_error):
        raise ValueError(f"needs a positive effect and a finite standard error, found {effect} and {standard_error}")
    wished = normal_quantile(1.0 - alpha / 2.0) + normal_quantile(chance)
    return max(2, math.ceil(cases * (wished * standard_error / effect) ** 2 - 1e-9))
