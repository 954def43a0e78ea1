"""What need not be asked: base's values from earlier runs of its content, and those of a pinned anchor."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from evaluator.errors import SourceError
from evaluator.records import Side
from evaluator.runner.alone import answer_all
from evaluator.runner.baselines import Known, Values, read_answers
from evaluator.runner.opening import Job, OpenRun, compares_latency, content_of, gated_cases, in_directory, open_run
from evaluator.runner.table import Table
from evaluator.source.checkout import Checkout
from evaluator.source.releases import LAST_RELEASE, last_release
from evaluator.source.worktrees import worktrees

LATENCY = "latency"
_MOST_ANCHOR_REPEATS = 3


@dataclass(frozen=True, slots=True)
class Anchor:
    """The pinned state that head is compared with beside base."""

    checkout: Checkout
    columns: Mapping[str, Values]
    """By column: (gated cases, repeats)."""
    share: float


def pooled_baseline(opened: OpenRun) -> Known | None:
    """Base's values from earlier runs of the same content, or None where base must be asked.

    Asked it must be where latencies are compared (they hang on the hour), where a scorer looks at both answers of a
    case together, and where the command asks for every answer anew.
    """
    section = opened.policy.loaded.config.baseline
    together = any(scorer.pairwise for scorer in opened.ready.scorers)
    if section.pool == 0 or not opened.job.use_cache or together or compares_latency(opened.policy):
        return None
    ids = [case.id for case in gated_cases(opened.golden)]
    known = opened.baselines.known(opened.content("base"), ids, most_runs=section.pool, max_age_s=section.max_age)
    return None if known is None else replace(known, columns=_without_latency(known.columns))


def bring_answers(opened: OpenRun, known: Known) -> None:
    """Put one earlier answer a case into the journal, so that the report can show it beside head's."""
    journal, ids = opened.journal, {case.id for case in gated_cases(opened.golden)}
    for case_id, output, scores in read_answers(known):
        if case_id in ids and journal.output(case_id, "base", 0) is None:
            journal.put_output(case_id, "base", 0, output)
            for score in scores:
                journal.put_score(case_id, "base", 0, score)


def with_baseline(table: Table, known: Known) -> Table:
    """The numbers of a run whose base was known: base's columns are the pooled ones, its latencies do not count."""
    columns: dict[Side, Mapping[str, Values]] = dict(table.columns)
    shape = next(iter(known.columns.values())).shape
    columns["base"] = {name: known.columns.get(name, np.full(shape, np.nan)) for name in table.columns["base"]}
    return replace(table, columns=columns, outages={**table.outages, "base": 0}, incomparable_latencies=0)


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
    ref = section.ref
    if ref == LAST_RELEASE:
        tip = opened.sources.rules.sha
        find = job.last_release or (lambda: last_release(job.repo, tip, job.environ))
        released = await asyncio.to_thread(find)  # GitHub may be asked: what runs already must not wait
        if released is None:
            return None, "there is no release yet, so there was no anchor to compare with"
        ref = released
    elif job.named is not None:
        ref = await asyncio.to_thread(job.named, ref)
    alone = replace(
        job, base=None, head=ref, pair=None, rules=opened.sources.rules.sha, merge_base=False, opened=None,
        repeats=min(_MOST_ANCHOR_REPEATS, policy.loaded.config.max_repeats),
    )  # fmt: skip
    try:
        return await _measure(opened, alone, section.share), ""
    except SourceError as error:
        where = policy.loaded.where("anchor")
        raise SourceError(f"{where}: the anchor cannot be had: {error.message}", hint=error.hint) from None


async def _measure(opened: OpenRun, alone: Job, share: float) -> Anchor:
    config = opened.policy.loaded.config
    ids = [case.id for case in gated_cases(opened.golden)]
    scratch = Path(opened.sources.head.path).parent
    with worktrees(
        alone.repo, alone.head, alone.head, merge_base=False, scratch=scratch, environ=alone.environ
    ) as there:
        checkout = in_directory(there, alone.directory).head
        known = opened.baselines.known(
            content_of(opened.policy, opened.golden, checkout.path, checkout.tree, alone.environ),
            ids,
            most_runs=max(1, config.baseline.pool),
            max_age_s=config.baseline.max_age,
        )
    if known is not None:
        return Anchor(checkout, _without_latency(known.columns), share)
    gateway = opened.ready.gateway
    async with open_run(alone, spent_usd=gateway.total_spent_usd, calls_made=gateway.total_calls) as run:
        table = await answer_all(run, label=f"anchor {alone.head[:40]}")
        gateway.charge(run.ready.gateway.spent_usd, run.ready.gateway.calls)
        run.journal.set_meta("finished", "anchor")
    place = {case_id: row for row, case_id in enumerate(table.case_ids)}
    rows = [place[case_id] for case_id in ids]
    return Anchor(
        checkout, _without_latency({name: values[rows] for name, values in table.columns["head"].items()}), share
    )


def _without_latency(columns: Mapping[str, Values]) -> dict[str, Values]:
    return {name: values for name, values in columns.items() if name != LATENCY}
