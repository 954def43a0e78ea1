"""What a run of two refs comes to beside its numbers: outages, a base that is no measure."""

from collections.abc import Sequence

from evaluator.config.objectives import DEFAULT_MAX_ERROR_RATE
from evaluator.gate import SliceResult, with_outages
from evaluator.gate.broken_base import not_compared, without_base
from evaluator.gate.own_waits import LATENCY_COLUMN, with_own_waits
from evaluator.journal.folder import run_key
from evaluator.records import BoundKind, Case, Objective, Verdict
from evaluator.results.slices import with_gated_slices
from evaluator.results.table import Table
from evaluator.runner.alone_again import held_up
from evaluator.runner.opening import OpenRun

_HELD_UP = "held_up"


async def concluded(
    opened: OpenRun, judged: list[Case], table: Table, verdict: Verdict
) -> tuple[Verdict, tuple[SliceResult, ...]]:
    """The verdict of two refs, and what became of the slices that gate.

    Args:
        opened: The run; base may be asked once more, and head is not asked any more.
        judged: The cases that `table` has.
        table: What base and head gave.
        verdict: What the gate says of it.
    """
    objectives, limit = opened.ready.objectives, error_bound(opened.ready.objectives)
    verdict = without_base(verdict, table.failed["base"], table.answers["base"])
    latencies = table.columns["head"].get(LATENCY_COLUMN)
    if latencies is not None:
        verdict = with_own_waits(verdict, table.waited_s["base"], table.waited_s["head"], latencies)
    verdict, slices = with_gated_slices(opened.policy.loaded, judged, table, objectives, verdict)
    reason = await _held_up_once(opened, judged, table, limit) if verdict.state != "fail" else ""
    verdict = not_compared(verdict, reason) if reason else verdict
    said = table.first_outage if opened.job.show_texts else ""
    return with_outages(verdict, table.outages, table.answers, limit, said=said), slices


async def _held_up_once(opened: OpenRun, judged: list[Case], table: Table, limit: float) -> str:
    """As `held_up`; what was found is kept, so that a run whose reports are written later asks nothing more."""
    broke = [judged[place].id for place in table.broke_off]
    of = run_key({"of": (broke, table.failed["base"], table.answers["base"])})
    found_of, _, reason = (opened.journal.meta(_HELD_UP) or "").partition(" ")
    if found_of != of:
        reason = await held_up(opened, judged, table, limit)
        opened.journal.set_meta(_HELD_UP, f"{of} {reason}")
    return reason


def error_bound(objectives: Sequence[Objective]) -> float:
    """The largest share of failed cases that is accepted."""
    limits = [
        bound.limit
        for objective in objectives
        if objective.name == "error_rate"
        for bound in objective.bounds
        if bound.kind is BoundKind.MAX
    ]
    return min(limits, default=DEFAULT_MAX_ERROR_RATE)
