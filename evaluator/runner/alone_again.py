"""Asks base again with head's processes ended, where it broke off so often that head may have brought it about."""

import asyncio

from evaluator.gate.broken_base import is_beyond
from evaluator.records import INFRASTRUCTURE_KINDS, Case, FailureKind, Output
from evaluator.results.table import Table
from evaluator.runner.opening import OpenRun

MOST_ASKED = 5
"""Cases that are asked again."""


async def held_up(opened: OpenRun, cases: list[Case], table: Table, limit: float) -> str:
    """Whether base answers alone what it failed to answer beside head; gives why there is no verdict, or nothing.

    Head's app can burn processors, memory and connections that base's needs. A base that is held up so would look bad,
    and head good beside it. What base fails alone as well is its own, unless it was the provider that failed then, or
    that had not answered yet: head can have used it up for longer than its processes live.

    Args:
        opened: The run; head's target is closed.
        cases: Those that `table` has.
        table: What base and head gave.
        limit: Largest share of failed answers that is accepted.

    Raises:
        EvalGateError: The run cannot go on, such as for want of budget.
    """
    failed, answers = table.failed["base"], table.answers["base"]
    if not table.broke_off or not is_beyond(failed, answers, limit):
        return ""
    chosen = [cases[place] for place in table.broke_off[:MOST_ASKED]]
    await opened.ready.targets["head"].close()
    base = opened.ready.targets["base"]
    outputs = await asyncio.gather(*(base.answer(case) for case in chosen))
    beside = f"base failed in {failed} of {answers} answers beside head, and"
    told = [output for output in outputs if not _is_held(output)]
    if len(told) <= len(chosen) / 2:
        return (
            f"{beside} could not be asked again alone: the provider failed or kept it waiting in"
            f" {len(chosen) - len(told)} of {len(chosen)} cases"
        )
    answered = sum(output.failure is None for output in told)
    if answered <= len(told) / 2:
        return ""
    return (
        f"{beside} answered {answered} of {len(told)} of these"
        " cases when it was asked again alone: what head does keeps base from answering"
    )


def _is_held(output: Output) -> bool:
    """Whether a failure may be the provider's: it failed, or the app waited for its answer when its time was over."""
    if output.failure is None:
        return False
    waiting = any(request.status is None for request in output.requests)
    return output.failure.kind in INFRASTRUCTURE_KINDS or (output.failure.kind is FailureKind.HANG and waiting)
