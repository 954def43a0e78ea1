"""Opens a run: fetches the refs, reads the rules from base, starts targets and scorers, opens the journal."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from evaluator.config.overrides import Overrides, with_overrides
from evaluator.engines.choose import open_engine
from evaluator.engines.interface import Engine, Progress
from evaluator.errors import EvalGateError, InfrastructureError, SourceError, UsageError
from evaluator.gateway.budget import EVALUATION
from evaluator.gateway.gateway import Gateway
from evaluator.journal.folder import RunFolder, last_of_command, run_key
from evaluator.journal.journal import Journal
from evaluator.journal.ledger import Ledger
from evaluator.journal.trials import keep_findings
from evaluator.policy import (
    Change,
    GoldenSet,
    Policy,
    load_golden_set,
    load_policy,
    refuse_keys_of_head,
)
from evaluator.records import Case, Side
from evaluator.runner.baselines import Baselines
from evaluator.runner.identity import content_of, named_parts, run_parts, told_of_left
from evaluator.runner.progress import Watched
from evaluator.runner.sharing import scope_of, shares_answers
from evaluator.runner.stopped import told_of_kept
from evaluator.scoring.judge.canaries import try_judges
from evaluator.source.checkout import Checkout, Sources
from evaluator.source.contents import Contents
from evaluator.source.paths import resolve
from evaluator.source.refs import WORKTREE, Pair
from evaluator.source.scratch import scratch_folder
from evaluator.source.worktrees import worktrees
from evaluator.stopping import blocking, within
from evaluator.wiring.prepare import Prepared, RunRequest, prepared

ShowProgress = Callable[[Gateway, Watched], Progress]
"""Given the gateway (for its spend) and what is run, the way to show progress."""
FindRelease = Callable[[str], tuple[str, str] | None]
"""Given the tip of base: name and commit of its last release, made available in the repository; None without one."""


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
    pair: Pair | None = None
    """The commits themselves, where they are known already; base and head are then only how to call them."""
    rules: str | None = None
    """Commit whose config and golden set rule a run of one ref alone; that ref's own if None."""
    config: str | None = None
    fresh: bool = False
    """Start over instead of going on with an unfinished run."""
    use_cache: bool = True
    timed: bool = True
    """Whether its latencies count; not an anchor's, so that answers of earlier runs do."""
    repeats: int = 1
    """Answers a case, for a run of one ref alone."""
    overrides: Overrides = field(default_factory=Overrides)
    directory: str = ""
    """Folder of the app in the repository, to which all paths of the config are relative; empty for its root."""
    last_release: FindRelease | None = None
    """How to find the last release; by the repository's tags if None."""
    named: Callable[[str], str] | None = None
    """How to find any other anchor, and have its commit in the repository; as the repository names it if None."""
    contents: Contents | None = None
    """How what commits only point to is fetched (Git LFS, submodules)."""
    show_texts: bool = True
    """Whether questions, answers and reasons may stand in the report; False leaves numbers and ids."""
    notes: tuple[str, ...] = field(default=())
    say: Callable[[str], None] = field(default=lambda _: None)
    """Told, a line at a time, what people should know before there is a result; untrusted."""
    resume: str = ""
    """The command that goes on with the run if it is stopped; empty where what is kept may be gone by then."""
    opened: Callable[["Opening"], None] | None = None
    """Told what was found before anything is started; may raise to stop."""


