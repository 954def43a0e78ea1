"""An event becomes one activity, with its reason. Pure: what only GitHub's API can tell is left as a `Need`.

A `Skip` ends the job green, so it must not turn a red check green: who opened a pull request can edit or convert it at
will, and each such event of an open pull request is evaluated again. (A workflow that runs on `closed` must run on
`reopened`, too.)
"""

import re
from collections.abc import Mapping

from evaluator.github import fields
from evaluator.github.activity_kinds import (
    Activity,
    Check,
    EvaluateGroup,
    EvaluatePull,
    EvaluateRefs,
    Need,
    PublishArtifact,
    RefreshBaseline,
    Refuse,
    Request,
    ResolvePull,
    Skip,
)
from evaluator.github.event import PULL_EVENTS, Comment, Event, Group, Pull, Push, Run, same_repository
from evaluator.github.fields import is_ref, is_sha
from evaluator.report.escape import terminal

__all__ = [
    "Activity",
    "Check",
    "EvaluateGroup",
    "EvaluatePull",
    "EvaluateRefs",
    "Need",
    "PublishArtifact",
    "RefreshBaseline",
    "Refuse",
    "Request",
    "ResolvePull",
    "Skip",
    "choose",
    "complete",
]

COMMAND = "/eval"
DEPENDABOT = "dependabot[bot]"
REPORTED = ("success", "failure")
"""Ends of a run that leave a report."""
KNOWN = "pull_request, merge_group, push, schedule, workflow_dispatch, issue_comment and workflow_run"

_PINNED = re.compile(r"[0-9a-fA-F]{7,64}")
_PULL_REF = re.compile(r"(?:refs/)?pull/")
_OTHER_REF = re.compile(r"refs/(?!heads/|tags/)")
_MEANT_AS_PIN = re.compile(r"[0-9a-fA-F]+|.*[0-9].*")


def choose(event: Event, *, request: Request) -> Activity:
    """Decide what is done about an event; never raises."""
    if event.repository is not None and not same_repository(event.repository, request.repository):
        found = f"the event is of {event.repository}, but the job runs for {terminal(request.repository)}"
        return Refuse(found, "GITHUB_REPOSITORY and the payload at GITHUB_EVENT_PATH must be of the same repository")
    match event.subject:
        case Pull() as pull:
            return _pull(event, pull, request)
        case Group() as group:
            return _group(event, group, request)
        case Comment() as comment:
            return _comment(event, comment, request)
        case Push() as push:
            return _push(event, push, request)
        case Run() as run:
            return _run(event, run, request)
    if event.name == "schedule":
        return _schedule(event, request)
    if event.name == "workflow_dispatch":
        return _dispatch(request)
    return Refuse(f"the event {fields.found(event.name)} says nothing that could be evaluated", f"use {KNOWN}")


def complete(asked: ResolvePull, pull: Pull, *, request: Request) -> EvaluatePull | Skip | Refuse:
    """Decide about a pull request that was named by hand, now that the API has shown it; never raises."""
    if pull.number != asked.number or not same_repository(pull.base_repository, request.repository):
        found = f"the API answered with pull request {pull.number} of {pull.base_repository}"
        return Refuse(found, f"pull request {asked.number} of {terminal(request.repository)} was asked for")
    if not pull.open:
        return Skip(_closed(pull))
    if asked.pinned is not None and not pull.head_sha.startswith(asked.pinned):
        found = f"the head of pull request {pull.number} is {pull.head_sha}, not {asked.pinned} as was asked for"
        return Refuse(found, "look at what was pushed since; then ask again with the new commit")
    if pull.is_fork and (asked.pinned is None or not is_sha(asked.pinned)):
        # Between the command and this look at the head, its author can push; the first digits of a hash can be forged.
        found = f"pull request {pull.number} comes from a fork, and which of its commits was meant is not certain"
        hint = f"read its last commit; then comment {COMMAND} and the whole hash of that commit"
        return Refuse(found, hint)
    reason = f"{asked.reason}; its head is {pull.head_sha}" + (", from a fork" if pull.is_fork else "")
    return _evaluate(pull, reason, request, expects_secrets=True, asked=True)


