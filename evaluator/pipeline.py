"""The main job, top to bottom: two refs of an app, one golden set, one verdict.

sources -> config and golden set (from base) -> targets and scorers, through the gateway -> journal -> numbers
        -> verdict -> result document
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from evaluator import __version__
from evaluator.errors import ExitCode
from evaluator.gate import (
    AnchoredGate,
    SequentialGate,
    SliceResult,
    decide,
    with_outages,
)
from evaluator.journal.folder import RunFolder
from evaluator.records import SIDES, Case, Metric, Objective, Verdict
from evaluator.report.build import estimate_part
from evaluator.report.document import ResultDocument
from evaluator.report.document_parts import EstimatePart
from evaluator.report.secrets import sounds_secret, without_keys
from evaluator.results.assembly import Effort, RunFacts, build_document
from evaluator.results.slices import gating_tags
from evaluator.results.table import Table, cluster_numbers, read_table
from evaluator.runner.alone import answer_all
from evaluator.runner.asking import run_all
from evaluator.runner.baselines import Known
from evaluator.runner.concluding import concluded, error_bound
from evaluator.runner.estimate import Estimate, earlier, estimate
from evaluator.runner.known_values import (
    Anchor,
    bring_answers,
    earlier_runs,
    measured_anchor,
    pooled_baseline,
    with_baseline,
)
from evaluator.runner.opening import Job, OpenRun, gated_cases, open_run, seed_of
from evaluator.runner.progress import Watched
from evaluator.runner.work import AllOnce
from evaluator.target.prompt import PromptTarget


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    document: ResultDocument
    verdict: Verdict
    table: Table
    metrics: tuple[Metric, ...]
    exit_code: int
    folder: Path
    """Where the run's journal is."""
    run_id: str
    over: bool
    """Whether asking for it again is to begin anew, once it is told; else the same command goes on with it."""


@dataclass(frozen=True, slots=True)
class Decided:
    """The numbers of a run, and what they come to."""

    table: Table
    verdict: Verdict
    effort: Effort
    slices: tuple[SliceResult, ...] = ()
    """Of the slices that gate."""
    notes: tuple[str, ...] = ()
    beside_usd: float = 0.0
    """What asking the anchor cost."""
    beside_calls: int = 0
    estimate: Estimate | None = None
    """What was told before the run that it would take."""


async def gate(job: Job) -> Outcome:
    """Run base and head and decide; or, without a base, run head alone and hold it against the absolute bounds.

    Raises:
        EvalGateError: Anything that keeps the run from a verdict.
    """
    started = time.monotonic()
    async with open_run(job) as opened:
        decided = await (_run_pair(opened) if job.base is not None else _run_one(opened))
        now = datetime.now(UTC).isoformat(timespec="seconds")
        facts = RunFacts(
            version=__version__,
            created_at=now,
            duration_s=time.monotonic() - started,
            base=opened.sources.base if job.base else None,
            head=opened.sources.head,
            rerun=job.rerun,
            effort=decided.effort,
            notes=(*job.notes, *decided.notes, *opened.sources.warnings, *opened.ready.warnings),
            gated_slices=decided.slices,
            beside_usd=decided.beside_usd,
            beside_calls=decided.beside_calls,
            accounts=opened.ready.gateway.budget.accounts,
            estimate=_held_against(decided.estimate, opened),
            show_texts=job.show_texts,
        )
        document = build_document(
            facts, opened.policy, opened.golden, opened.ready, opened.journal, decided.table, decided.verdict
        )
        document = without_keys(document, opened.ready.gateway.keys | _handed_on(opened))
        # A run that outages kept from a verdict goes on when it is asked for again. Any other is over: what kept it
        # from one, such as an unknown cost, stands in its journal and would do so again.
        over = decided.verdict.state != "error" or not any(decided.table.outages.values())
        on_inconclusive = opened.policy.loaded.config.on_inconclusive
        metrics = tuple(opened.ready.metrics)
    code = exit_code(decided.verdict, on_inconclusive)
    return Outcome(document, decided.verdict, decided.table, metrics, code, opened.folder, opened.run_id, over)


def finish(outcome: Outcome) -> None:
    """Note that a run is over, once its reports are written: until then its result is in its journal alone.

    Raises:
        InfrastructureError: The journal cannot be written.
    """
    if outcome.over:
        RunFolder(outcome.folder, outcome.folder.name).finish(outcome.run_id, outcome.document.created_at)


def _handed_on(opened: OpenRun) -> set[str]:
    """What the app was given by name, and may print, if it sounds like a secret."""
    config, environ = opened.policy.loaded.config, opened.job.environ
    process = config.target.process
    names = (*process.env, *config.sandbox.env) if process is not None else ()
    return {environ[name] for name in names if sounds_secret(name) and environ.get(name, "").strip()}


def exit_code(verdict: Verdict, on_inconclusive: str) -> int:
    """The process's exit code for a verdict."""
    if verdict.state == "pass" or (verdict.state == "inconclusive" and on_inconclusive != "fail"):
        return ExitCode.PASS
    return ExitCode.INFRASTRUCTURE if verdict.state == "error" else ExitCode.FAIL


