"""The one shape that all statistics start from: values as (cases, repeats), NaN for missing, and clusters as codes.

Also the cluster-robust covariance that the intervals of means and ratios share. No interval is made here.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_MATRIX = 2


def as_matrix(values: npt.ArrayLike) -> FloatArray:
    """Values as a float array (cases, repeats); a 1-D array is one repeat.

    Raises:
        ValueError: If the array has more than two dimensions.
    """
    array: FloatArray = np.asarray(values, dtype=np.float64)
    if array.ndim == 1:
        return array.reshape(-1, 1)
    if array.ndim != _MATRIX:
        raise ValueError(f"expected (cases,) or (cases, repeats), found {array.ndim} dimensions")
    return array


def case_means(values: npt.ArrayLike) -> FloatArray:
    """Mean over the repeats of each case, ignoring NaN; shape (cases,), NaN where a case has no value at all."""
    matrix = as_matrix(values)
    present = ~np.isnan(matrix)
    counts = present.sum(axis=1)
    sums = np.where(present, matrix, 0.0).sum(axis=1)
    means = np.full(len(matrix), np.nan)
    np.divide(sums, counts, out=means, where=counts > 0)
    return means


def cluster_codes(clusters: npt.ArrayLike | None, cases: int) -> IntArray | None:
    """Codes 0..G-1 of the clusters of `cases` cases, or None where every case stands alone.

    Args:
        clusters: Integers (cases,); equal numbers share a cluster, a negative number stands alone. None: all alone.
        cases: The number of cases.
    """
    if clusters is None:
        return None
    given = np.asarray(clusters, dtype=np.int64)
    alone = given < 0
    if alone.any():
        start = int(given.max(initial=0)) + 1
        given = np.where(alone, start + np.arange(cases), given)
    distinct, codes = np.unique(given, return_inverse=True)
    return None if len(distinct) == cases else codes.reshape(-1).astype(np.int64)


def unit_count(cases: int, clusters: IntArray | None) -> int:
    """How many independent units there are: clusters where given, else cases."""
    return cases if clusters is None else int(clusters.max(initial=-1)) + 1


@dataclass(frozen=True, slots=True)
class Moments:
    """Means of paired columns with the covariance of these means."""

    means: FloatArray
    """(columns,)"""
    covariance: FloatArray
    """(columns, columns), of the means, not of the values; zeros if there is one unit only."""
    df: int
    """Degrees of freedom: units - 1."""


def moments(columns: FloatArray, clusters: IntArray | None) -> Moments:
    """Means and their covariance, robust to clusters.

    The sandwich CR1 (Liang & Zeger 1986; Cameron & Miller 2015): residuals are summed within a cluster, the factor is
    G/(G-1). With every case alone it is the usual s^2/n.

    Args:
        columns: Finite values, shape (cases, columns), at least one case.
        clusters: Codes 0..G-1 (cases,), or None.
    """
    cases = len(columns)
    means = columns.mean(axis=0)
    residuals = columns - means
    # The mean of equal numbers may differ from them in the last bit: that is no variance.
    residuals[:, np.ptp(columns, axis=0) == 0] = 0.0
    units = unit_count(cases, clusters)
    if clusters is not None:
        summed = np.zeros((units, columns.shape[1]))
        np.add.at(summed, clusters, residuals)
        residuals = summed
    width = columns.shape[1]
    if units <= 1:
        return Moments(means, np.zeros((width, width)), 0)
    covariance = residuals.T @ residuals * (units / (units - 1)) / cases**2
    return Moments(means, covariance, units - 1)
