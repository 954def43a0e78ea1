"""What the action asks the pipeline to do."""

from collections.abc import Callable

from evaluator.action.commits import Commits, Fetcher
from evaluator.action.work import Work
from evaluator.config.overrides import Overrides
from evaluator.errors import ConfigError
from evaluator.github import commands
from evaluator.journal.folder import home_folder
from evaluator.pipeline import Outcome, gate
from evaluator.runner.opening import Job, Opening
from evaluator.runner.progress import choose_progress
from evaluator.source.contents import Contents
from evaluator.source.releases import newest_versions
from evaluator.stopping import run_until_stopped

_MOST_RELEASES = 20
"""That are looked at until one is found that base contains."""


def job_of(
    work: Work, commits: Commits, *, opened: Callable[[Opening], None] | None = None, use_cache: bool = True
) -> Job:
    """What the pipeline is asked to do.

    Args:
        work: The job.
        commits: What is run.
        opened: Told what was found before anything is started; may raise to stop.
        use_cache: Whether answers of earlier runs count.
    """
    inputs = work.settings.inputs

    def look(opening: Opening) -> None:
        """Look at what was found."""
        if opened is not None:
            opened(opening)
        _refuse_batches(opening)

    return Job(
        repo=commits.repo,
        head=commits.head_name if commits.pair else commits.head,
        base=commits.base_name if commits.pair else None,
        pair=commits.pair,
        rules=None if commits.pair else commits.rules,
        home=home_folder(work.environ),
        environ=work.provider_environ(),
        show=lambda gateway, watched: choose_progress(gateway, watched, {"CI": "true"}, work.out),
        say=work.say,
        rerun=work.rerun,
        config=inputs.config_file,
        directory=inputs.working_directory or "",
        overrides=Overrides(
            app_env=inputs.app_env,
            dataset_path=inputs.dataset_path,
            judge_model=inputs.judge_model,
            max_repeats=inputs.repeat,
            concurrency=inputs.max_concurrency,
            max_usd=inputs.max_cost_usd,
            max_time=None if inputs.timeout_minutes is None else inputs.timeout_minutes * 60.0,
            on_inconclusive=inputs.on_inconclusive,
            max_cases=inputs.max_cases,
        ),
        last_release=lambda tip: last_release(work, tip),
        named=lambda name: Fetcher(work).named(name),
        contents=Contents(work.remote, submodules=True),
        show_texts=inputs.show_outputs,
        use_cache=use_cache,
        notes=commits.notes,
        opened=look,
    )


def _refuse_batches(opening: Opening) -> None:
    """See that what is asked is answered while the job runs: what a batch answers later would be paid and lost.

    Raises:
        ConfigError: The config asks for batches.
    """
    loaded = opening.policy.loaded
    if loaded.config.engine == "batch":
        raise ConfigError(
            f"{loaded.where('engine')}: `engine: batch` is not for the action: a batch is answered long after the job"
            " has ended, and would be paid for nothing",
            hint="take it out of the config, and give `--engine batch` to a nightly job: `nightly-batch.yml` among the"
            " examples",
        )


def run_within(work: Work, job: Job) -> Outcome:
    """Run the gate.

    Raises:
        EvalGateError: Anything that keeps it from a verdict.
    """
    with commands.group(work.out, "Evaluating"):
        return run_until_stopped(gate(job))


def last_release(work: Work, tip: str) -> tuple[str, str] | None:
    """The last release that base contains: GitHub's latest one, else the newest version tag; gives name and commit.

    One that base does not contain does not count: whoever may push could make a release of anything.
    """
    release = work.client.latest_release()
    names = [release.tag] if release is not None else []
    names += [name for name in newest_versions(work.client.tags()) if name not in names]
    for name in names[:_MOST_RELEASES]:
        sha = work.client.commit(f"tags/{name}")
        if work.client.compare(sha, tip) == sha:
            Fetcher(work).commits(sha, refs={sha: f"refs/tags/{name}"})
            return name, sha
    return None
