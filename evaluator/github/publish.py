"""Everything that tells people the outcome: check run, comment, annotations, outputs, job summary.

Each is on its own: what fails stops none of the others, and is told in the log and in the job summary, which comes
last for that. With a read-only token (forks, Dependabot) the log, the outputs and the summary are what is left.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TextIO, TypeVar

from evaluator.github import commands
from evaluator.github.check import CheckOutcome, CheckPlace, CheckReport, complete_check, start_check
from evaluator.github.client import Client
from evaluator.github.commands import Annotation
from evaluator.github.comment import CommentOutcome, Mode, Pace, Post, put_comment
from evaluator.github.sticky import RunNumber
from evaluator.report.escape import markdown

T = TypeVar("T")
State = Literal["pass", "fail", "inconclusive", "error"]
UNRENDERED = "**The report could not be rendered.** The job's log says why."
MOST_LOG_ANNOTATIONS = 10
"""The runner keeps ten of a level for a step, and drops the rest unseen."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where things are published."""

    number: int | None
    """The pull request; None for none, as in a merge queue: no comment."""
    head: str
    """SHA of the pull request's head, which comment and check run are about."""
    run: RunNumber
    key: str = ""
    comment_mode: Mode = "always"
    check: CheckPlace | None = None
    """The check run; None for none."""
    check_id: int | None = None
    """The check run that was begun; None if none was, or if it is to be looked for."""
    output_file: Path | None = None
    summary_file: Path | None = None
    job_summary: bool = True


@dataclass(frozen=True, slots=True)
class Publication:
    """What is published."""

    state: State
    comment: Callable[[int], str]
    """Gives the comment for a limit in UTF-16 units."""
    summary: Callable[[int], str]
    """Gives the job summary for a limit in bytes."""
    check: CheckReport
    annotations: Sequence[Annotation] = ()
    """For the log; those of the check run are in its report."""
    outputs: Mapping[str, str] = field(default_factory=dict)
    """Step outputs; `comment-url` and `check-run-url` are added."""
    changed: bool = True
    """Whether there is anything to tell of, for the comment mode `on-change`."""


@dataclass(frozen=True, slots=True)
class PublishOutcome:
    """What became of it."""

    comment: CommentOutcome | None
    """None where there was no pull request or no client."""
    check: CheckOutcome | None
    """None where no check run was asked for, or there was no client."""
    failures: tuple[str, ...]
    """What could not be published and why, a line each."""
    notes: tuple[str, ...]
    """What was left out on purpose and why, a line each."""


@dataclass(slots=True)
class _Told:
    """Collects the lines of one publication."""

    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def attempt(self, what: str, act: Callable[[], str]) -> None:
        """Do one thing; `act` gives why it failed, or nothing. Whatever it raises stops nothing else."""
        try:
            reason = act()
        except Exception as error:  # a renderer's bug must not take the other publications with it
            reason = f"{type(error).__name__}: {error}"
        if reason:
            self.failures.append(f"{what}: {reason}")

    def guarded(self, what: str, render: Callable[[int], str]) -> Callable[[int], str]:
        """Give a renderer that never fails: what says "in progress" must be ended whatever happens."""

        def text(limit: int) -> str:
            try:
                return render(limit)
            except Exception as error:
                line = f"{what}: it could not be rendered: {type(error).__name__}: {error}"
                if line not in self.failures:
                    self.failures.append(line)
                return UNRENDERED

        return text


def announce(
    client: Client | None, place: Place, render: Callable[[int], str], *, title: str, pace: Pace | None = None
) -> PublishOutcome:
    """Say that the run has begun: check run in progress, and "in progress" in the comment.

    Whoever announces must publish in the end, also when told to end by a signal: see `publish`.
    """
    told = _Told()
    check: list[CheckOutcome] = []
    comment: list[CommentOutcome] = []
    if client is not None and place.check is not None:
        told.attempt("check run", lambda: _started(client, place.check, title, check))
    if client is not None and place.number is not None:
        # Whether it fails or changes anything is not known yet: only `always` makes a comment now.
        quiet = Publication("pass", render, render, CheckReport("neutral", title, title), changed=False)
        told.attempt("comment", lambda: _commented(client, place, quiet, pace, comment, told))
    return PublishOutcome(_last(comment), _last(check), tuple(told.failures), tuple(told.notes))


