"""What need not be asked: base's values from earlier runs of its content, and those of a pinned anchor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from evaluator.config.objectives import DEFAULT_MAX_ERROR_RATE
from evaluator.errors import InfrastructureError, SourceError
from evaluator.gate.missing import ERROR_COLUMN
from evaluator.journal.journal import Journal
from evaluator.records import Side
from evaluator.results.table import Table
from evaluator.runner.alone import answer_all
from evaluator.runner.baselines import Known, Values, read_answers
from evaluator.runner.identity import content_of
from evaluator.runner.opening import (
    FindRelease,
    Job,
    OpenRun,
    gated_cases,
    in_directory,
    open_run,
)
from evaluator.runner.sharing import compares_latency
from evaluator.source.checkout import Checkout
from evaluator.source.releases import LAST_RELEASE, last_release
from evaluator.source.worktrees import worktrees
from evaluator.stopping import blocking

LATENCY = "latency"
_PAID = "anchor"
MOST_ANCHOR_REPEATS = 3


@dataclass(frozen=True, slots=True)
class Anchor:
    """The pinned state that head is compared with beside base."""

    name: str
    """As people call it."""
    checkout: Checkout
    columns: Mapping[str, Values]
    """By column: (gated cases, repeats)."""
    share: float
    spent_usd: float = 0.0
    """What it cost to ask it, in this run; nothing where an earlier run had."""
    calls: int = 0


def pooled_baseline(opened: OpenRun) -> Known | None:
    """Base's values from earlier runs of the same content, or None where base must be asked.

    Asked it must be where latencies are compared (they hang on the hour), where a scorer looks at both answers of a
    case together, and where the command asks for every answer anew.
    """
    section = opened.policy.loaded.config.baseline
    together = any(scorer.pairwise for scorer in opened.ready.scorers)
    if section.pool == 0 or not opened.job.use_cache or together or compares_latency(opened.policy.loaded.config):
        return None
    ids = [case.id for case in gated_cases(opened.golden)]
    known = opened.baselines.known(opened.content("base"), ids, most_runs=section.pool, max_age_s=section.max_age)
    return None if known is None else replace(known, columns=_without_latency(known.columns))


def earlier_runs(opened: OpenRun) -> Known | None:
    """Earlier runs of base's content, whether or not their values count for the verdict."""
    section = opened.policy.loaded.config.baseline
    ids = [case.id for case in gated_cases(opened.golden)]
    return opened.baselines.known(
        opened.content("base"), ids, most_runs=max(1, section.pool), max_age_s=section.max_age
    )


def bring_answers(opened: OpenRun, known: Known) -> None:
    """Put one earlier answer a case into the journal, so that the report can show it beside head's."""
    journal, ids = opened.journal, {case.id for case in gated_cases(opened.golden)}
    for case_id, output, scores in read_answers(known):
        if case_id in ids and journal.output(case_id, "base", 0) is None:
            journal.put_output(case_id, "base", 0, output)
            for score in scores:
                journal.put_score(case_id, "base", 0, score)


def with_baseline(table: Table, known: Known, rows: Sequence[int]) -> Table:
    """The numbers of a run whose base was known: base's columns are the pooled ones, its latencies do not count.

    Args:
        table: As read from the journal.
        known: Base's values, a row a gated case.
        rows: Which of these rows the table has.
    """
    columns: dict[Side, Mapping[str, Values]] = dict(table.columns)
    pooled = {name: values[list(rows)] for name, values in known.columns.items()}
    nothing = np.full(next(iter(pooled.values())).shape, np.nan)
    columns["base"] = {name: pooled.get(name, nothing) for name in table.columns["base"]}
    return replace(
        table,
        columns=columns,
        outages={**table.outages, "base": 0},
        failed={**table.failed, "base": int(np.nansum(columns["base"][ERROR_COLUMN]))},
        broke_off=(),
        incomparable_latencies=0,
    )


