"""Evaluates one change and tells the outcome, whatever happens on the way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from evaluator.action import telling
from evaluator.action.commits import Commits, Fetcher
from evaluator.action.job import job_of, run_within
from evaluator.action.keys import holds_keys
from evaluator.action.place import place_of
from evaluator.action.when import Facts, why_not
from evaluator.action.work import Work
from evaluator.errors import EvalGateError, ExitCode, InfrastructureError, UsageError
from evaluator.github import commands
from evaluator.github.activity import Check, Need
from evaluator.github.comment import Pace
from evaluator.github.publish import Place, Publication, announce, publish
from evaluator.github.settings import make_report_folder
from evaluator.pipeline import Outcome, finish
from evaluator.report import notices
from evaluator.report.document import ResultDocument
from evaluator.report.files import try_folder, write_reports
from evaluator.results.score_files import write_metrics, write_scores
from evaluator.runner.opening import Opening
from evaluator.stopping import result_is_told

AT_ONCE = Pace(settle_s=0, retry_s=0)
"""For a process that was told to end."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is evaluated, and where it is told."""

    name: str
    """For people, e.g. "pull request 7"."""
    head: str
    """SHA that comment and check run are about."""
    find: Callable[[Fetcher], Commits]
    number: int | None = None
    title: str = ""
    """Of the pull request; untrusted."""
    draft: bool = False
    labels: tuple[str, ...] = ()
    asked: bool = True
    """By hand: rules on drafts, paths and labels do not apply."""
    expects_secrets: bool = True
    check_run: bool = False
    """Whether the job does not show at the head, so that only a check run can."""
    needs: tuple[Need, ...] = ()


class Skipped(Exception):
    """The config says that this change is not evaluated; ends the run before anything is started."""


@dataclass(slots=True)
class _Seen:
    """What was found on the way to the result, for what is told of it."""

    place: Place
    lines: telling.Lines = field(default_factory=telling.Lines)
    on_inconclusive: str = "warn"
    outcome: Outcome | None = None
    """Of a run whose reports are written."""


def evaluate(work: Work, subject: Subject) -> int:
    """Run the gate on a subject; gives the job's exit code. What was begun is always finished, also when told to end.

    Errors of the run are told and become the exit code; nothing is raised.
    """
    check = work.settings.inputs.check_name if work.settings.inputs.check_run else ""
    seen = _Seen(place_of(work, subject.head, number=subject.number, check=check))
    told: tuple[Publication, int] | None = None
    try:
        told = _outcome(work, subject, seen)
        publish(work.client, seen.place, told[0], out=work.out, pace=work.pace)
    except KeyboardInterrupt:
        if told is None:  # its reports may be written, but nobody is told of them
            seen.outcome, told = None, _cancelled(work, subject)
        publish(work.client.hurried(), seen.place, told[0], out=work.out, pace=AT_ONCE)
    result_is_told()
    if seen.outcome is not None:
        finish_run(work, seen.outcome)
    return told[1]


def _outcome(work: Work, subject: Subject, seen: _Seen) -> tuple[Publication, int]:
    """What is told, and the exit code."""
    try:
        return _evaluated(work, subject, seen)
    except Skipped as skipped:
        # A comment that is there is kept up to date; none is made just to say that there is nothing.
        if seen.place.comment_mode != "off":
            seen.place = replace(seen.place, comment_mode="on-failure")
        return telling.of_skip(str(skipped)), ExitCode.PASS
    except EvalGateError as error:
        known = _with_hint_for_forks(error, subject)
    except Exception as error:  # a defect of ours must end in words too, and never in an exit code that means "fail"
        known = internal(error)
    work.say(f"error: {known}")
    told = telling.of_error(known, head=subject.name, run_url=work.settings.run_url, rerun=work.rerun)
    return told, int(known.exit_code)


def _cancelled(work: Work, subject: Subject) -> tuple[Publication, int]:
    error = InfrastructureError("the run was cancelled before it had a verdict", hint="run it again")
    told = telling.of_error(error, head=subject.name, run_url=work.settings.run_url, rerun=work.rerun, cancelled=True)
    return told, ExitCode.INFRASTRUCTURE


def _announce(work: Work, subject: Subject, seen: _Seen) -> None:
    """Say that the run has begun, once it is known that there will be one."""
    begun = announce(
        work.client, seen.place, lambda _: notices.begun(subject.name, work.settings.run_url),
        # Without another look: the app's first question need not wait, and writing the verdict looks again.
        title=f"Evaluating {subject.name}", pace=replace(work.pace or Pace(), settle_s=0),
    )  # fmt: skip
    for line in begun.failures:
        work.say(line)
    if begun.check is not None and begun.check.check_id is not None:
        seen.place = replace(seen.place, check_id=begun.check.check_id)


def internal(error: Exception) -> InfrastructureError:
    """An error of our own making, for people."""
    return InfrastructureError(
        f"internal error: {type(error).__name__}: {ascii(str(error))[:300]}",
        hint="this is a defect of llm-eval-gate; please report it with this line",
    )