def _pull(event: Event, pull: Pull, request: Request) -> Activity:
    if not same_repository(pull.base_repository, request.repository):
        found = f"pull request {pull.number} is for {pull.base_repository}, but the job runs for "
        return Refuse(found + terminal(request.repository), "start the workflow in the repository of its base")
    on_target = event.name == "pull_request_target"
    if on_target and pull.is_fork:
        found = (
            f"pull request {pull.number} comes from a fork: pull_request_target would let its code near your secrets"
        )
        hint = "use pull_request; a second workflow on workflow_run can publish its report, see examples/workflows"
        return Refuse(found, hint)
    if not pull.open:
        return Skip(_closed(pull))
    own = {"pr_number": pull.number, "head_sha": pull.head_sha, "base_ref": pull.base_ref, "head_ref": pull.head_ref}
    if stray := _stray(event, request, own):
        return stray
    by_dependabot = event.sender == DEPENDABOT or (on_target and pull.author == DEPENDABOT)
    expects_secrets = not pull.is_fork and not by_dependabot
    reason = f"{event.name} event ({event.action.replace('_', ' ')}) of pull request {pull.number}"
    if not expects_secrets:
        reason += f" from {'a fork' if pull.is_fork else 'Dependabot'}: a read-only token and no secrets are expected"
    merge_sha = request.sha if not on_target and is_sha(request.sha) else None
    return _evaluate(pull, reason, request, expects_secrets=expects_secrets, asked=False, merge_sha=merge_sha)


def _evaluate(
    pull: Pull, reason: str, request: Request, *, expects_secrets: bool, asked: bool, merge_sha: str | None = None
) -> EvaluatePull:
    needs = [Need(Check.HEAD_UNMOVED, pull.head_sha)]
    if pull.is_fork:  # also without secrets: a private repository may have been set to hand them to forks
        needs.append(Need(Check.SANDBOXED, pull.head_repository or "a deleted fork"))
    return EvaluatePull(
        reason=reason,
        number=pull.number,
        head_sha=pull.head_sha,
        base_sha=pull.base_sha,
        base_ref=pull.base_ref,
        head_ref=pull.head_ref,
        head_repository=pull.head_repository,
        is_fork=pull.is_fork,
        draft=pull.draft,
        labels=pull.labels,
        merge_sha=merge_sha,
        compare_mode=request.compare_mode,
        expects_secrets=expects_secrets,
        asked=asked,
        needs=tuple(needs),
    )


def _closed(pull: Pull) -> str:
    return f"pull request {pull.number} is {'merged' if pull.merged else 'closed'}: there is nothing left to gate"


def _group(event: Event, group: Group, request: Request) -> Activity:
    if event.action != "checks_requested":
        return Skip(f"the merge group was {event.action.replace('_', ' ')}: there is nothing left to gate")
    own = {"head_sha": group.head_sha, "base_ref": group.base_ref, "head_ref": group.head_ref}
    if stray := _stray(event, request, own):
        return stray
    return EvaluateGroup(
        reason=f"the merge queue of {terminal(group.base_ref)} asks for a check of {group.head_sha}",
        base_sha=group.base_sha,
        head_sha=group.head_sha,
        base_ref=group.base_ref,
        head_ref=group.head_ref,
    )


def _comment(event: Event, comment: Comment, request: Request) -> Activity:
    if event.action != "created":
        return Skip(f"a comment was {event.action}: only new comments are commands")
    words = comment.first_line.split()
    if not words or words[0] != COMMAND or not comment.first_line.startswith(COMMAND):
        return Skip(f"the comment's first line is not the command {COMMAND}")
    if not comment.on_pull:
        return Skip(f"{comment.number} is an issue, and only pull requests can be evaluated")
    if not comment.open:
        return Skip(f"pull request {comment.number} is closed: there is nothing left to gate")
    if comment.author is None:
        return Refuse("the account that wrote the comment is gone", f"somebody who may write can comment {COMMAND}")
    if stray := _stray(event, request, {"pr_number": comment.number}):
        return stray
    pinned = words[1] if len(words) > 1 and _MEANT_AS_PIN.fullmatch(words[1]) else None
    if pinned is not None and not _PINNED.fullmatch(pinned):
        hint = f"write {COMMAND} alone, or {COMMAND} and the first 7 or more digits of the commit at the head"
        return Refuse(f"{terminal(pinned)!r} after {COMMAND} is not a commit", hint)
    return ResolvePull(
        reason=f"{comment.author} commented {COMMAND} on pull request {comment.number}",
        number=comment.number,
        pinned=pinned.lower() if pinned else None,
        needs=(Need(Check.COMMENTER_MAY_WRITE, comment.author),),
    )


def _dispatch(request: Request) -> Activity:
    names = ("pr_number", "head_sha", "base_ref", "head_ref", "artifact_path")
    given = [name.replace("_", "-") for name in names if getattr(request, name) is not None]
    if given == ["base-ref", "head-ref"]:
        return _refs("workflow_dispatch", request)
    number, sha = request.pr_number, request.head_sha
    if given != ["pr-number", "head-sha"] or number is None or sha is None:
        found = " and ".join(given) or "nothing that says what to evaluate"
        hint = "give pr-number and head-sha for a pull request, or else base-ref and head-ref for two refs"
        return Refuse(f"workflow_dispatch was given {found}", hint)
    if not 0 < number < fields.MAX_NUMBER or not is_sha(sha):
        found = f"pr-number {fields.found(number)} with head-sha {fields.found(sha)} is no head of a pull request"
        return Refuse(found, "give the number of a pull request and the whole hash of the commit at its head")
    reason = f"workflow_dispatch asks for pull request {number}"
    return ResolvePull(reason=reason, number=number, pinned=sha, needs=())


