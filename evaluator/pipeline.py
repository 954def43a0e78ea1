"""The main job, top to bottom: two refs of an app, one golden set, one verdict.

sources -> config and golden set (from base) -> targets and scorers, through the gateway -> journal -> numbers
        -> verdict -> result document
"""

import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from evaluator import __version__
from evaluator.config.objectives import DEFAULT_MAX_ERROR_RATE
from evaluator.errors import ExitCode, InfrastructureError, UsageError
from evaluator.gate import SequentialGate, decide, with_outages
from evaluator.gateway.gateway import Gateway
from evaluator.records import SIDES, BoundKind, Case, Metric, Objective, Side, Verdict
from evaluator.report.document import ResultDocument
from evaluator.runner.assembly import Effort, RunFacts, build_document
from evaluator.runner.journal import Journal
from evaluator.runner.policy import GoldenSet, Policy, load_golden_set, load_policy, refuse_keys_of_head
from evaluator.runner.progress import Progress
from evaluator.runner.schedule import Schedule, run
from evaluator.runner.setup import Prepared, RunRequest, prepared
from evaluator.runner.state import RunFolder, run_key
from evaluator.runner.table import Table, cluster_numbers, read_table
from evaluator.runner.work import AllOnce
from evaluator.source.refs import WORKTREE
from evaluator.source.worktrees import Sources, worktrees

_ANSWERS_HANG_ON = {"dataset", "target", "judge", "scorers", "providers", "prices"}
"""Parts of a config that change answers and scores; with others changed, a run goes on where it was."""
ShowProgress = Callable[[Gateway, str], Progress]
"""Given the gateway (for its spend) and a label, the way to show progress."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a command asks for, and the world that it runs in."""

    repo: Path
    head: str
    base: str | None
    """None to run head alone."""
    home: Path
    environ: Mapping[str, str]
    show: ShowProgress
    rerun: str
    merge_base: bool = True
    config: str | None = None
    fresh: bool = False
    """Start over instead of going on with an unfinished run."""
    use_cache: bool = True
    notes: tuple[str, ...] = field(default=())


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


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that is set up: everything has been read and started, nothing has been asked yet."""

    job: Job
    sources: Sources
    policy: Policy
    golden: GoldenSet
    ready: Prepared
    journal: Journal
    folder: Path


@asynccontextmanager
async def open_run(job: Job) -> AsyncIterator[OpenRun]:
    """Fetch the refs, read the rules, start targets and scorers; stop and tidy up afterwards.

    Raises:
        EvalGateError: Anything that cannot be set up.
    """
    try:
        job.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InfrastructureError(
            f"{job.home} cannot be used for runs and cached answers: {error.strerror}",
            hint="choose another place with LLM_EVAL_GATE_HOME",
        ) from None
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="llm-eval-gate-")))
        base = job.base or ("HEAD" if job.head == WORKTREE else job.head)
        sources = stack.enter_context(
            worktrees(job.repo, base, job.head, merge_base=job.merge_base, scratch=scratch, environ=job.environ)
        )
        _refuse_same(job, sources)
        policy = load_policy(
            _rules_root(job, sources), sources.head.path, name=job.config, left=sources.base.path if job.base else None
        )
        if policy.side == "head" and job.base is not None:
            refuse_keys_of_head(policy, job.environ)
        golden = load_golden_set(policy, sources.head.path if job.base else None, left=sources.base.path)
        key = _identity(job, sources, policy, golden)
        folder = RunFolder(job.home / "runs" / key, key)
        journal, run_id = folder.open_journal(fresh=job.fresh)
        stack.enter_context(journal)
        journal.forget_outages()
        paid = [call for call in journal.calls() if not call.cached]
        request = RunRequest(
            loaded=policy.loaded,
            policy_root=policy.root,
            roots=_roots(job, sources),
            cases=[case for case in golden.cases if case.id in golden.gated],
            run_id=run_id,
            spent_usd=sum(call.cost_usd or 0.0 for call in paid),
            calls_made=len(paid),
            cache_scope=_scope(job, policy, key, journal),
            environ=job.environ,
            home=job.home,
            scratch=scratch,
        )
        async with prepared(request) as ready:
            yield OpenRun(job, sources, policy, golden, ready, journal, folder.path)


async def gate(job: Job) -> Outcome:
    """Run base and head and decide; or, without a base, run head alone and hold it against the absolute bounds.

    Raises:
        EvalGateError: Anything that keeps the run from a verdict.
    """
    started = time.monotonic()
    async with open_run(job) as opened:
        run_it = _run_pair if job.base is not None else _run_one
        table, verdict, effort = await run_it(opened)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        facts = RunFacts(
            version=__version__,
            created_at=now,
            duration_s=time.monotonic() - started,
            base=opened.sources.base if job.base else None,
            head=opened.sources.head,
            rerun=job.rerun,
            effort=effort,
            notes=(*job.notes, *opened.sources.warnings, *opened.ready.warnings),
        )
        document = build_document(facts, opened.policy, opened.golden, opened.ready, opened.journal, table, verdict)
        if verdict.state != "error":  # a run without a verdict goes on when it is asked for again
            opened.journal.set_meta("finished", now)
        on_inconclusive = opened.policy.loaded.config.on_inconclusive
        metrics = tuple(opened.ready.metrics)
    return Outcome(document, verdict, table, metrics, exit_code(verdict, on_inconclusive), opened.folder)


def exit_code(verdict: Verdict, on_inconclusive: str) -> int:
    """The process's exit code for a verdict."""
    if verdict.state == "pass" or (verdict.state == "inconclusive" and on_inconclusive != "fail"):
        return ExitCode.PASS
    return ExitCode.INFRASTRUCTURE if verdict.state == "error" else ExitCode.FAIL


