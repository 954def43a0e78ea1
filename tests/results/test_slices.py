"""The slices of a report: answered cases only, and how each that gates ended."""

import numpy as np

from evaluator.gate import judge_slices
from evaluator.policy import GoldenSet
from evaluator.records import Bound, BoundKind, Case, Metric, MetricKind, Objective
from evaluator.results.slices import slice_parts
from evaluator.results.table import Table

ACCURACY = Metric("accuracy", MetricKind.PROPORTION, unit="share", low=0, high=1)
OBJECTIVE = Objective(ACCURACY, (Bound(BoundKind.MAX_DROP, 0.05),))


def golden(cases: int) -> GoldenSet:
    """Sixty cases, say: every tenth is about food, one half is negative."""
    found = tuple(
        Case(str(number), "x", tags=("neg" if number % 2 else "pos", *(("food",) if number % 10 == 0 else ())))
        for number in range(cases)
    )
    return GoldenSet(found, frozenset(case.id for case in found), "", ())


def table(base: np.ndarray, head: np.ndarray, answered: int) -> Table:
    """A table of which the first cases only are answered."""
    columns = {}
    for side, values in (("base", base), ("head", head)):
        shown = values.copy().reshape(-1, 1)
        shown[answered:] = np.nan
        columns[side] = {"accuracy": shown, "error_rate": np.where(np.isnan(shown), np.nan, 0.0)}
    ids = tuple(str(number) for number in range(len(base)))
    return Table(ids, columns, None, {}, 0)  # type: ignore[arg-type]


def test_a_run_that_stopped_early_counts_the_answered_cases_of_a_tag() -> None:
    parts = slice_parts(golden(60), [ACCURACY], table(np.ones(60), np.ones(60), 30), ())
    assert [(part.tag, part.cases, part.rows[0].pairs) for part in parts] == [("neg", 15, 15), ("pos", 15, 15)]


def test_a_gated_slice_that_collapsed_with_too_few_cases_is_no_pass() -> None:
    head = np.where(np.arange(60) % 10 == 0, 0.0, 1.0)
    head[1:40:2] = 0.0
    rows = table(np.ones(60), head, 60)
    masks = {tag: np.array([tag in case.tags for case in golden(60).cases]) for tag in ("food", "neg", "pos")}
    gated = judge_slices(rows.columns["base"], rows.columns["head"], [OBJECTIVE], masks)
    found = {part.tag: part for part in slice_parts(golden(60), [ACCURACY], rows, gated)}
    assert {tag: part.state for tag, part in found.items()} == {
        "food": "inconclusive",
        "neg": "fail",
        "pos": "inconclusive",
    }
    assert found["food"].undecided == ["6 cases are too few: accuracy 100% → 0%, 100% worse, more than the 5% allowed"]
    assert found["pos"].undecided[0].startswith("among so many slices it may be chance: accuracy 100% → 80%, 20% worse")
    assert found["neg"].failed == ["accuracy 100% → 33.3%, 66.7% worse, more than the 5% allowed"]
