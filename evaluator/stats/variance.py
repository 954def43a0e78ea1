"""Where the variance of scores comes from: the cases, the app's own sampling, and the judge. No intervals here."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluator.stats.arrays import FloatArray

_PAIR = 2


@dataclass(frozen=True, slots=True)
class VarianceSplit:
    """Variance components of one judgement of one answer, in the square of the score's unit."""

    cases: float
    """Between cases: what a case's score would be on average over all answers and judgements."""
    app: float
    """Between answers to the same case: the app's sampling."""
    judge: float | None
    """Between judgements of the same answer; None if no answer was judged twice: `app` then holds both."""
    agreement: float | None
    """Share of pairs of judgements of the same answer that are equal; None likewise."""

    @property
    def judge_share(self) -> float | None:
        """The judge's part of the variance within cases, 0 to 1; None if unknown or if there is none."""
        if self.judge is None or self.app + self.judge <= 0:
            return None
        return self.judge / (self.app + self.judge)

    def error(self, cases: int, answers: int, judgements: int = 1) -> float:
        """Standard error of a run's mean over so many other cases, answers a case and judgements an answer."""
        judged = (self.judge or 0.0) / (answers * judgements)
        return math.sqrt((self.cases + self.app / answers + judged) / cases)


def variance_split(values: npt.ArrayLike) -> VarianceSplit | None:
    """Split the variance of scores by a nested analysis of variance (Searle, Casella & McCulloch 1992, method 1).

    Mean squares within answers, between answers within cases, and between cases, each freed of what lies below; with
    unequal numbers the mean number of judgements and answers stands in. Components below 0 are 0.

    Args:
        values: (cases, answers) or (cases, answers, judgements), NaN for missing.

    Returns:
        The components, or None if no case has two answers: then cases and sampling cannot be told apart.
    """
    cube = np.asarray(values, dtype=np.float64)
    if cube.ndim == _PAIR:
        cube = cube[:, :, None]
    judged = (~np.isnan(cube)).sum(axis=2)
    answers = _means(cube, axis=2)
    counts = (judged > 0).sum(axis=1)
    if not (counts >= _PAIR).any():
        return None
    judge, agreement = _judge(cube, answers, judged)
    means = _means(answers, axis=1)
    repeated = counts >= _PAIR
    between_answers = float(np.nansum((answers[repeated] - means[repeated, None]) ** 2)) / float(
        (counts[repeated] - 1).sum()
    )
    # An answer's mean still holds the judge's noise, divided by its judgements; a case's mean holds both.
    per_answer = float((1.0 / judged[judged > 0]).mean())
    app = max(0.0, between_answers - (judge or 0.0) * per_answer)
    present = means[counts > 0]
    between_cases = float(present.var(ddof=1)) if len(present) > 1 else 0.0
    cases = max(0.0, between_cases - between_answers * float((1.0 / counts[counts > 0]).mean()))
    return VarianceSplit(cases, app, judge, agreement)


def _judge(cube: FloatArray, answers: FloatArray, judged: npt.NDArray[np.int64]) -> tuple[float | None, float | None]:
    twice = judged >= _PAIR
    if not twice.any():
        return None, None
    rows = cube[twice]
    variance = float(np.nansum((rows - answers[twice][:, None]) ** 2)) / float((judged[twice] - 1).sum())
    first, second = np.triu_indices(cube.shape[2], 1)
    one, other = rows[:, first], rows[:, second]
    both = ~np.isnan(one) & ~np.isnan(other)
    return variance, float((one[both] == other[both]).mean())


def _means(values: FloatArray, axis: int) -> FloatArray:
    present = ~np.isnan(values)
    counts = present.sum(axis=axis)
    sums = np.where(present, values, 0.0).sum(axis=axis)
    return np.asarray(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan), dtype=np.float64)
