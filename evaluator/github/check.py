"""The check run on a pull request's head: begun, and always ended.

A check run is opt-in: the job's exit code is the gate. Who begins one must end it, or the pull request waits for ever.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from evaluator.github.answers import CheckRun
from evaluator.github.client import Client
from evaluator.github.commands import Annotation
from evaluator.github.errors import AnswerLost, GitHubError, PermissionDenied

Conclusion = Literal["success", "failure", "neutral", "action_required", "cancelled"]

TEXT_LIMIT = 65_535
"""GitHub's limit for summary and text; taken as bytes of UTF-8, its strictest reading."""
TEXT_LIMITS = (65_000, 30_000, 15_000, 8_000, 2_000)
A_REQUEST = 50
"""Annotations that GitHub takes at once."""
MOST_ANNOTATIONS = 500
_TITLE, _ANNOTATION_TITLE, _ANNOTATION_BYTES = 255, 255, 64_000
_TRIES = 5
_LEVELS = {"error": "failure", "warning": "warning", "notice": "notice"}


@dataclass(frozen=True, slots=True)
class CheckPlace:
    """Which check run is ours."""

    name: str
    head: str
    """SHA that it is attached to: the pull request's head, not the merge commit."""
    external_id: str
    """Names our run and attempt, so that a lost answer is found again."""
    details_url: str = ""


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check run says in the end."""

    conclusion: Conclusion
    title: str
    summary: str
    """Markdown; short."""
    text: Callable[[int], str] | None = None
    """Gives the details for a limit, by leaving out whole parts."""
    annotations: Sequence[Annotation] = ()
    """Those without a file are left out: GitHub wants a line for each."""


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """What became of a check run."""

    action: Literal["started", "completed", "denied", "failed"]
    check_id: int | None = None
    url: str = ""
    reason: str = ""
    """Why it was denied or failed; or which annotations are missing."""


def start_check(client: Client, place: CheckPlace, *, title: str, summary: str) -> CheckOutcome:
    """Make a check run that is in progress, or find the one that we made before.

    Returns:
        What became of it; no error of GitHub's is raised.
    """
    fields = {"status": "in_progress", "output": _output(title, summary)}
    return _told("started", lambda: (_made(client, place, fields), ""))


def complete_check(client: Client, place: CheckPlace, report: CheckReport, check_id: int | None = None) -> CheckOutcome:
    """End our check run; without `check_id` it is looked for, and made where there is none.

    The conclusion comes first and alone, for it can be sent as often as needed; annotations add up, so each batch
    of them is sent once.

    Returns:
        What became of it; no error of GitHub's is raised.
    """
    output = _output(report.title, report.summary, report.text)
    fields = {"status": "completed", "conclusion": report.conclusion, "output": output}

    def complete() -> tuple[CheckRun, str]:
        if check_id is None:
            run = _made(client, place, fields)
            if run.status != "completed" or run.conclusion != report.conclusion:
                run = client.update_check(run.id, fields)
        else:
            run = client.update_check(check_id, fields)
        return run, _annotate(client, run, report)

    return _told("completed", complete)


def _told(action: Literal["started", "completed"], act: Callable[[], tuple[CheckRun, str]]) -> CheckOutcome:
    try:
        run, missing = act()
    except PermissionDenied as error:
        return CheckOutcome("denied", reason=_words(error))
    except GitHubError as error:
        return CheckOutcome("failed", reason=_words(error))
    return CheckOutcome(action, run.id, run.url, missing)


def _made(client: Client, place: CheckPlace, fields: Mapping[str, object]) -> CheckRun:
    """Find our check run or make it; a POST whose answer was lost is looked for before it is sent again."""
    identity = {"name": place.name, "head_sha": place.head, "external_id": place.external_id}
    if place.details_url:
        identity["details_url"] = place.details_url
    lost: AnswerLost | None = None
    for turn in range(_TRIES):
        if turn:
            client.transport.sleep(client.transport.patience.backoff_s * turn * (1 + client.transport.draw()))
        found = _ours(client, place, unfinished=lost is None)
        if found is not None:
            return found
        try:
            return client.create_check({**identity, **fields})
        except AnswerLost as error:
            lost = error
    raise lost or AnswerLost("the check run could not be made")


def _ours(client: Client, place: CheckPlace, *, unfinished: bool) -> CheckRun | None:
    runs = [
        run
        for run in client.check_runs(place.head, place.name)
        if run.external_id == place.external_id and not (unfinished and run.status == "completed")
    ]
    return min(runs, key=lambda run: run.id, default=None)


def _annotate(client: Client, run: CheckRun, report: CheckReport) -> str:
    """Add the annotations in batches; give what is missing, in words."""
    on_lines = [annotation for annotation in report.annotations if annotation.file]
    shown = on_lines[:MOST_ANNOTATIONS]
    left_out = len(on_lines) - len(shown)
    output = _output(report.title, report.summary, report.text)
    there = run.annotations
    for start in range(0, len(shown), A_REQUEST):
        batch = [_annotation(each) for each in shown[start : start + A_REQUEST]]
        try:
            _send_batch(client, run.id, {**output, "annotations": batch}, there, len(batch))
        except GitHubError as error:
            return f"{len(on_lines) - start} annotations are missing: {_words(error)}"
        there += len(batch)
    return f"{left_out} annotations are beyond the {MOST_ANNOTATIONS} that are shown" if left_out else ""


def _send_batch(client: Client, check_id: int, output: Mapping[str, object], there: int, count: int) -> None:
    """Send one batch; after a lost answer GitHub's own count says whether it arrived."""
    for turn in range(_TRIES):
        try:
            client.update_check(check_id, {"output": output}, repeat=False)
        except AnswerLost:
            if turn == _TRIES - 1:
                raise
            client.transport.sleep(client.transport.patience.backoff_s * (1 + client.transport.draw()))
            if client.check_run(check_id).annotations >= there + count:
                return
        else:
            return


def _output(title: str, summary: str, text: Callable[[int], str] | None = None) -> dict[str, object]:
    output: dict[str, object] = {"title": title[:_TITLE] or "llm-eval-gate"}
    output["summary"] = _cut(summary, TEXT_LIMIT)
    if text is not None:
        fitting = (shown for shown in map(text, TEXT_LIMITS) if len(shown.encode("utf-8", "replace")) <= TEXT_LIMIT)
        output["text"] = next(fitting, "The report is too long for a check run.")
    return output


def _annotation(annotation: Annotation) -> dict[str, object]:
    fields: dict[str, object] = {
        "path": annotation.file,
        "start_line": max(annotation.line, 1),
        "end_line": max(annotation.end_line or annotation.line, annotation.line, 1),
        "annotation_level": _LEVELS[annotation.level],
        "message": _cut(annotation.message, _ANNOTATION_BYTES) or "-",
    }
    if annotation.title:
        fields["title"] = annotation.title[:_ANNOTATION_TITLE]
    return fields


def _cut(text: str, most_bytes: int) -> str:
    """Cut plain text to so many bytes, at a whole character."""
    raw = text.encode("utf-8", "replace")
    return text if len(raw) <= most_bytes else raw[: most_bytes - 3].decode("utf-8", "ignore") + "…"


def _words(error: GitHubError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message