async def _run_pair(opened: OpenRun) -> Decided:
    """Run both refs until every objective is decided; then the cases that only head has, once."""
    job, golden, ready, journal = opened.job, opened.golden, opened.ready, opened.journal
    gated = gated_cases(golden)
    added = [case for case in golden.cases if case.id not in golden.gated]
    gating_tags(opened.policy.loaded, gated)  # a mistake there is told before anything is paid for
    known = pooled_baseline(opened)
    if known is not None:
        bring_answers(opened, known)
        ready.gateway.budget.sides = ()  # head alone is asked
    anchor, no_anchor = await measured_anchor(opened)
    expected = await _estimate(opened, known, anchor)
    decider = _decider(opened, gated, known, anchor)
    watched = Watched("base and head" if known is None else "head", lambda: decider.standing)
    answers = len(SIDES) if known is None else 1
    await run_all(opened, gated, decider, job.show(ready.gateway, watched), answers_a_case=answers)
    if added:
        work = AllOnce(len(added), SIDES, seed=seed_of(journal))
        await run_all(opened, added, work, job.show(ready.gateway, Watched("new cases")))
    effort = Effort(decider.cases_used, len(gated), decider.repeats_used)
    # What was on its way when enough was known is left out of the report, as it is out of the verdict.
    judged = [gated[index] for index in decider.used]
    table = read_table(
        journal,
        judged,
        ready.metrics,
        ready.scorers,
        repeats=max(1, effort.repeats),
        sides=SIDES,
        outside={side: ready.gateway.budget.outside_usd(side) for side in SIDES},
    )
    table = table if known is None else with_baseline(table, known, decider.used)
    verdict, slices = await concluded(opened, judged, table, decider.verdict())
    notes = [*_known_notes(known), *([no_anchor] if no_anchor else []), *_anchor_notes(anchor)]
    beside = (anchor.spent_usd, anchor.calls) if anchor is not None else (0.0, 0)
    return Decided(table, verdict, effort, slices, tuple(notes), *beside, estimate=expected)


async def _estimate(opened: OpenRun, known: Known | None, anchor: Anchor | None) -> Estimate:
    """What the run will take, as `validate` tells it."""
    golden, target, loaded = opened.golden, opened.ready.targets["base"], opened.policy.loaded
    before = None if isinstance(target, PromptTarget) else earlier(earlier_runs(opened))
    return await estimate(
        loaded, opened.sources.base.path, golden.cases, opened.ready.gateway.prices,
        anchor=anchor is not None and anchor.calls > 0, sides=1 if known is not None else 2,
        render=target.rendered if isinstance(target, PromptTarget) else None, before=before,
    )  # fmt: skip


def _held_against(expected: Estimate | None, opened: OpenRun) -> EstimatePart | None:
    """The estimate beside what the run has spent, in all of its processes."""
    if expected is None:
        return None
    gateway = opened.ready.gateway
    return estimate_part(expected.calls, expected.usd, gateway.total_calls, gateway.total_spent_usd)


def _decider(
    opened: OpenRun, gated: Sequence[Case], known: Known | None, anchor: Anchor | None
) -> SequentialGate | AnchoredGate:
    """The gate that asks for evidence: against base, and against the anchor where there is one."""
    config = opened.policy.loaded.config
    # Slices are judged on complete data.
    early = config.early_stop and not config.slices.gate
    baseline = None if known is None else known.columns
    objectives, seed, clusters = opened.ready.objectives, seed_of(opened.journal), cluster_numbers(gated)
    beside = opened.ready.gateway.budget.outside_usd
    if anchor is None:
        return SequentialGate(
            len(gated), objectives, max_repeats=config.max_repeats, seed=seed, baseline=baseline, clusters=clusters,
            strict=config.strict, early=early, beside=beside,
        )  # fmt: skip
    return AnchoredGate(
        len(gated), objectives, anchor.columns, share=anchor.share, max_repeats=config.max_repeats, seed=seed,
        baseline=baseline, clusters=clusters, strict=config.strict, early=early, beside=beside,
    )  # fmt: skip


def _known_notes(known: Known | None) -> list[str]:
    if known is None:
        return []
    runs = "1 earlier run" if known.runs == 1 else f"{known.runs} earlier runs"
    return [f"base was not asked again: its values are those of {runs} of the same content"]


def _anchor_notes(anchor: Anchor | None) -> list[str]:
    if anchor is None:
        return []
    return [
        f"rows that end in _vs_anchor compare with {anchor.name} ({anchor.checkout.sha[:12]}), not with base;"
        f" there {anchor.share:.0%} of each bound is allowed"
    ]


async def _run_one(opened: OpenRun) -> Decided:
    """Run one ref alone and hold it against the absolute bounds."""
    objectives, notes = _absolute(opened.ready.objectives)
    table, kept = await answer_all(opened, label="head")
    cases, repeats = len(opened.golden.cases), opened.job.repeats
    verdict = decide(None, table.columns["head"], objectives, clusters=table.clusters)
    said = table.first_outage if opened.job.show_texts else ""
    verdict = with_outages(verdict, table.outages, table.answers, error_bound(objectives), said=said)
    if notes and verdict.state == "pass":
        verdict = replace(verdict, state="inconclusive", reason=f"Nothing was judged: {notes[0]}.")
    return Decided(table, verdict, Effort(cases, cases, repeats), notes=(*notes, kept))


def _absolute(objectives: Sequence[Objective]) -> tuple[list[Objective], tuple[str, ...]]:
    """What can be said of one run alone: the bounds that compare with base are left out; and a note if none is left."""
    kept = []
    for objective in objectives:
        bounds = tuple(bound for bound in objective.bounds if not bound.kind.relative_to_base)
        if bounds:
            kept.append(replace(objective, bounds=bounds))
    if all(objective.implied for objective in kept):
        return kept, (
            "all objectives compare with base, so one run alone was measured and held against nothing but its errors",
        )
    return kept, ()
