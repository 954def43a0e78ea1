"""Where an activity publishes."""

from evaluator.action.work import Work
from evaluator.github.check import CheckPlace
from evaluator.github.publish import Place
from evaluator.github.sticky import RunNumber


def place_of(work: Work, head: str, *, number: int | None = None, key: str | None = None, check: str = "") -> Place:
    """Where things are published.

    Args:
        work: The job.
        head: SHA that comment and check run are about.
        number: The pull request; None for none: then there is no comment either.
        key: Of the comment; the workflow's own if None.
        check: Name of the check run; empty for none.
    """
    settings, inputs = work.settings, work.settings.inputs
    run = RunNumber(settings.run_id, settings.run_attempt)
    there = CheckPlace(check, head, f"llm-eval-gate:{run}:{inputs.comment_key}", settings.run_url) if check else None
    return Place(
        number=number,
        head=head,
        run=run,
        key=inputs.comment_key if key is None else key,
        comment_mode=inputs.comment_mode,
        check=there,
        output_file=settings.output_file,
        summary_file=settings.summary_file,
        job_summary=inputs.job_summary,
    )
