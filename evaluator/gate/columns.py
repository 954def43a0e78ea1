"""Checks the columns of values that the gate is given, and pairs base with head. Decides nothing."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluator.errors import EvalGateError
from evaluator.gate.missing import ERROR_COLUMN, Tally, blamed, unknown_answers
from evaluator.records import Metric, MetricKind, Side
from evaluator.stats import FloatArray, IntArray, as_matrix, case_means, cluster_codes, unit_count

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sample:
    """The values of one metric in one run, for the cases that have any."""

    values: FloatArray
    """(cases, repeats), NaN for missing; every case has at least one value."""
    means: FloatArray
    """Mean over repeats, (cases,)."""
    clusters: IntArray | None
    """Codes 0..G-1 (cases,), or None where all cases stand alone."""

    @property
    def cases(self) -> int:
        """How many cases count."""
        return len(self.means)

    @property
    def units(self) -> int:
        """How many independent units: clusters, or cases."""
        return unit_count(self.cases, self.clusters)

    @property
    def observations(self) -> int:
        """How many values, repeats counted."""
        return int((~np.isnan(self.values)).sum())


@dataclass(frozen=True, slots=True)
class Columns:
    """What there is of one metric: head alone, and both runs on the cases that count on both sides."""

    head: Sample
    pair: tuple[Sample, Sample] | None
    """(base, head) on the same cases in the same order; None without base's column."""
    seen: int
    """Cases with a value on either side."""
    lost_by_base: int
    """Cases with a value of head only; 0 without base's column."""
    lost_by_head: int
    """Cases with a value of base only; without base's column, cases without a value."""
    blamed: int = 0
    """Answers that failed on head alone and count as its worst value; see `missing`."""
    unknown: int = 0
    """Answers of head whose cost, time or tokens are not known."""


def read_columns(
    metric: Metric,
    base: Mapping[str, npt.ArrayLike] | None,
    head: Mapping[str, npt.ArrayLike],
    clusters: npt.ArrayLike | None,
) -> Columns | None:
    """The checked columns of a metric, or None if head has no column of that name.

    Where there is a column of errors too, it tells which values are missing because an answer failed.

    Raises:
        EvalGateError: If an array has the wrong shape, or a value that the metric cannot have.
    """
    if metric.source not in head:
        return None
    head_values = _checked(metric, "head", head[metric.source])
    cases = len(head_values)
    codes = check_clusters(clusters, cases)
    head_failed = _failed(head, head_values)
    unknown = unknown_answers(metric, head_values, head_failed)
    if base is None or metric.source not in base:
        in_head = _any_value(head_values)
        lost = int((~in_head).sum())
        return Columns(_sample(head_values, in_head, codes), None, cases, 0, lost, unknown=unknown)
    base_values = _checked(metric, "base", base[metric.source])
    if len(base_values) != cases:
        raise EvalGateError(
            f"metric {metric.name!r}: base has {len(base_values)} cases and head has {cases}",
            hint="give both runs one row a case, in the same order; a case without a value is NaN",
        )
    tally = Tally()
    head_values = _blamed(metric, base_values, head_values, (_failed(base, base_values), head_failed), tally)
    in_head, in_base = _any_value(head_values), _any_value(base_values)
    both = in_base & in_head
    return Columns(
        head=_sample(head_values, in_head, codes),
        pair=(_sample(base_values, both, codes), _sample(head_values, both, codes)),
        seen=int((in_base | in_head).sum()),
        lost_by_base=int((in_head & ~in_base).sum()),
        lost_by_head=int((in_base & ~in_head).sum()),
        blamed=tally.counted,
        unknown=unknown,
    )


def _failed(columns: Mapping[str, npt.ArrayLike], values: FloatArray) -> FloatArray:
    """1 where an answer failed, 0 where it did not, NaN where nobody knows; of the shape of `values`."""
    if ERROR_COLUMN not in columns:
        return np.full(values.shape, np.nan)
    found = as_matrix(columns[ERROR_COLUMN])
    return found if found.shape == values.shape else np.full(values.shape, np.nan)


