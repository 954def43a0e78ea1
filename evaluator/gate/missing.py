"""What is missing on head: failures on its side alone count as its own, and what is unknown is never within a bound.

A provider's failure says nothing about a change, and so its case has no score. But an app can bring failures about: by
requests that no provider answers in time, or that its rate limit does not allow. Base and head are asked side by side,
so failures that are nobody's doing hit both alike. What fails on head alone, more often than on base alone, therefore
counts as the worst value; what fails on both, or as often on base, is left out as before.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluator.records import Metric, MetricKind
from evaluator.stats import FloatArray

ERROR_COLUMN = "error_rate"
"""The column that every answer has a value in: 1 for a failure."""
COST_COLUMN = "cost"
COST_OF_FAILURE = "cost_of_failure"
"""Beside an answer's columns: what a failed answer cost, which has no cost of its own."""
QUALITY = ("score", "share")
"""Units of what answers are scored by. The rest (money, time, tokens) has no worst value."""
BoolArray = npt.NDArray[np.bool_]


@dataclass(slots=True)
class Tally:
    """Answers without a value so far, in the order in which cases are looked at."""

    head_only: int = 0
    """Failed on head where base has a value."""
    base_only: int = 0
    counted: int = 0
    """Of `head_only`: those that count as the worst value."""


def blamed(
    metric: Metric, base: FloatArray, head: FloatArray, failed: tuple[FloatArray, FloatArray], tally: Tally
) -> FloatArray:
    """Head's values, with the worst value where it failed alone, as far as it did so more often than base.

    Args:
        metric: What is measured; only scores have a worst value.
        base: Any shape, NaN for missing.
        head: The same shape.
        failed: Of base and head, 1 where an answer failed, the same shape.
        tally: Counts on; give a new one for a whole run.
    """
    if metric.unit not in QUALITY or metric.source == ERROR_COLUMN:
        return head
    no_base, no_head = np.isnan(base), np.isnan(head)
    head_only = no_head & ~no_base & (failed[1] > 0)
    base_only = no_base & ~no_head & (failed[0] > 0)
    tally.head_only += int(head_only.sum())
    tally.base_only += int(base_only.sum())
    # Two counts with one mean differ so much by chance; without a failure of base's own there is no such room.
    by_chance = math.isqrt(2 * tally.base_only)
    more = tally.head_only - tally.base_only - by_chance - tally.counted
    places = np.flatnonzero(head_only)[: max(0, more)]
    if not len(places):
        return head
    tally.counted += len(places)
    filled = head.copy()
    filled.reshape(-1)[places] = _worst(metric, base, head).reshape(-1)[places]
    return filled


def _worst(metric: Metric, base: FloatArray, head: FloatArray) -> FloatArray:
    """The worst value of each place, where base has one; the worst that was seen, where a score has no end."""
    if metric.kind is MetricKind.LABELS:  # the label expected, and no valid one predicted
        width = metric.label_count + 1
        return np.asarray(base // width * width + metric.label_count, dtype=np.float64)
    if metric.kind is MetricKind.PROPORTION:
        return np.full(head.shape, 0.0 if metric.higher_is_better else 1.0)
    known = np.concatenate([base.reshape(-1), head.reshape(-1)])
    if metric.higher_is_better:
        worst = float(np.nanmin(known)) if metric.low is None else metric.low
    else:
        worst = float(np.nanmax(known)) if metric.high is None else metric.high
    return np.full(head.shape, worst)


def spread(costs: FloatArray, beside_usd: float, answers: int) -> FloatArray:
    """Costs with a share of what their side paid for no answer: what an app asks while it starts, or before it fails.

    Without it an app could ask in advance what its answers need, and look cheap.

    Args:
        costs: US dollars an answer, NaN for missing.
        beside_usd: What was paid beside them.
        answers: How many answers of the side have a cost, in `costs` or not.
    """
    return costs + beside_usd / answers if beside_usd and answers else costs


def unknown_answers(metric: Metric, head: FloatArray, failed: FloatArray) -> int:
    """How many answers head gave whose cost, time or tokens are not known; they may be anything."""
    if metric.unit in QUALITY:
        return 0
    return int((np.isnan(head) & (failed == 0)).sum())