def _refuse_same(job: Job, sources: Sources) -> None:
    if job.base is not None and sources.base.tree == sources.head.tree:
        raise UsageError(
            f"base and head are the same content ({sources.base.sha[:12]}), so there is nothing to compare",
            hint="name another --base, or --head WORKTREE for work that is not committed",
        )


def _rules_root(job: Job, sources: Sources) -> Path:
    """Where the rules come from: the tip of base; or the ref itself where it is run alone."""
    return sources.rules.path if job.base is not None else sources.head.path


def _roots(job: Job, sources: Sources) -> dict[Side, Path]:
    both: dict[Side, Path] = {"base": sources.base.path, "head": sources.head.path}
    return both if job.base is not None else {"head": sources.head.path}


def _identity(job: Job, sources: Sources, policy: Policy, golden: GoldenSet) -> str:
    return run_key(
        {
            "version": __version__,
            "base": sources.base.tree if job.base else None,
            "head": sources.head.tree,
            "config": policy.loaded.config.model_dump_json(include=_ANSWERS_HANG_ON),
            "dataset": golden.digest,
            "cases": [case.id for case in golden.cases],
            "server": job.environ.get("OPENAI_BASE_URL"),
            "use_cache": job.use_cache,
        }
    )


def _scope(job: Job, policy: Policy, key: str, journal: Journal) -> str:
    """Which runs share cached answers: all, unless latencies are compared, which must be measured side by side."""
    if not job.use_cache:
        # A name that no earlier run had, and that a resumed run has again.
        own = journal.meta("scope") or secrets.token_hex(16)
        journal.set_meta("scope", own)
        return own
    compared = any(
        name.startswith("latency") and section.max_increase is not None
        for name, section in policy.loaded.config.objectives.items()
    )
    return key if compared else ""


async def _run_pair(opened: OpenRun) -> tuple[Table, Verdict, Effort]:
    """Run both refs until every objective is decided; then the cases that only head has, once."""
    job, golden, ready, journal = opened.job, opened.golden, opened.ready, opened.journal
    config = opened.policy.loaded.config
    gated = [case for case in golden.cases if case.id in golden.gated]
    added = [case for case in golden.cases if case.id not in golden.gated]
    decider = SequentialGate(
        len(gated),
        ready.objectives,
        max_repeats=config.max_repeats,
        seed=seed_of(journal),
        clusters=cluster_numbers(gated),
        strict=config.strict,
        early=config.early_stop,
    )
    schedule = _schedule(gated, ready, journal)
    await run(schedule, decider, journal, job.show(ready.gateway, "base and head"))
    if added:
        work = AllOnce(len(added), SIDES, seed=seed_of(journal))
        await run(_schedule(added, ready, journal), work, journal, job.show(ready.gateway, "new cases"))
    effort = Effort(decider.cases_used, len(gated), decider.repeats_used)
    table = read_table(journal, gated, ready.metrics, ready.scorers, repeats=max(1, effort.repeats), sides=SIDES)
    answers = effort.cases * effort.repeats
    limit = _error_bound(ready.objectives)
    verdict = with_outages(decider.verdict(), table.outages, answers, limit, said=table.first_outage)
    return table, verdict, effort


async def _run_one(opened: OpenRun) -> tuple[Table, Verdict, Effort]:
    """Run one ref once and hold it against the absolute bounds."""
    job, golden, ready, journal = opened.job, opened.golden, opened.ready, opened.journal
    objectives = _absolute(ready.objectives)
    cases = list(golden.cases)
    work = AllOnce(len(cases), ("head",), seed=seed_of(journal))
    await run(_schedule(cases, ready, journal), work, journal, job.show(ready.gateway, "head"))
    table = read_table(journal, cases, ready.metrics, ready.scorers, repeats=1, sides=("head",))
    verdict = decide(None, table.columns["head"], objectives, clusters=table.clusters)
    limit = _error_bound(objectives)
    verdict = with_outages(verdict, table.outages, len(cases), limit, said=table.first_outage)
    return table, verdict, Effort(len(cases), len(cases), 1)


def _schedule(cases: Sequence[Case], ready: Prepared, journal: Journal) -> Schedule:
    return Schedule(cases, ready.targets, ready.scorers, ready.concurrency, seed_of(journal))


def seed_of(journal: Journal) -> int:
    """The seed of this run's order of cases: nobody can know it before the run, and a resumed run has it again.

    It hangs on nothing that the change under test holds: whoever could foresee the order could put the cases that
    got worse behind the point where a run stops early.
    """
    kept = journal.meta("seed")
    if kept is None:
        kept = str(secrets.randbits(48))
        journal.set_meta("seed", kept)
    return int(kept)


def _absolute(objectives: Sequence[Objective]) -> list[Objective]:
    """What can be said of one run alone: the bounds that compare with base are left out."""
    kept = []
    for objective in objectives:
        bounds = tuple(bound for bound in objective.bounds if not bound.kind.relative_to_base)
        if bounds:
            kept.append(replace(objective, bounds=bounds))
    if all(objective.implied for objective in kept):
        raise UsageError(
            "all objectives compare with base, so one run alone has nothing to be held against",
            hint="use `llm-eval-gate gate`, or add a `min` or `max` to an objective",
        )
    return kept


def _error_bound(objectives: Sequence[Objective]) -> float:
    """The largest share of failed cases that is accepted."""
    limits = [
        bound.limit
        for objective in objectives
        if objective.name == "error_rate"
        for bound in objective.bounds
        if bound.kind is BoundKind.MAX
    ]
    return min(limits, default=DEFAULT_MAX_ERROR_RATE)
