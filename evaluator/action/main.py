"""The action's main: event -> one activity -> exit code. What an activity does is in the files beside this one."""

from collections.abc import Callable, Mapping
from typing import TextIO

from evaluator.action import telling
from evaluator.action.artifact import publish_artifact
from evaluator.action.baseline import refresh
from evaluator.action.commits import Fetcher, of_group, of_pull, of_refs
from evaluator.action.evaluate import Subject, evaluate, internal
from evaluator.action.place import place_of
from evaluator.action.work import Work
from evaluator.errors import EvalGateError, ExitCode, InfrastructureError, UsageError
from evaluator.github import commands
from evaluator.github.activity import (
    Activity,
    Check,
    EvaluateGroup,
    EvaluatePull,
    EvaluateRefs,
    PublishArtifact,
    RefreshBaseline,
    Refuse,
    Request,
    ResolvePull,
    Skip,
    choose,
    complete,
)
from evaluator.github.answers import PullRequest
from evaluator.github.client import Client, connect
from evaluator.github.comment import Pace
from evaluator.github.event import Pull, load_payload, read_event
from evaluator.github.publish import Publication, publish
from evaluator.github.settings import Settings
from evaluator.source.scratch import scratch_folder
from evaluator.stopping import interruptible

MAY_WRITE = ("admin", "maintain", "write")
Connect = Callable[[Settings], Client]


def run_action(
    environ: Mapping[str, str], out: TextIO, *, door: Connect | None = None, pace: Pace | None = None
) -> int:
    """Do what this job's event asks for.

    Args:
        environ: The job's environment.
        out: The job's log.
        door: How GitHub is reached; for tests.
        pace: Waits of the comment; for tests.

    Returns:
        The exit code: 0 pass, or nothing to do; 1 the gate failed; 2 a mistake in configuration, inputs or event;
        3 a provider, GitHub or the machine failed.
    """
    try:
        settings = Settings.from_environ(environ)
    except EvalGateError as error:
        return _told_in_the_log(out, error)
    for secret in settings.secrets:
        commands.add_mask(out, secret.get_secret_value())
    for line in settings.inputs.warnings:
        commands.warning(out, commands.foreign(line), title="llm-eval-gate")
    with (
        scratch_folder("action-") as scratch,
        interruptible(),
        (door or _connect)(settings) as client,
    ):
        work = Work(settings, environ, client, out, scratch, pace)
        try:
            return _act(work, _chosen(work))
        except EvalGateError as error:
            known = error
        except KeyboardInterrupt:
            known = InfrastructureError("the run was cancelled", hint="run it again")
        except Exception as error:  # never Python's own exit code 1, which would read as "the gate failed"
            known = internal(error)
        work.say(f"error: {known}")
        told = telling.of_error(known, head="this run", run_url=settings.run_url, rerun=work.rerun)
        _publish_without_pull(work, told)
        return int(known.exit_code)


def _chosen(work: Work) -> Activity:
    settings, inputs = work.settings, work.settings.inputs
    request = Request(
        repository=settings.repository,
        sha=settings.sha,
        ref=settings.ref,
        base_ref=inputs.base_ref,
        head_ref=inputs.head_ref,
        pr_number=inputs.pr_number,
        head_sha=inputs.head_sha,
        compare_mode=inputs.compare_mode,
        artifact_path=inputs.artifact_path,
    )
    event = read_event(settings.event_name, load_payload(settings.event_path))
    activity = choose(event, request=request)
    if isinstance(activity, ResolvePull):
        activity = _resolved(work, activity, request)
    work.say(activity.reason)
    return activity


def _act(work: Work, activity: Activity) -> int:
    match activity:
        case Skip():
            _publish_without_pull(work, telling.of_skip(activity.reason))
            return ExitCode.PASS
        case Refuse():
            raise UsageError(activity.reason, hint=activity.hint)
        case EvaluatePull():
            return evaluate(work, _subject_of_pull(work, activity))
        case EvaluateGroup():
            return evaluate(work, _subject_of_group(activity))
        case EvaluateRefs():
            return _evaluate_refs(work, activity)
        case RefreshBaseline():
            return refresh(work, activity)
        case PublishArtifact():
            return publish_artifact(work, activity)
    raise AssertionError(f"{type(activity).__name__} has no activity")  # pragma: no cover - mypy sees to it


def _resolved(work: Work, asked: ResolvePull, request: Request) -> Activity:
    """A pull request that was named by hand: who asks is checked first, then GitHub is asked what it is now."""
    for need in asked.needs:
        if need.check is Check.COMMENTER_MAY_WRITE:
            permission = work.client.permission_of(need.subject)
            if permission not in MAY_WRITE:
                return Skip(
                    f"{need.subject} may not write to this repository ({permission}), so the command is ignored"
                )
    found = work.client.pull(asked.number)
    pull = Pull(
        number=found.number,
        open=found.state == "open",
        merged=False,
        draft=found.draft,
        author=found.author or None,
        labels=found.labels,
        head_sha=found.head_sha,
        head_ref=found.head_ref,
        head_repository=found.head_repository or None,
        base_sha=found.base_sha,
        base_ref=found.base_ref,
        base_repository=work.client.repository,
    )
    return complete(asked, pull, request=request)


def _subject_of_pull(work: Work, pull: EvaluatePull) -> Subject:
    now = _as_it_is_now(work, pull.number)
    return Subject(
        name=f"pull request {pull.number}",
        head=pull.head_sha,
        find=lambda fetcher: of_pull(fetcher, pull),
        number=pull.number,
        title=now.title if now else "",
        # A job that is run again has the event of its first run: what was a draft then may be none now.
        draft=now.draft if now else False,
        labels=now.labels if now else (),
        asked=pull.asked,
        expects_secrets=pull.expects_secrets,
        check_run=pull.check_run_needed,
        needs=pull.needs,
    )


def _subject_of_group(group: EvaluateGroup) -> Subject:
    return Subject("the merge group", group.head_sha, lambda fetcher: of_group(fetcher, group))


def _as_it_is_now(work: Work, number: int) -> PullRequest | None:
    """The pull request as GitHub has it; None, and nothing is skipped by draft or label, where it cannot be had."""
    try:
        return work.client.pull(number)
    except EvalGateError as error:
        work.say(f"title, draft and labels of pull request {number} are not known: {error.message}")
        return None


def _evaluate_refs(work: Work, refs: EvaluateRefs) -> int:
    fetcher = Fetcher(work)
    head = fetcher.named(refs.head_ref)
    return evaluate(work, Subject(f"{refs.head_ref} against {refs.base_ref}", head, lambda it: of_refs(it, refs, head)))


def _publish_without_pull(work: Work, publication: Publication) -> None:
    """Tell where there is no pull request to tell it on: log, outputs and summary."""
    publish(work.client, place_of(work, work.settings.sha), publication, out=work.out, pace=work.pace)


def _told_in_the_log(out: TextIO, error: EvalGateError) -> int:
    """Before anything is known of the job there is only the log."""
    for line in str(error).splitlines():
        commands.error(out, commands.foreign(line), title="llm-eval-gate")
    return int(error.exit_code)


def _connect(settings: Settings) -> Client:
    return connect(settings.api_url, settings.repository, settings.token)
