"""What the action asks the pipeline to do."""

import asyncio
from collections.abc import Callable

from evaluator.action.commits import Commits, Fetcher
from evaluator.action.work import Work
from evaluator.config.overrides import Overrides
from evaluator.errors import InfrastructureError
from evaluator.github import commands
from evaluator.pipeline import Outcome, gate
from evaluator.runner.opening import Job, Opening
from evaluator.runner.progress import choose_progress
from evaluator.runner.state import home_folder
from evaluator.runner.stopping import run_until_stopped
from evaluator.source.contents import Contents


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
    return Job(
        repo=commits.repo,
        head=commits.head_name if commits.pair else commits.head,
        base=commits.base_name if commits.pair else None,
        pair=commits.pair,
        rules=None if commits.pair else commits.rules,
        home=home_folder(work.environ),
        environ=work.provider_environ(),
        show=lambda gateway, label: choose_progress(
            lambda: gateway.spent_usd, {"CI": "true"}, label=label, stream=work.out
        ),
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
            on_inconclusive=inputs.on_inconclusive,
            max_cases=inputs.max_cases,
        ),
        last_release=lambda: _last_release(work),
        named=lambda name: Fetcher(work).named(name),
        contents=Contents(work.remote),
        show_texts=inputs.show_outputs,
        use_cache=use_cache,
        notes=commits.notes,
        opened=opened,
    )


def run_within(work: Work, job: Job) -> Outcome:
    """Run the gate within the time that the workflow gives it.

    Raises:
        EvalGateError: Anything that keeps it from a verdict.
    """
    minutes = work.settings.inputs.timeout_minutes

    async def within() -> Outcome:
        """Run it, and end it in time."""
        try:
            async with asyncio.timeout(None if minutes is None else minutes * 60.0):
                return await gate(job)
        except TimeoutError:
            raise InfrastructureError(
                f"stopped after {minutes:g} minutes, before there was a verdict (`timeout-minutes`)",
                hint="give it more time, fewer cases (`max-cases`), or more at once (`max-concurrency`)",
            ) from None

    with commands.group(work.out, "Evaluating"):
        return run_until_stopped(within())


def _last_release(work: Work) -> str | None:
    release = work.client.latest_release()
    if release is None:
        return None
    Fetcher(work).commits(release.sha, refs={release.sha: f"refs/tags/{release.tag}"})
    return release.sha
