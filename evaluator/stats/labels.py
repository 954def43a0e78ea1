"""Macro-averaged F1, precision and recall of a classification, from coded labels, with paired bootstrap draws.

A code is expected * (K + 1) + predicted for K classes 0..K-1; predicted = K is "no valid label", which is a miss for
the expected class and is no class of its own. Averages run over the classes that are expected or predicted at least
once: scikit-learn's `f1_score(average="macro", zero_division=0)` with `labels` set to these classes.
"""

import numpy as np
import numpy.typing as npt

from evaluator.records import LabelStatistic
from evaluator.stats.arrays import FloatArray, IntArray, as_matrix, unit_count
from evaluator.stats.bootstrap import PairedDraws, draw_count

_CHUNK = 4_000_000


def label_statistic(codes: npt.ArrayLike, classes: int, statistic: LabelStatistic) -> float:
    """The statistic of one run, over all codes; NaN is left out, and NaN is the answer if nothing is left.

    Args:
        codes: (cases,) or (cases, repeats), NaN for missing.
        classes: K.
        statistic: Which figure.
    """
    matrix = as_matrix(codes)
    flat = matrix[~np.isnan(matrix)].astype(np.int64)
    if not len(flat):
        return float("nan")
    return float(_statistic(_tallies(flat, np.zeros(len(flat), dtype=np.int64), 1, classes), statistic)[0])


def label_draws(
    pair: tuple[npt.ArrayLike, npt.ArrayLike],
    classes: int,
    statistic: LabelStatistic,
    rng: np.random.Generator,
    *,
    clusters: IntArray | None = None,
) -> PairedDraws:
    """Paired bootstrap draws of a label statistic: cases (or clusters) are drawn, with all their codes on both sides.

    Equal cases are counted together and drawn as one multinomial, so the order of cases does not matter and large
    golden sets cost little. For one run give it as both sides.

    Args:
        pair: Codes of base and of head, the same cases in the same order; (cases, repeats), NaN for missing.
        classes: K.
        statistic: Which figure.
        rng: Source of randomness.
        clusters: Codes (cases,), or None.
    """
    sides = (as_matrix(pair[0]), as_matrix(pair[1]))
    units = unit_count(len(sides[0]), clusters)
    if clusters is None:
        kinds, counts = _distinct_cases(sides)
        width = sides[0].shape[1]
        sides = (kinds[:, :width], kinds[:, width:])
        owner, rows = np.arange(len(kinds)), len(kinds)
    else:
        owner, rows, counts = clusters, units, np.ones(units, dtype=np.int64)
    tables = [_side_tallies(side, owner, rows, classes) for side in sides]
    if clusters is not None:
        joined, counts = np.unique(np.concatenate(tables, axis=2).reshape(rows, -1), axis=0, return_counts=True)
        both = joined.reshape(len(joined), 3, 2 * classes)
        tables = [both[:, :, :classes], both[:, :, classes:]]
    found: tuple[list[FloatArray], list[FloatArray]] = ([], [])
    draws, chunk = draw_count(units), max(1, _CHUNK // max(len(counts), 6 * classes))
    for start in range(0, draws, chunk):
        weights = rng.multinomial(units, counts / units, size=min(chunk, draws - start)).astype(np.float64)
        for table, results in zip(tables, found, strict=True):
            drawn = weights @ table.reshape(len(counts), -1)
            results.append(_statistic(drawn.reshape(-1, 3, classes), statistic))
    return PairedDraws(np.concatenate(found[0]), np.concatenate(found[1]), units)


def _distinct_cases(sides: tuple[FloatArray, FloatArray]) -> tuple[FloatArray, IntArray]:
    """The distinct rows of (base codes, head codes) and how often each occurs; repeats have no order."""
    rows = np.concatenate([np.sort(side, axis=1) for side in sides], axis=1)
    # NaN differs from itself: -1 stands for it while rows are compared.
    kinds, counts = np.unique(np.where(np.isnan(rows), -1.0, rows), axis=0, return_counts=True)
    return np.where(kinds < 0, np.nan, kinds), counts


def _side_tallies(matrix: FloatArray, owner: IntArray, rows: int, classes: int) -> FloatArray:
    present = ~np.isnan(matrix)
    owners = np.broadcast_to(owner[:, None], matrix.shape)[present]
    return _tallies(matrix[present].astype(np.int64), owners, rows, classes)


def _tallies(codes: IntArray, owner: IntArray, rows: int, classes: int) -> FloatArray:
    """(rows, 3, classes): right answers, predictions and expectations of each class, for each row."""
    expected, predicted = np.divmod(codes, classes + 1)
    right = expected == predicted
    valid = predicted < classes
    size = rows * classes
    return np.stack(
        [
            np.bincount(where * classes + label, minlength=size).reshape(rows, classes)
            for where, label in (
                (owner[right], expected[right]),
                (owner[valid], predicted[valid]),
                (owner, expected),
            )
        ],
        axis=1,
    ).astype(np.float64)


def _statistic(tallies: FloatArray, statistic: LabelStatistic) -> FloatArray:
    """The statistic of each table; tallies (tables, 3, classes) -> (tables,)."""
    right, predicted, expected = tallies[:, 0], tallies[:, 1], tallies[:, 2]
    over = {
        LabelStatistic.MACRO_F1: (predicted + expected) / 2.0,
        LabelStatistic.MACRO_PRECISION: predicted,
        LabelStatistic.MACRO_RECALL: expected,
    }[statistic]
    scores = np.divide(right, over, out=np.zeros_like(right), where=over > 0)
    used = ((predicted + expected) > 0).sum(axis=1)
    return np.asarray(scores.sum(axis=1) / np.maximum(used, 1), dtype=np.float64)