def publish(
    client: Client | None, place: Place, publication: Publication, *, out: TextIO, pace: Pace | None = None
) -> PublishOutcome:
    """Publish the outcome wherever it can be.

    Args:
        client: GitHub; None without a token. In a process that was told to end: `client.hurried()`.
        place: Where.
        publication: What.
        out: The job's log.
        pace: Waits of the comment; `Pace(settle_s=0, retry_s=0)` for a process that was told to end.

    Returns:
        What became of each. Nothing is raised: that something could not be told is no verdict.
    """
    told = _Told()
    comment: list[CommentOutcome] = []
    check: list[CheckOutcome] = []
    if client is None:
        told.notes.append("comment and check run: there is no token")
    if client is not None and place.check is not None:
        told.attempt("check run", lambda: _checked(client, place, publication, check, told))
    if client is not None and place.number is not None:
        told.attempt("comment", lambda: _commented(client, place, publication, pace, comment, told))
    outputs = {
        **publication.outputs,
        "comment-url": comment[0].url if comment else "",
        "check-run-url": check[0].url if check else "",
    }
    told.attempt("annotations", lambda: _annotated(out, publication.annotations, told))
    told.attempt("outputs", lambda: commands.write_outputs(place.output_file, outputs).reason)
    if place.job_summary:
        told.attempt("job summary", lambda: _summarised(place, publication, told))
    outcome = PublishOutcome(_last(comment), _last(check), tuple(told.failures), tuple(told.notes))
    told.attempt("log", lambda: _logged(out, outcome))
    return outcome


def _started(client: Client, place: CheckPlace | None, title: str, found: list[CheckOutcome]) -> str:
    if place is None:
        return ""
    outcome = start_check(client, place, title=title, summary=title)
    found.append(outcome)
    return "" if outcome.action == "started" else outcome.reason


def _commented(
    client: Client,
    place: Place,
    publication: Publication,
    pace: Pace | None,
    found: list[CommentOutcome],
    told: _Told,
) -> str:
    number = place.number
    if number is None:
        return ""
    failed = publication.state != "pass"
    post = Post(number, place.head, place.run, place.key, place.comment_mode, failed, publication.changed)
    render = told.guarded("comment", publication.comment)
    outcome = put_comment(client, post, render, current_head=lambda: client.pull(number).head_sha, pace=pace)
    found.append(outcome)
    if outcome.action == "skipped":
        told.notes.append(f"comment: {outcome.reason}")
        return ""
    return outcome.reason


def _checked(client: Client, place: Place, publication: Publication, found: list[CheckOutcome], told: _Told) -> str:
    if place.check is None:
        return ""
    text = publication.check.text
    report = publication.check if text is None else replace(publication.check, text=told.guarded("check run", text))
    outcome = complete_check(client, place.check, report, place.check_id)
    found.append(outcome)
    return outcome.reason


def _annotated(out: TextIO, annotations: Sequence[Annotation], told: _Told) -> str:
    """Print the annotations; of each level as many as the runner keeps, and how many more there are."""
    printed: dict[str, int] = {}
    for annotation in annotations:
        printed[annotation.level] = printed.get(annotation.level, 0) + 1
        if printed[annotation.level] <= MOST_LOG_ANNOTATIONS:
            commands.annotate(out, annotation)
    more = sum(max(count - MOST_LOG_ANNOTATIONS, 0) for count in printed.values())
    if more:
        told.notes.append(f"annotations: {more} more are in the report; the runner shows ten of a level")
    return ""


def _summarised(place: Place, publication: Publication, told: _Told) -> str:
    """Write the summary, and above it what could not be published."""
    lines = [f"> ⚠️ Not published: {markdown(line, 500)}" for line in told.failures]
    above = "\n>\n".join(lines) + "\n\n" if lines else ""
    room = len(above.encode())

    summary = told.guarded("job summary", publication.summary)

    def render(limit: int) -> str:
        return above + summary(max(limit - room, 2_000))

    return commands.append_summary(place.summary_file, render).reason


def _logged(out: TextIO, outcome: PublishOutcome) -> str:
    for line in outcome.failures:
        commands.warning(out, commands.foreign(line), title="llm-eval-gate could not publish everything")
    for line in outcome.notes:
        out.write(f"{commands.foreign(line)}\n")
    if outcome.comment and outcome.comment.url:
        out.write(f"comment: {commands.foreign(outcome.comment.url)}\n")
    out.flush()
    return ""


def _last(found: list[T]) -> T | None:
    return found[-1] if found else None