@dataclass(frozen=True, slots=True)
class Opening:
    """The refs and the rules of a run, before anything of it is started."""

    sources: Sources
    policy: Policy
    golden: GoldenSet

    @property
    def changes(self) -> tuple[Change, ...]:
        """What head changes in how it is judged."""
        return (*self.policy.changes, *self.golden.changes)

    def ruling_files(self) -> list[str]:
        """Paths, from the app's folder, of all that a run hangs on: as they are written, and where links lead."""
        config = self.policy.loaded.config
        named = [self.policy.loaded.name, config.dataset.path, *self.policy.files]
        named += [config.target.prompt] if config.target.prompt is not None else []
        found = dict.fromkeys(named)
        for root in (self.policy.root, self.sources.base.path, self.sources.head.path):
            for name in named:
                with suppress(EvalGateError):
                    found[str(resolve(root, name).relative_to(root.resolve()))] = None
        return list(found)


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that is set up: everything has been read and started, nothing has been asked yet."""

    job: Job
    sources: Sources
    policy: Policy
    golden: GoldenSet
    ready: Prepared
    journal: Journal
    run_id: str
    folder: Path
    baselines: Baselines
    engine: Engine

    def content(self, side: Side) -> str:
        """Key of what answers and scores of a side hang on."""
        checkout = self.sources.base if side == "base" else self.sources.head
        return content_of(self.policy, self.golden, checkout.path, checkout.tree, self.job.environ)


@asynccontextmanager
async def open_run(job: Job, *, spent_usd: float = 0.0, calls_made: int = 0) -> AsyncIterator[OpenRun]:
    """Fetch the refs, read the rules, start targets and scorers; stop and tidy up afterwards.

    Args:
        job: What is to be run.
        spent_usd: What other runs of the same job have spent of the budget.
        calls_made: Their calls, likewise.

    Raises:
        EvalGateError: Anything that cannot be set up.
    """
    began = asyncio.get_running_loop().time()
    try:
        job.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InfrastructureError(
            f"{job.home} cannot be used for runs and cached answers: {error.strerror}",
            hint="choose another place with LLM_EVAL_GATE_HOME",
        ) from None
    with ExitStack() as stack:
        with blocking():
            scratch = stack.enter_context(scratch_folder())
            opening = _read(job, scratch, stack)
        sources, policy, golden = opening.sources, opening.policy, opening.golden
        parts = run_parts(
            sources, policy, golden, job.environ, pair=job.base is not None, use_cache=job.use_cache,
            repeats=job.repeats,
        )  # fmt: skip
        key, runs = run_key(parts), job.home / "runs"
        left = last_of_command(runs, _command(job), key, named_parts(parts, policy))
        shared = shares_answers(policy.loaded.config, use_cache=job.use_cache, timed=job.timed)
        if left is not None and not job.fresh:
            job.say(told_of_left(left, cached=shared))
        folder = RunFolder(runs / key, key)
        journal, run_id = folder.open_journal(fresh=job.fresh)
        stack.enter_context(journal)
        if journal.damaged:
            job.say(f"{journal.damaged} damaged records of the run journal were dropped, and are asked again")
        journal.forget_outages()
        ledger = Ledger(journal, before=(spent_usd, calls_made))
        if ledger.just_lost:
            job.say(ledger.lost)
        request = RunRequest(
            loaded=policy.loaded,
            policy_root=policy.root,
            roots=_roots(job, sources),
            cases=[case for case in golden.cases if case.id in golden.gated],
            run_id=run_id,
            spent_usd=spent_usd + ledger.spent_usd,
            calls_made=calls_made + ledger.calls,
            accounts=ledger.accounts,
            on_settled=ledger.keep,
            on_begun=ledger.keep_begun,
            cache_scope=scope_of(journal, shared=shared),
            # What a judge says hangs on no run, unless every answer is to be asked for anew.
            judged_scope=scope_of(journal, shared=job.use_cache),
            environ=job.environ,
            home=job.home,
            scratch=scratch,
        )
        baselines = Baselines(job.home / "baselines")
        try:
            async with (
                within(policy.loaded.config.budget.max_time, since=began),
                prepared(request) as ready,
                open_engine(request, ready, journal) as engine,
            ):
                caller = ready.gateway.caller(request.judged_scope, party=EVALUATION)
                found = await try_judges(ready.scorers, caller)
                keep_findings(journal, found)
                lost = (ledger.lost,) if ledger.lost else ()
                tried = replace(ready, told=(*ready.told, *lost, *found.warnings))
                yield OpenRun(job, sources, policy, golden, tried, journal, run_id, folder.path, baselines, engine)
            journal.keep()
        except BaseException as error:
            told = told_of_kept(journal, ledger, error, resume=job.resume, overrides=job.overrides)
            if told:
                job.say(told)
            raise


def _command(job: Job) -> str:
    """Identity of what was asked for, in words: the same ones mean another content after a change."""
    return run_key({"words": (job.repo, job.base, job.head, job.config, job.directory, job.rules, job.merge_base)})


def _read(job: Job, scratch: Path, stack: ExitStack) -> Opening:
    """Check the refs out and read the rules; what is checked out goes with the stack."""
    base = job.base or ("HEAD" if job.head == WORKTREE else job.head)
    sources = stack.enter_context(
        worktrees(
            job.repo, base, job.head, merge_base=job.merge_base, pair=job.pair, contents=job.contents,
            scratch=scratch, environ=job.environ,
        )
    )  # fmt: skip
    _refuse_same(job, sources)
    sources = in_directory(sources, job.directory)
    rules, tree = _rules_root(job, sources, scratch, stack)
    policy = load_policy(rules, sources.head.path, name=job.config, left=sources.base.path if job.base else None)
    # A run of one ref alone has only its own rules, unless somebody else's were asked for and are not there.
    unmerged = job.base is not None or (job.rules is not None and job.rules != sources.head.sha)
    if policy.side == "head" and unmerged:
        refuse_keys_of_head(policy, job.environ)
    tree = sources.head.tree if policy.side == "head" else tree
    policy = replace(policy, loaded=with_overrides(policy.loaded, job.overrides), tree=tree)
    golden = load_golden_set(
        policy, sources.head.path if job.base else None, left=sources.base.path, most=job.overrides.max_cases
    )
    opening = Opening(sources, policy, golden)
    if job.opened is not None:
        job.opened(opening)
    return opening


def _refuse_same(job: Job, sources: Sources) -> None:
    if job.base is not None and sources.base.tree == sources.head.tree:
        raise UsageError(
            f"base and head are the same content ({sources.base.sha[:12]}), so there is nothing to compare",
            hint="name another --base, or --head WORKTREE for work that is not committed",
        )


def _rules_root(job: Job, sources: Sources, scratch: Path, stack: ExitStack) -> tuple[Path, str]:
    """Where the rules come from: the tip of base; or, for one ref alone, the commit that is named, or itself.

    Gives the folder and the hash of the whole tree.
    """
    if job.base is not None:
        return sources.rules.path, sources.rules.tree
    if job.rules is None:
        return sources.head.path, sources.head.tree
    there = stack.enter_context(
        worktrees(
            job.repo, job.rules, job.rules, merge_base=False, contents=job.contents, scratch=scratch,
            environ=job.environ,
        )
    )  # fmt: skip
    return in_directory(there, job.directory).head.path, there.head.tree


def in_directory(sources: Sources, directory: str) -> Sources:
    """The same checkouts, seen from the app's folder in them.

    Raises:
        SourceError: A checkout has no such folder.
    """
    if not directory:
        return sources

    def seen(checkout: Checkout) -> Checkout:
        path = checkout.path.joinpath(*PurePosixPath(directory).parts)
        if not path.is_dir() or path.resolve() != path:
            raise SourceError(
                f"{checkout.side} ({checkout.sha[:12]}) has no folder {ascii(directory)[:120]}",
                hint="the app's folder must be there at both refs, and no symbolic link may lead to it",
            )
        return replace(checkout, path=path)

    return replace(sources, base=seen(sources.base), head=seen(sources.head), rules=seen(sources.rules))


def _roots(job: Job, sources: Sources) -> dict[Side, Path]:
    both: dict[Side, Path] = {"base": sources.base.path, "head": sources.head.path}
    return both if job.base is not None else {"head": sources.head.path}


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


def gated_cases(golden: GoldenSet) -> list[Case]:
    """The cases that count for the verdict, in order."""
    return [case for case in golden.cases if case.id in golden.gated]