def _refs(asker: str, request: Request) -> EvaluateRefs | Refuse:
    base, head = request.base_ref or "", request.head_ref or ""
    for name, ref in (("base-ref", base), ("head-ref", head)):
        if _PULL_REF.match(ref):
            hint = "use pr-number and head-sha, so that it is certain which commit is meant"
            return Refuse(f"{name} {fields.found(ref)} is a pull request's", hint)
        if not is_ref(ref) or _OTHER_REF.match(ref):
            hint = "give a branch, a tag or a whole commit hash of this repository"
            return Refuse(f"{name} {fields.found(ref)} is no name of a ref", hint)
    reason = f"{asker} asks to compare {terminal(base)} with {terminal(head)}"
    return EvaluateRefs(reason=reason, base_ref=base, head_ref=head, compare_mode=request.compare_mode)


def _push(event: Event, push: Push, request: Request) -> Activity:
    name = terminal(push.ref)
    if push.sha is None:
        return Skip(f"{name} was deleted")
    if push.is_tag:
        return Skip(f"{name} is a tag: baselines are of the default branch")
    if push.ref != event.default_branch:
        default = terminal(event.default_branch or "")
        return Skip(f"{name} is not the default branch {default}: its changes are evaluated in their pull request")
    own = {"head_sha": push.sha, "head_ref": push.ref}
    return _stray(event, request, own) or RefreshBaseline(
        reason=f"{name}, the default branch, moved to {push.sha}", sha=push.sha, ref=push.ref
    )


def _schedule(event: Event, request: Request) -> Activity:
    both = request.base_ref is not None and request.head_ref is not None
    if stray := _stray(event, request, {"base_ref": request.base_ref, "head_ref": request.head_ref} if both else {}):
        return stray
    if both:
        return _refs("the schedule", request)
    branch = event.default_branch or request.ref.removeprefix("refs/heads/")
    if not is_sha(request.sha) or not is_ref(branch):
        found = f"GITHUB_SHA {fields.found(request.sha)} and GITHUB_REF {fields.found(request.ref)} name no commit"
        return Refuse(found, "GitHub's runner sets GITHUB_SHA and GITHUB_REF to the default branch")
    reason = f"the schedule asks for a fresh baseline of {terminal(branch)} at {request.sha}"
    return RefreshBaseline(reason=reason, sha=request.sha, ref=branch)


def _run(event: Event, run: Run, request: Request) -> Activity:
    if event.action != "completed" or run.conclusion is None:
        return Skip(
            f"run {run.id} has not ended yet ({event.action.replace('_', ' ')}): its report is published when it has"
        )
    if run.event not in PULL_EVENTS[:1]:
        return Skip(f"run {run.id} was started by {run.event}: only runs of pull_request leave a report to publish")
    if run.conclusion not in REPORTED:
        return Skip(f"run {run.id} ended as {run.conclusion.replace('_', ' ')}: it left no report to publish")
    if request.artifact_path is None:
        hint = "download the run's artifact with actions/download-artifact and name its folder in artifact-path"
        return Refuse("workflow_run publishes a finished report, but artifact-path is not set", hint)
    if stray := _stray(event, request, {"head_sha": run.head_sha, "artifact_path": request.artifact_path}):
        return stray
    is_fork = run.head_repository is None or not same_repository(run.head_repository, request.repository)
    return PublishArtifact(
        reason=f"run {run.id} of {run.head_sha} ended as {run.conclusion}: its report is published as advice",
        artifact_path=request.artifact_path,
        run_id=run.id,
        run_attempt=run.attempt,
        conclusion=run.conclusion,
        head_sha=run.head_sha,
        head_branch=run.head_branch,
        head_repository=run.head_repository,
        is_fork=is_fork,
        expects_secrets=not is_fork and run.actor != DEPENDABOT,
    )


def _stray(event: Event, request: Request, own: Mapping[str, object]) -> Refuse | None:
    """Refuse an input that would be ignored: one that says something else than the event itself."""
    for name in ("pr_number", "head_sha", "base_ref", "head_ref", "artifact_path"):
        given = getattr(request, name)
        plain = given.removeprefix("refs/heads/") if isinstance(given, str) else given
        if given is not None and own.get(name) not in (given, plain):
            said = f"says {fields.found(own[name])}" if name in own else "has no use for it"
            found = f"{name.replace('_', '-')} is set to {fields.found(given)}, but the event {event.name} {said}"
            user = "workflow_run" if name == "artifact_path" else "workflow_dispatch"
            return Refuse(found, f"leave it empty here; it is for {user}")
    return None
