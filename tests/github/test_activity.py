"""Activities: every event and action leads to one, with a reason; what must be refused is refused."""

from typing import Any

import pytest

from evaluator.github.activity import (
    Activity,
    Check,
    EvaluateGroup,
    EvaluatePull,
    EvaluateRefs,
    Need,
    PublishArtifact,
    RefreshBaseline,
    Refuse,
    ResolvePull,
    Skip,
    choose,
)
from evaluator.github.event import read_event
from tests.github.payloads import BASE, GONE, HEAD, MERGE, decide, payload, request

SAME, FORK, DELETED = (payload(f"pull_request.opened.{name}") for name in ("same_repo", "fork", "fork_deleted"))
GROUP, PUSH, RUN = payload("merge_group"), payload("push"), payload("workflow_run.completed.fork")
DISPATCH = payload("workflow_dispatch")
OCTO: dict[str, Any] = {"repository": "octo-org/octo-repo"}
BY_DEPENDABOT = {"sender__login": "dependabot[bot]"}

PULL_ACTIONS = (
    "opened", "synchronize", "reopened", "ready_for_review", "converted_to_draft", "labeled", "unlabeled", "edited",
    "assigned", "unassigned", "locked", "unlocked", "milestoned", "demilestoned", "review_requested",
    "review_request_removed", "auto_merge_enabled", "auto_merge_disabled", "enqueued", "dequeued", "an_action_to_come",
)  # fmt: skip


def pull_of(activity: Activity) -> EvaluatePull:
    assert isinstance(activity, EvaluatePull), activity
    return activity


# Pull requests


def test_a_pull_request_of_the_same_repository_is_evaluated() -> None:
    assert decide("pull_request", SAME) == EvaluatePull(
        reason="pull_request event (opened) of pull request 2",
        number=2, head_sha=HEAD, base_sha=BASE, base_ref="master", head_ref="changes",
        head_repository="Codertocat/Hello-World", is_fork=False, draft=False, labels=("bug",), merge_sha=MERGE,
        compare_mode="merge", expects_secrets=True, asked=False, needs=(Need(Check.HEAD_UNMOVED, HEAD),),
    )  # fmt: skip


@pytest.mark.parametrize("action", PULL_ACTIONS)
@pytest.mark.parametrize("document", [SAME, FORK, DELETED], ids=["same", "fork", "deleted fork"])
def test_every_event_of_an_open_pull_request_is_evaluated(document: dict[str, Any], action: str) -> None:
    # Its author could turn a red check green with any event that is skipped.
    activity = pull_of(decide("pull_request", document, action=action))
    assert activity.merge_ref == "refs/pull/2/merge"
    assert not activity.check_run_needed


@pytest.mark.parametrize("action", ["closed", "labeled", "edited"])
@pytest.mark.parametrize(("merged", "word"), [(True, "merged"), (False, "closed")])
def test_nothing_is_done_for_a_closed_pull_request(action: str, merged: bool, word: str) -> None:
    activity = decide("pull_request", SAME, action=action, pull_request__state="closed", pull_request__merged=merged)
    assert activity == Skip(f"pull request 2 is {word}: there is nothing left to gate")
    assert isinstance(decide("pull_request", payload("pull_request.closed")), Skip)


def test_that_a_pull_request_is_a_draft_is_carried_and_not_decided() -> None:
    assert pull_of(decide("pull_request", payload("pull_request.draft"))).draft


@pytest.mark.parametrize(
    ("document", "changes", "secrets", "reason"),
    [
        (SAME, {}, True, "pull request 2"),
        (FORK, {}, False, "from a fork: a read-only token and no secrets are expected"),
        (DELETED, {}, False, "from a fork: a read-only token"),
        (SAME, BY_DEPENDABOT, False, "from Dependabot: a read-only token"),
        (SAME, {"pull_request__user__login": "dependabot[bot]"}, True, "pull request 2"),  # a person pushed to it
    ],
)
def test_forks_and_dependabot_are_expected_to_have_no_secrets(
    document: dict[str, Any], changes: dict[str, Any], secrets: bool, reason: str
) -> None:
    activity = pull_of(decide("pull_request", document, **changes))
    assert activity.expects_secrets is secrets
    assert activity.reason.count(reason) == 1


@pytest.mark.parametrize(("document", "subject"), [(FORK, "Mallory/Hello-World"), (DELETED, "a deleted fork")])
def test_a_forks_code_needs_a_sandbox(document: dict[str, Any], subject: str) -> None:
    activity = pull_of(decide("pull_request", document))
    assert Need(Check.SANDBOXED, subject) in activity.needs
    assert activity.is_fork