def _blamed(
    metric: Metric, base: FloatArray, head: FloatArray, failed: tuple[FloatArray, FloatArray], tally: Tally
) -> FloatArray:
    """Head's values as `missing.blamed` has them, repeat by repeat; base's known values hold for all of them."""
    if base.shape != head.shape:  # pooled from earlier runs, none of which has a failure
        known = np.repeat(case_means(base)[:, np.newaxis], head.shape[1], axis=1)
        return blamed(metric, known, head, (np.zeros(head.shape), failed[1]), tally)
    return blamed(metric, base, head, failed, tally)


def _any_value(values: FloatArray) -> BoolArray:
    found: BoolArray = np.any(~np.isnan(values), axis=1)
    return found


def _sample(values: FloatArray, keep: BoolArray, codes: IntArray | None) -> Sample:
    kept = values[keep]
    clusters = None if codes is None else cluster_codes(codes[keep], len(kept))
    return Sample(kept, case_means(kept), clusters)


def _checked(metric: Metric, side: Side, values: npt.ArrayLike) -> FloatArray:
    where = f"metric {metric.name!r}, column {metric.source!r} of {side}"
    try:
        matrix = as_matrix(values)
    except (TypeError, ValueError) as error:
        raise EvalGateError(
            f"{where}: {error}", hint="give numbers of shape (cases, repeats), NaN for missing"
        ) from error
    present = matrix[~np.isnan(matrix)]
    if np.isinf(present).any():
        raise EvalGateError(f"{where}: found an infinite value", hint="a value that is missing is NaN")
    if metric.kind is MetricKind.PROPORTION and bool(((present < 0) | (present > 1)).any()):
        found = present[(present < 0) | (present > 1)][0]
        raise EvalGateError(f"{where}: found {found:g} where a proportion needs values from 0 to 1")
    if metric.kind is MetricKind.QUANTILE and not (metric.quantile and 0 < metric.quantile < 1):
        raise EvalGateError(f"{where}: found quantile {metric.quantile}, expected a number between 0 and 1")
    if metric.kind is MetricKind.LABELS:
        _check_labels(metric, where, present)
    return matrix


def _check_labels(metric: Metric, where: str, present: FloatArray) -> None:
    classes = metric.label_count
    if metric.statistic is None or classes < 1:
        raise EvalGateError(f"{where}: a label metric needs its statistic and its number of labels")
    wrong = (present < 0) | (present >= classes * (classes + 1)) | (present != np.floor(present))
    if wrong.any():
        raise EvalGateError(
            f"{where}: found {present[wrong][0]:g}, which codes no pair of {classes} labels",
            hint="a code is expected * (K + 1) + predicted, with predicted = K for no valid label",
        )


def check_clusters(clusters: npt.ArrayLike | None, cases: int) -> IntArray | None:
    """Codes 0..G-1 (cases,) of given clusters, or None where every case stands alone.

    Raises:
        EvalGateError: If it is not one whole number a case.
    """
    if clusters is None:
        return None
    codes = np.asarray(clusters)
    if codes.shape != (cases,) or codes.dtype.kind not in "iu":
        raise EvalGateError(
            f"clusters: found shape {codes.shape} of {codes.dtype}, expected ({cases},) integers",
            hint="give one whole number a case; a negative number stands alone",
        )
    return cluster_codes(codes, cases)


def read_baseline(baseline: Mapping[str, npt.ArrayLike], names: set[str], cases: int) -> dict[str, FloatArray]:
    """The columns of base's known values that are named; see `SequentialGate`.

    Raises:
        EvalGateError: One is no array of numbers, or of other cases.
    """
    found = {}
    for name in names & set(baseline):
        try:
            values = as_matrix(baseline[name])
        except (TypeError, ValueError) as error:
            raise EvalGateError(f"baseline, column {name!r}: {error}") from error
        if len(values) != cases:
            raise EvalGateError(f"baseline, column {name!r}: found {len(values)} cases, expected {cases}")
        found[name] = values
    return found
