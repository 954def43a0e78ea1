"""Publishes the report of a run that had no right to: the second half of the pair of workflows for forks.

Report and conclusion are claims: whoever opened the pull request may have changed the workflow that made them. Nothing
of theirs is run; the report is read as data, rendered again by us, and called advice.
"""

import os
import stat
from pathlib import Path, PurePosixPath

from evaluator.action import telling
from evaluator.action.place import place_of
from evaluator.action.work import Work
from evaluator.errors import EvalGateError, ExitCode, UsageError
from evaluator.github.activity import PublishArtifact
from evaluator.github.answers import PullRequest
from evaluator.github.check import CheckReport
from evaluator.github.publish import Publication, publish
from evaluator.report import markdown
from evaluator.report.document import ResultDocument, load
from evaluator.report.escape import shorten

MAX_BYTES = 20_000_000
RESULT = "result.json"
ADVICE = "Advice, not a check: the report below was made by the fork's own run, which its author can change"
_ABOVE = f"### 💬 {ADVICE}\n\n"
_MOST_ROWS, _MOST_CASES, _MOST_NOTES = 200, 500, 50
"""More than a report of ours needs to show; a stranger's must not cost minutes to render."""
ADVISED = "advice"
"""Always in the check's name."""
KEY = "fork-advice"
"""Of the comment: a fork's advice has one of its own, and never takes the place of the gate's."""


def publish_artifact(work: Work, asked: PublishArtifact) -> int:
    """Render a downloaded report anew and publish it on the pull request that GitHub says it belongs to.

    Raises:
        EvalGateError: There is no such pull request, or no report that can be read.
    """
    pull = _pull_of(work, asked)
    if pull is None:
        reason = f"no open pull request has {asked.head_sha[:12]} as its head any more: there is nothing to publish on"
        work.say(reason)
        _publish(work, None, asked, telling.of_skip(reason))
        return ExitCode.PASS
    document = _as_advice(read_report(work.settings.workspace, asked.artifact_path), asked, pull)
    _publish(work, pull, asked, _publication(work, document, asked))
    return ExitCode.PASS


def read_report(workspace: Path, folder: str) -> ResultDocument:
    """Read `result.json` of a folder below the workspace; no link is followed.

    Raises:
        EvalGateError: It is not there, no plain file, too large, or no result document.
    """
    hint = "download the other run's artifact into that folder with actions/download-artifact"
    opened: list[int] = []
    try:
        opened.append(os.open(workspace, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        for part in PurePosixPath(folder).parts:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            opened.append(os.open(part, flags, dir_fd=opened[-1]))
        file = os.open(RESULT, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=opened[-1])
        opened.append(file)
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
            raise UsageError(f"{RESULT} in `artifact-path` is no plain file of at most {MAX_BYTES:,} bytes", hint=hint)
        data = b""
        while chunk := os.read(file, 1 << 20):
            data += chunk
            if len(data) > MAX_BYTES:
                raise UsageError(f"{RESULT} in `artifact-path` is larger than {MAX_BYTES:,} bytes")
        return load(data.decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"{RESULT} in `artifact-path` cannot be read: {why}", hint=hint) from None
    finally:
        for one in reversed(opened):
            os.close(one)


def _pull_of(work: Work, asked: PublishArtifact) -> PullRequest | None:
    """The open pull request whose head is just this commit, by GitHub's word; nothing in the artifact says it.

    Raises:
        EvalGateError: There are several.
    """
    found = {pull.number: pull for pull in work.client.pulls_of_commit(asked.head_sha)}
    if asked.head_repository and asked.head_branch:
        # The commits of a fork are not always found by their hash.
        found |= {pull.number: pull for pull in work.client.pulls_of_branch(asked.head_repository, asked.head_branch)}
    home = asked.head_repository or ""
    matching = [
        pull
        for pull in found.values()
        if pull.state == "open"
        and pull.head_sha == asked.head_sha
        and pull.head_repository.casefold() == home.casefold()
    ]
    if len(matching) > 1:
        numbers = ", ".join(str(pull.number) for pull in matching)
        raise UsageError(
            f"{asked.head_sha[:12]} is the head of several pull requests: {numbers}",
            hint="close all but one; a report that could be another's is not published",
        )
    return matching[0] if matching else None


def _as_advice(document: ResultDocument, asked: PublishArtifact, pull: PullRequest) -> ResultDocument:
    head = document.head.model_copy(
        update={"label": f"pull request {pull.number}", "sha": asked.head_sha, "subject": shorten(pull.title, 200)}
    )
    verdict = document.verdict.model_copy(
        update={
            "objectives": document.verdict.objectives[:_MOST_ROWS],
            "warnings": document.verdict.warnings[:_MOST_NOTES],
        }
    )
    return document.model_copy(
        update={
            "head": head, "verdict": verdict, "notes": document.notes[:_MOST_NOTES], "rerun": "",
            "cases": document.cases[:_MOST_CASES], "other_metrics": document.other_metrics[:_MOST_ROWS],
            "slices": document.slices[:_MOST_ROWS], "policy_changes": document.policy_changes[:_MOST_NOTES],
            "label_tables": document.label_tables[:_MOST_NOTES], "distributions": document.distributions[:_MOST_NOTES],
        }
    )  # fmt: skip


def _publication(work: Work, document: ResultDocument, asked: PublishArtifact) -> Publication:
    told = telling.of_document(
        document,
        ExitCode.PASS,
        on_inconclusive="warn",
        run_url=f"{work.settings.server_url}/{work.settings.repository}/actions/runs/{asked.run_id}",
        files={},
        lines=telling.Lines(),
    )
    room = len(_ABOVE.encode()) + 20

    def less(limit: int) -> int:
        return max(limit - room, markdown.SMALLEST_LIMIT)

    # Never a success; and under a name of its own, for a neutral check counts as passed where it is required.
    check = CheckReport(
        "neutral", f"Advice: {told.check.title}"[:250], _claimed(told.check.summary),
        text=lambda limit: _claimed(markdown.summary(document, limit=less(limit))),
    )  # fmt: skip
    outputs = {**told.outputs, "verdict": "advice", "passed": "false"}  # who reads it must not take it for ours
    return Publication(
        told.state,
        lambda limit: _claimed(told.comment(less(limit))),
        lambda limit: _claimed(told.summary(less(limit))),
        check,
        (),
        outputs,
        told.changed,
    )


def _claimed(text: str) -> str:
    """Our own words above what the report claims, in every length of it; its headline is no headline here."""
    return _ABOVE + text.replace("### ", "It claims: ", 1)


def _publish(work: Work, pull: PullRequest | None, asked: PublishArtifact, publication: Publication) -> None:
    inputs = work.settings.inputs
    wanted = inputs.check_run and pull is not None
    name = inputs.check_name if ADVISED in inputs.check_name else f"{inputs.check_name} ({ADVISED})"
    place = place_of(
        work,
        asked.head_sha,
        number=pull.number if pull else None,
        key=f"{KEY}-{inputs.comment_key}" if inputs.comment_key else KEY,
        check=name if wanted else "",
    )
    outcome = publish(work.client, place, publication, out=work.out, pace=work.pace)
    if pull is not None and outcome.failures:
        raise EvalGateError(
            f"the report could not be published: {outcome.failures[0]}",
            hint="this workflow needs pull-requests: write (and checks: write for check-run)",
            exit_code=ExitCode.INFRASTRUCTURE,
        )