@pytest.mark.parametrize("action", [*PULL_ACTIONS, "closed"])
@pytest.mark.parametrize("document", [FORK, DELETED], ids=["fork", "deleted fork"])
def test_pull_request_target_with_a_forks_head_is_refused(document: dict[str, Any], action: str) -> None:
    activity = decide("pull_request_target", document, action=action)
    assert isinstance(activity, Refuse)
    assert "pull_request_target" in activity.reason
    assert "workflow_run" in activity.hint


def test_pull_request_target_of_the_same_repository_is_evaluated_without_a_merge_commit_of_the_job() -> None:
    activity = pull_of(decide("pull_request_target", SAME))
    assert activity.merge_sha is None
    assert activity.expects_secrets
    by_dependabot = decide("pull_request_target", SAME, pull_request__user__login="dependabot[bot]")
    assert not pull_of(by_dependabot).expects_secrets


def test_a_pull_request_for_another_repository_is_refused() -> None:
    for changes in ({"repository__full_name": "a/b"}, {"pull_request__base__repo__full_name": "a/b"}):
        assert isinstance(decide("pull_request", SAME, **changes), Refuse)


def test_a_job_whose_sha_is_none_has_no_merge_commit() -> None:
    assert pull_of(decide("pull_request", SAME, {"sha": "HEAD"})).merge_sha is None


@pytest.mark.parametrize(
    "inputs",
    [
        {"pr_number": 2, "head_sha": HEAD, "base_ref": "master", "head_ref": "changes"},
        {"base_ref": "refs/heads/master"},
        {"compare_mode": "merge-base"},
    ],
)
def test_inputs_that_say_what_the_event_says_change_nothing(inputs: dict[str, Any]) -> None:
    assert pull_of(decide("pull_request", SAME, inputs)).compare_mode == inputs.get("compare_mode", "merge")


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"pr_number": 3}, "pr-number is set to 3, but the event pull_request says 2"),
        ({"head_sha": BASE}, f"head-sha is set to '{BASE}', but the event pull_request says '{HEAD}'"),
        ({"base_ref": "release"}, "base-ref is set to 'release', but the event pull_request says 'master'"),
        ({"head_ref": "master"}, "head-ref is set to 'master', but the event pull_request says 'changes'"),
        ({"artifact_path": "report"}, "artifact-path is set to 'report', but the event pull_request has no use for it"),
    ],
)
def test_an_input_that_would_be_ignored_is_refused(inputs: dict[str, Any], said: str) -> None:
    activity = decide("pull_request", SAME, inputs)
    assert isinstance(activity, Refuse)
    assert activity.reason == said
    assert activity.hint.startswith("leave it empty here")


# Merge queue, default branch, schedule


def test_a_merge_group_is_evaluated() -> None:
    activity = decide("merge_group", GROUP, OCTO)
    assert isinstance(activity, EvaluateGroup)
    assert (activity.base_sha, activity.head_sha) == (
        "380387fbc80638b734a49e1be1c4dfec1c01b33c",
        "2ffea6db159f6b6c47a24e778fb9ef40cf6b1c7d",
    )
    assert (activity.base_ref, activity.reason) == (
        "main",
        "the merge queue of main asks for a check of 2ffea6db159f6b6c47a24e778fb9ef40cf6b1c7d",
    )


def test_a_destroyed_merge_group_is_skipped() -> None:
    activity = decide("merge_group", GROUP, OCTO, action="destroyed")
    assert activity == Skip("the merge group was destroyed: there is nothing left to gate")


def test_a_push_to_the_default_branch_refreshes_the_baseline() -> None:
    sha = PUSH["after"]
    reason = f"master, the default branch, moved to {sha}"
    assert decide("push", PUSH) == RefreshBaseline(reason=reason, sha=sha, ref="master")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"repository__default_branch": "main"}, "master is not the default branch main"),  # it was renamed
        ({"ref": "refs/heads/feature/x"}, "feature/x is not the default branch master"),
        ({"ref": "refs/tags/master"}, "master is a tag"),
        ({"deleted": True, "after": "0" * 40}, "master was deleted"),
        ({"after": "0" * 40}, "master was deleted"),
        ({"after": "0" * 64}, "master was deleted"),
    ],
)
def test_other_pushes_are_skipped(changes: dict[str, Any], reason: str) -> None:
    activity = decide("push", PUSH, **changes)
    assert isinstance(activity, Skip)
    assert activity.reason.startswith(reason)


