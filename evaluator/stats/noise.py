"""Run-to-run noise: how much a mean over the same golden set moves when everything is asked again."""

import math

import numpy as np
import numpy.typing as npt

from evaluator.stats.arrays import as_matrix

_PAIR = 2


def run_to_run_error(values: npt.ArrayLike) -> float | None:
    """Standard error of the mean over cases from the variance over repeats alone, the cases held fixed.

    sqrt(sum(s_i^2 / R_i)) / n, with s_i^2 the variance over the R_i repeats of case i; a case with one repeat gets the
    pooled variance of the others.

    Args:
        values: (cases, repeats), NaN for missing; cases without any value do not count.

    Returns:
        The error, or None if no case has two repeats: then noise was not measured.
    """
    matrix = as_matrix(values)
    matrix = matrix[~np.isnan(matrix).all(axis=1)]
    counts = (~np.isnan(matrix)).sum(axis=1)
    repeated = counts >= _PAIR
    if not repeated.any():
        return None
    sums = np.nansum((matrix - np.nanmean(matrix, axis=1, keepdims=True)) ** 2, axis=1)
    # The mean of equal values may be a rounding error away from them: that is no noise.
    sums[np.nanmax(matrix, axis=1) == np.nanmin(matrix, axis=1)] = 0.0
    pooled = float(sums[repeated].sum()) / float((counts[repeated] - 1).sum())
    variances = np.where(repeated, sums / np.maximum(counts - 1, 1), pooled)
    return math.sqrt(float((variances / counts).sum())) / len(matrix)