def _evaluated(work: Work, subject: Subject, seen: _Seen) -> tuple[Publication, int]:
    _check_head(work, subject)
    with commands.group(work.out, "Fetching"):
        commits = subject.find(Fetcher(work))
        for name, sha in (("base", commits.base), ("head", commits.head), ("rules", commits.rules)):
            work.say(f"{name}: {sha or 'missing'}")
    job = job_of(work, commits, opened=lambda opening: _opened(work, subject, opening, seen, commits))
    outcome = run_within(work, job)
    document = _for_people(outcome.document, subject, commits, show=work.settings.inputs.show_outputs)
    code = telling.exit_code(document, outcome.exit_code, work.settings.inputs.fail_on)
    files = write_files(work, document, outcome)
    seen.outcome = outcome
    return telling.of_document(
        document, code, on_inconclusive=seen.on_inconclusive, run_url=work.settings.run_url, files=files,
        lines=seen.lines,
    ), code  # fmt: skip


def _check_head(work: Work, subject: Subject) -> None:
    """See that nobody has pushed since somebody asked for just this commit.

    Raises:
        InfrastructureError: Somebody has.
    """
    wanted = [need.subject for need in subject.needs if need.check is Check.HEAD_UNMOVED]
    if not wanted or subject.number is None or not subject.asked:
        return  # a job of `pull_request` shows at its own commit, and the next push has a job of its own
    found = work.client.pull(subject.number).head_sha
    if found != wanted[0]:
        raise InfrastructureError(
            f"the head of {subject.name} is {found[:12]} by now, and {wanted[0][:12]} was asked for",
            hint="read what was pushed since, then ask for that commit",
        )


def _opened(work: Work, subject: Subject, opening: Opening, seen: _Seen, commits: Commits) -> None:
    """Look at the rules before anything is started.

    Raises:
        Skipped: They say that this change is not evaluated.
        UsageError: A fork's code would run where keys are.
    """
    loaded = opening.policy.loaded
    seen.on_inconclusive = loaded.config.on_inconclusive
    folder = work.settings.inputs.working_directory or ""
    changed = [str(PurePosixPath(file.path)) for file in opening.sources.changed]
    inside = [path.removeprefix(f"{folder}/") for path in changed if not folder or path.startswith(f"{folder}/")]
    if not subject.asked:
        known = inside if commits.base is not None else None
        why = why_not(loaded.config.when, Facts(subject.draft, subject.labels, known, opening.ruling_files()))
        if why is not None:
            told = "; ".join(f"{change.path}: {change.what}" for change in opening.changes)
            raise Skipped(f"{why}; it also changes how it is judged: {told}" if told else why)
    prompt = loaded.config.target.prompt or ""
    seen.lines = telling.Lines(
        config=str(PurePosixPath(folder) / loaded.name),
        objectives={name: loaded.text.line(("objectives", name)) for name in loaded.config.objectives},
        prompt=str(PurePosixPath(folder) / prompt) if prompt in inside else "",
    )
    fork = next((need.subject for need in subject.needs if need.check is Check.SANDBOXED), None)
    runs_code = loaded.config.target.prompt is None or opening.policy.side == "head"
    # A run by hand has a token that can write; one of `pull_request` from a fork has none.
    if fork is not None and runs_code and (subject.asked or holds_keys(work, loaded.config)):
        raise UsageError(
            f"the code under test comes from {fork}, and it would run where keys are",
            hint="run it in a job without secrets, see `fork-evaluate.yml` among the examples; prompts are safe",
        )
    if subject.check_run and seen.place.check is None:
        work.say("this job does not show at the pull request's head; `check-run: true` makes a check run that does")
    try_report_folder(work)
    _announce(work, subject, seen)


def _with_hint_for_forks(error: EvalGateError, subject: Subject) -> EvalGateError:
    if not subject.expects_secrets and "environment variable" in error.message:
        error.hint = (
            "GitHub gives no secrets to pull requests from forks and from Dependabot; see docs/action.md,"
            " 'Forks and Dependabot', for the ways to evaluate them all the same"
        )
    return error


def _for_people(document: ResultDocument, subject: Subject, commits: Commits, *, show: bool) -> ResultDocument:
    """Name the head as people know it: the pull request's own commit and title, not the merge that was run."""
    title = subject.title if show else ""
    head = document.head.model_copy(
        update={"sha": commits.shown_head, "label": subject.name, "subject": title or document.head.subject}
    )
    notes = document.notes
    if commits.head != commits.shown_head:
        notes = [*notes, f"what was run is its merge into {commits.base_name} ({commits.head[:12]})"]
    return document.model_copy(update={"head": head, "notes": notes})


def try_report_folder(work: Work) -> None:
    """See that the reports can be written, before anything is paid for.

    Raises:
        EvalGateError: They cannot.
    """
    try_folder(make_report_folder(work.settings), option="`report-path`")


def finish_run(work: Work, outcome: Outcome) -> None:
    """Note that a run is over, after it was told; where that fails the next one like it goes on with it."""
    try:
        finish(outcome)
    except InfrastructureError as error:
        work.say(f"the run could not be noted as finished: {error.message}")


def write_files(work: Work, document: ResultDocument, outcome: Outcome) -> Mapping[str, str]:
    """Write the reports where later steps find them; gives the outputs that say where.

    Written only now, when no process of the app is left that could have put links there.
    """
    folder = make_report_folder(work.settings)
    files = write_reports(document, folder)
    write_scores(outcome.table, folder)
    write_metrics(outcome.metrics, folder)
    relative = work.settings.inputs.report_path
    return {"report-path": relative, "result-path": f"{relative}/{files.result.name}"}
