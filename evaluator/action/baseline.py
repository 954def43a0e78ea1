"""Measures the default branch by itself, so that later pull requests need not ask base again."""

from dataclasses import replace

from evaluator.action import telling
from evaluator.action.commits import Commits, Fetcher
from evaluator.action.evaluate import finish_run, try_report_folder, write_files
from evaluator.action.job import job_of, run_within
from evaluator.action.place import place_of
from evaluator.action.work import Work
from evaluator.errors import ExitCode
from evaluator.github import commands
from evaluator.github.activity import RefreshBaseline
from evaluator.github.publish import publish


def refresh(work: Work, asked: RefreshBaseline) -> int:
    """Run the commit alone, hold it against the absolute bounds, and keep its values as a baseline.

    Answers are asked anew: a baseline made of cached answers would count the same answers twice.

    Raises:
        EvalGateError: Anything that keeps the run from its end.
    """
    settings = work.settings
    with commands.group(work.out, "Fetching"):
        fetcher = Fetcher(work)
        fetcher.commits(asked.sha, refs={asked.sha: f"refs/heads/{asked.ref.removeprefix('refs/heads/')}"})
    commits = Commits(fetcher.repo, asked.sha, None, asked.sha, asked.ref, asked.ref, asked.sha)
    job = replace(
        job_of(work, commits, opened=lambda _: try_report_folder(work), use_cache=False),
        repeats=settings.inputs.repeat or 1,
    )
    outcome = run_within(work, job)
    document = outcome.document
    code = telling.exit_code(document, outcome.exit_code, settings.inputs.fail_on)
    if document.verdict.state == "inconclusive":
        code = ExitCode.PASS  # measured is all that was asked
    files = write_files(work, document, outcome)
    publication = telling.of_document(
        document, code, on_inconclusive="warn", run_url=settings.run_url, files=files, lines=telling.Lines()
    )
    publish(work.client, place_of(work, asked.sha), publication, out=work.out, pace=work.pace)
    finish_run(work, outcome)
    return code
