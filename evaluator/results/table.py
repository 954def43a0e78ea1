"""From the journal to the numbers: one array a metric column and side, `(cases, repeats)`, NaN where nothing counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from evaluator.gate.missing import COST_COLUMN, ERROR_COLUMN, spread
from evaluator.journal.journal import Journal
from evaluator.records import INFRASTRUCTURE_KINDS, SIDES, Case, FailureKind, Metric, Output, Side
from evaluator.results.values import answer_values, cost_of_failure, measured_values
from evaluator.scoring.interface import Scorer

Values = npt.NDArray[np.float64]
_BREAKING_OFF = (FailureKind.CRASH, FailureKind.HANG)


@dataclass(frozen=True, slots=True)
class Table:
    """All numbers of a run."""

    case_ids: tuple[str, ...]
    columns: Mapping[Side, Mapping[str, Values]]
    """By side, then by column (`Metric.source`): floats of shape (cases, repeats)."""
    clusters: npt.NDArray[np.int64] | None
    """Cluster of each case, shape (cases,); None if all stand alone."""
    outages: Mapping[Side, int]
    """Answers that are missing for reasons outside the app, or that a scorer failed on."""
    incomparable_latencies: int
    """Pairs whose latencies were measured in different runs, so that base's is left out."""
    first_outage: str = ""
    """What the first of them said; untrusted."""
    failed: Mapping[Side, int] = field(default_factory=dict)
    """Answers that the app itself failed to give."""
    broke_off: tuple[int, ...] = ()
    """Places of the cases that base's app crashed or hung on, which what runs beside it may have brought about."""
    waited_s: Mapping[Side, tuple[float, ...]] = field(default_factory=dict)
    """By side, of each answer with a latency: how long its app waited for us, which the latency is without."""

    @property
    def answers(self) -> dict[Side, int]:
        """By side, how many answers there are, failed ones included."""
        return {side: int((~np.isnan(columns[ERROR_COLUMN])).sum()) for side, columns in self.columns.items()}


@dataclass(slots=True)
class _Beside:
    """What a side paid beside its answers, and how many of these have a cost; also those that no table shows."""

    usd: float
    priced: int = 0

    def add(self, output: Output, side: Side) -> None:
        """Take in an answer."""
        if output.failure is not None:
            self.usd += cost_of_failure(output, side)
        else:
            self.priced += COST_COLUMN in measured_values(output, side)


def read_table(
    journal: Journal, cases: Sequence[Case], metrics: Sequence[Metric], scorers: Sequence[Scorer], *, repeats: int,
    sides: Sequence[Side] = SIDES, outside: Mapping[Side, float] | None = None, measured_as: Side | None = None,
) -> Table:  # fmt: skip
    """Read all of a journal into arrays; memory is 8 bytes a value.

    Args:
        journal: The run.
        cases: In the order wanted.
        metrics: What is measured; says which columns there are.
        scorers: Who made the scores.
        repeats: Repeats a case.
        sides: The sides that were run.
        outside: US dollars that each paid outside of its answers, which are spread over their costs.
        measured_as: Whose rule for what is not known holds, where it is not the side's own: a ref that was run alone
            may stand for base later.
    """
    index = {case.id: position for position, case in enumerate(cases)}
    names = sorted({metric.source for metric in metrics})
    shape = (len(cases), repeats)
    columns = {side: {name: np.full(shape, np.nan) for name in names} for side in sides}
    outages: dict[Side, set[tuple[int, int]]] = {side: set() for side in sides}
    first_outage = ""
    failed: dict[Side, int] = dict.fromkeys(sides, 0)
    broke_off: dict[int, None] = {}
    waited: dict[Side, list[float]] = {side: [] for side in sides}
    beside = {side: _Beside((outside or {}).get(side, 0.0)) for side in sides}

    measured: dict[Side, dict[tuple[int, int], str]] = {side: {} for side in sides}
    for case_id, side, repeat, output in journal.all_outputs():
        if side in beside:
            beside[side].add(output, measured_as or side)
        place = _place(index, case_id, side, repeat, shape, sides)
        if place is None:
            continue
        _fill(columns[side], answer_values(cases[place[0]], output, scorers, measured_as or side), place)
        if output.failure is not None:
            if output.failure.kind in INFRASTRUCTURE_KINDS:
                outages[side].add(place)
                first_outage = first_outage or output.failure.message
                continue
            failed[side] += 1
            if side == "base" and output.failure.kind in _BREAKING_OFF:
                broke_off[place[0]] = None
            continue
        waited[side] += [] if output.latency_s is None else [output.waited_s]
        if output.calls:  # an answer without calls was measured by us, in this run
            measured[side][place] = output.measured_in
    for case_id, side, repeat, score in journal.all_scores():
        place = _place(index, case_id, side, repeat, shape, sides)
        if place is None:
            continue
        if score.failure is not None:
            # A scorer that fails is no fault of the app, whatever its reason.
            columns[side][ERROR_COLUMN][place] = 1.0
            outages[side].add(place)
            first_outage = first_outage or f"scorer {score.scorer}: {score.failure.message}"
            continue
        _fill(columns[side], score.values, place)
    for side, values in columns.items():
        if COST_COLUMN in values:
            values[COST_COLUMN] = spread(values[COST_COLUMN], beside[side].usd, beside[side].priced)
    dropped = _drop_incomparable(columns, measured) if len(sides) > 1 else 0
    return Table(
        tuple(case.id for case in cases),
        columns,
        cluster_numbers(cases),
        {side: len(at) for side, at in outages.items()},
        dropped,
        first_outage,
        failed,
        tuple(broke_off),
        {side: tuple(of_side) for side, of_side in waited.items()},
    )


def _place(
    index: Mapping[str, int], case_id: str, side: Side, repeat: int, shape: tuple[int, int], sides: Sequence[Side]
) -> tuple[int, int] | None:
    position = index.get(case_id)
    return None if position is None or repeat >= shape[1] or side not in sides else (position, repeat)


def _fill(columns: Mapping[str, Values], values: Mapping[str, float], place: tuple[int, int]) -> None:
    for name, value in values.items():
        if name in columns:
            columns[name][place] = value


def _drop_incomparable(
    columns: Mapping[Side, Mapping[str, Values]], measured: Mapping[Side, Mapping[tuple[int, int], str]]
) -> int:
    dropped = 0
    for place, run in measured["base"].items():
        other = measured["head"].get(place)
        if other is not None and other != run:
            columns["base"]["latency"][place] = np.nan
            dropped += 1
    return dropped


def cluster_numbers(cases: Sequence[Case]) -> npt.NDArray[np.int64] | None:
    """A number a cluster for each case, shape (cases,); None if all cases stand alone."""
    if not any(case.cluster for case in cases):
        return None
    numbers: dict[str, int] = {}
    return np.array(
        [numbers.setdefault(f"c:{case.cluster}" if case.cluster else f"i:{case.id}", len(numbers)) for case in cases]
    )