async def measured_anchor(opened: OpenRun) -> tuple[Anchor | None, str]:
    """The anchor's values: from an earlier run of its content, else run now, under the rules of base.

    Gives the anchor, or None and why there is none: the config names none, or there is no release yet.

    Raises:
        SourceError: The config names a ref that does not exist: never a silent "no anchor".
    """
    job, policy = opened.job, opened.policy
    section = policy.loaded.config.anchor
    if section is None:
        return None, ""
    if policy.side == "head":
        return None, "base has no config yet, so the anchor is compared from the next change on"
    name = ref = section.ref
    if ref == LAST_RELEASE:
        tip = opened.sources.rules.sha
        with blocking():
            released = (job.last_release or _by_tags(job))(tip)
        if released is None:
            return None, "base contains no release yet, so there was no anchor to compare with"
        name, ref = released
    elif job.named is not None:
        with blocking():
            ref = job.named(ref)
    alone = replace(
        job, base=None, head=ref, pair=None, rules=opened.sources.rules.sha, merge_base=False, opened=None, timed=False,
        repeats=min(MOST_ANCHOR_REPEATS, policy.loaded.config.max_repeats),
    )  # fmt: skip
    try:
        return await _measure(opened, alone, section.share, name), ""
    except SourceError as error:
        where = policy.loaded.where("anchor")
        raise SourceError(f"{where}: the anchor cannot be had: {error.message}", hint=error.hint) from None


def _by_tags(job: Job) -> FindRelease:
    def find(tip: str) -> tuple[str, str] | None:
        """Find it by the repository's own tags."""
        tag = last_release(job.repo, tip, job.environ)
        return None if tag is None else (tag, tag)

    return find


async def _measure(opened: OpenRun, alone: Job, share: float, name: str) -> Anchor:
    config = opened.policy.loaded.config
    ids = [case.id for case in gated_cases(opened.golden)]
    scratch = Path(opened.sources.head.path).parent
    with (
        blocking(),
        worktrees(
            alone.repo,
            alone.head,
            alone.head,
            merge_base=False,
            contents=alone.contents,
            scratch=scratch,
            environ=alone.environ,
        ) as there,
    ):
        checkout = in_directory(there, alone.directory).head
        known = opened.baselines.known(
            content_of(opened.policy, opened.golden, checkout.path, checkout.tree, alone.environ),
            ids,
            most_runs=max(1, config.baseline.pool),
            max_age_s=config.baseline.max_age,
        )
    if known is not None:
        return Anchor(name, checkout, _without_latency(known.columns), share, *_paid_before(opened.journal))
    gateway = opened.ready.gateway
    before = gateway.total_spent_usd, gateway.total_calls
    ahead = len(opened.golden.cases) * max(1, len(gateway.budget.sides))  # base, where it is asked, and head
    async with open_run(alone, spent_usd=before[0], calls_made=before[1]) as run:
        table, _ = await answer_all(run, label=f"anchor {name[:40]}", measured_as="base", ahead=ahead)
        lost = table.outages["head"]
        if lost > DEFAULT_MAX_ERROR_RATE * table.answers["head"]:
            raise InfrastructureError(
                f"the anchor has no values: {lost} of its answers failed for reasons outside the app",
                hint=f"run it again; the first said: {table.first_outage[:200]}"
                if alone.show_texts
                else "run it again",
            )
        # With what an earlier process has paid of it, if it was stopped: so it is charged at its end alone.
        spent, calls = run.ready.gateway.total_spent_usd - before[0], run.ready.gateway.total_calls - before[1]
        gateway.charge(spent, calls)
        paid = _paid_before(opened.journal)
        spent, calls = spent + paid[0], calls + paid[1]
        opened.journal.set_meta(_PAID, f"{spent!r} {calls}")
        run.journal.set_meta("finished", "anchor")
    place = {case_id: row for row, case_id in enumerate(table.case_ids)}
    rows = [place[case_id] for case_id in ids]
    columns = _without_latency({name: values[rows] for name, values in table.columns["head"].items()})
    return Anchor(name, checkout, columns, share, spent, calls)


def _paid_before(journal: Journal) -> tuple[float, int]:
    """What an earlier process of this run paid for the anchor."""
    dollars, _, calls = (journal.meta(_PAID) or "0 0").partition(" ")
    return float(dollars), int(calls)


def _without_latency(columns: Mapping[str, Values]) -> dict[str, Values]:
    return {name: values for name, values in columns.items() if name != LATENCY}