def test_a_schedule_refreshes_the_baseline_of_the_default_branch() -> None:
    reason = f"the schedule asks for a fresh baseline of master at {MERGE}"
    expected = RefreshBaseline(reason=reason, sha=MERGE, ref="master")
    assert decide("schedule", payload("schedule")) == expected
    assert decide("schedule", {"schedule": "0 6 * * 1"}) == expected


def test_a_schedule_without_a_commit_is_refused() -> None:
    for inputs in ({"sha": ""}, {"sha": "x" * 40}, {"ref": ""}):
        assert isinstance(decide("schedule", {}, inputs), Refuse)


def test_a_schedule_can_compare_two_refs() -> None:
    activity = decide("schedule", payload("schedule"), {"base_ref": "v1.0", "head_ref": "master"})
    assert isinstance(activity, EvaluateRefs)
    assert activity.reason == "the schedule asks to compare v1.0 with master"
    assert isinstance(decide("schedule", payload("schedule"), {"base_ref": "v1.0"}), Refuse)


# Other


@pytest.mark.parametrize(
    "name", ["star", "repository_dispatch", "pull_request_review", "workflow_call", "", "x\n::error::"]
)
def test_an_unknown_event_is_refused_with_those_that_are_known(name: str) -> None:
    activity = choose(read_event(name, {}), request=request())
    assert isinstance(activity, Refuse)
    assert "workflow_dispatch" in activity.hint
    assert activity.reason.isprintable()


def test_a_payload_of_another_repository_is_refused() -> None:
    for name, document in (("push", PUSH), ("schedule", payload("schedule")), ("workflow_run", RUN)):
        activity = decide(name, document, {"repository": "a/b"})
        assert isinstance(activity, Refuse)
        assert activity.reason == "the event is of Codertocat/Hello-World, but the job runs for a/b"


def test_missing_parts_of_an_event_that_needs_none_are_no_mistake() -> None:
    assert isinstance(decide("workflow_dispatch", DISPATCH, OCTO, repository=GONE), Refuse)
    inputs = {**OCTO, "pr_number": 7, "head_sha": HEAD}
    assert isinstance(decide("workflow_dispatch", DISPATCH, inputs, repository=GONE, sender=GONE), ResolvePull)


# The publisher


ARTIFACT = {"artifact_path": "report"}


def test_the_report_of_a_forks_run_is_published_as_advice() -> None:
    assert decide("workflow_run", RUN, ARTIFACT) == PublishArtifact(
        reason=f"run 289782451 of {HEAD} ended as success: its report is published as advice",
        artifact_path="report", run_id=289782451, run_attempt=1, conclusion="success", head_sha=HEAD,
        head_branch="changes", head_repository="Mallory/Hello-World", is_fork=True, expects_secrets=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "is_fork", "secrets"),
    [
        ({}, True, False),
        ({"workflow_run__head_repository": None}, True, False),
        ({"workflow_run__conclusion": "failure"}, True, False),
        ({"workflow_run__head_repository__full_name": "codertocat/Hello-world"}, False, True),
        (
            {
                "workflow_run__head_repository__full_name": "Codertocat/Hello-World",
                "workflow_run__actor__login": "dependabot[bot]",
            },
            False,
            False,
        ),
    ],
)
def test_whose_run_it_was_is_carried(changes: dict[str, Any], is_fork: bool, secrets: bool) -> None:
    activity = decide("workflow_run", RUN, ARTIFACT, **changes)
    assert isinstance(activity, PublishArtifact)
    assert (activity.is_fork, activity.expects_secrets) == (is_fork, secrets)


@pytest.mark.parametrize(
    "changes",
    [
        {"action": "requested"},
        {"action": "in_progress"},
        {"workflow_run__conclusion": None},
        {"workflow_run__event": "push"},
        {"workflow_run__event": "pull_request_target"},
        *(
            {"workflow_run__conclusion": word}
            for word in ("cancelled", "skipped", "action_required", "startup_failure")
        ),
    ],
)
def test_runs_without_a_report_are_skipped(changes: dict[str, Any]) -> None:
    assert isinstance(decide("workflow_run", RUN, ARTIFACT, **changes), Skip)


def test_a_publisher_without_a_report_is_refused() -> None:
    activity = decide("workflow_run", RUN)
    assert isinstance(activity, Refuse)
    assert "artifact-path" in activity.reason


def test_which_pull_request_a_report_is_for_cannot_be_said_by_an_input() -> None:
    assert isinstance(decide("workflow_run", RUN, {**ARTIFACT, "pr_number": 2}), Refuse)
    assert isinstance(decide("workflow_run", RUN, {**ARTIFACT, "head_sha": BASE}), Refuse)
    assert isinstance(decide("workflow_run", RUN, {**ARTIFACT, "head_sha": HEAD}), PublishArtifact)
