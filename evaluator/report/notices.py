"""What is told where there is no result document: the run has begun, was skipped, failed or was stopped."""

from evaluator.report.escape import Safe, brief, markdown

_MESSAGE, _HINT, _LINES = 1_500, 700, 12


def begun(head: str, url: str) -> str:
    """Render the comment while the run goes on."""
    told = f"The verdict appears here when the [run]({_address(url)}) is finished."
    return f"### ⏳ Evaluating {brief(head, 160)}\n\n{told}\n"


def skipped(reason: str) -> str:
    """Render the job summary of a run that had nothing to evaluate."""
    return f"### ⚪ Not evaluated\n\n{markdown(reason, _MESSAGE)}\n"


def failed(message: str, hint: str, head: str, url: str, rerun: str) -> str:
    """Render comment and summary of a run that ended without a verdict.

    Args:
        message: What went wrong; several lines where several things did.
        hint: What to do about it; may be empty.
        head: What was to be evaluated.
        url: The run's page.
        rerun: The command that repeats the run.
    """
    lines = [line for line in message.splitlines() if line.strip()]
    told = [f"- {markdown(line.strip(), _MESSAGE // 3)}" for line in lines[:_LINES]]
    if len(lines) > _LINES:
        told.append(f"- and {len(lines) - _LINES} more, see the log")
    what = told[0].removeprefix("- ") if len(told) == 1 else "\n".join(told)
    todo = f"**What to do:** {markdown(hint, _HINT)}\n\n" if hint else ""
    return (
        f"### ⚠️ No verdict: {brief(head, 160)} could not be evaluated\n\n{what}\n\n{todo}"
        "This is no judgement of the change: it neither passed nor failed, and the check stays red until there is a"
        f" verdict.\n\n[The run's log]({_address(url)}) · again: `{brief(rerun, 300)}`\n"
    )


def _address(url: str) -> Safe:
    """Give an address that cannot end its link."""
    return Safe("".join(character for character in url if character.isalnum() or character in "/:._-?=&%#~+"))
