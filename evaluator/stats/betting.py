"""Sequential evidence on the mean of bounded values: the betting e-process, valid whenever one looks.

Not for values without a known range, nor for quantiles of two runs: these have no such test here.
"""

import math

import numpy as np

from evaluator.stats.arrays import FloatArray

STAKES = (0.3, 0.6, 0.9)
"""Shares of the largest safe stake, each bet by a gambler of its own."""
PURSES = (0.15, 0.25, 0.6)
"""What each of them starts with. Values that vary little reward the highest stake, and these are the common ones."""


class BettingProcess:
    """Evidence against "the mean is at most 0", from values that come in one by one.

    The wealth of gamblers who stake a fixed share on each value being positive (Waudby-Smith & Ramdas 2024, "Estimating
    means of bounded random variables by betting"): the mean of their products of 1 + stake * x. It never grows on
    average if the mean is not positive, so the chance that it ever reaches 1/alpha is at most alpha (Ville 1939),
    however often one looks. It also holds without replacement, in random order. Memory and time a value are constant.
    """

    __slots__ = ("_log_wealth", "_stakes", "peak")

    def __init__(self, lowest: float) -> None:
        """Start with nothing seen.

        Args:
            lowest: The smallest value that can occur; negative.

        Raises:
            ValueError: If it is not negative: then there is nothing to bet against.
        """
        if not lowest < 0 or not math.isfinite(lowest):
            raise ValueError(f"expected a finite negative lowest value, found {lowest}")
        self._stakes = np.array(STAKES) / -lowest
        self._log_wealth = np.log(PURSES)
        self.peak = 0.0
        """Natural logarithm of the largest wealth so far, at least 0: the evidence."""

    def update(self, values: FloatArray) -> None:
        """Take in further values, shape (values,), none below `lowest`, in the order in which they were drawn."""
        if not len(values):
            return
        steps = np.log1p(self._stakes[:, None] * values)
        paths = self._log_wealth[:, None] + np.cumsum(steps, axis=1)
        self._log_wealth = paths[:, -1].copy()
        top = paths.max(axis=0)
        wealth = top + np.log(np.exp(paths - top).sum(axis=0))
        self.peak = max(self.peak, float(wealth.max()))
