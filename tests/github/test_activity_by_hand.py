"""What people ask for by hand: dispatches and comments, and what becomes of them once the API has shown the pull request."""

from dataclasses import replace
from typing import Any

import pytest

from evaluator.github.activity import (
    Activity,
    Check,
    EvaluatePull,
    EvaluateRefs,
    Need,
    Refuse,
    ResolvePull,
    Skip,
    complete,
)
from evaluator.github.event import Pull
from tests.github.payloads import BASE, HEAD, decide, payload, pull_in, request

COMMENT = payload("issue_comment.created.on_pr")
OCTO: dict[str, Any] = {"repository": "octo-org/octo-repo"}
SAME, FORK, DELETED = (
    pull_in(payload(f"pull_request.opened.{name}")) for name in ("same_repo", "fork", "fork_deleted")
)
ASKED = ResolvePull(reason="Codertocat commented /eval on pull request 2", number=2, pinned=None, needs=())


def comment(text: str, **changes: Any) -> Activity:
    return decide("issue_comment", COMMENT, comment__body=text, **changes)


# By hand: workflow_dispatch


DISPATCH = payload("workflow_dispatch")


def test_a_dispatch_for_a_pull_request_is_pinned() -> None:
    activity = decide("workflow_dispatch", DISPATCH, {**OCTO, "pr_number": 7, "head_sha": HEAD})
    reason = "workflow_dispatch asks for pull request 7"
    assert activity == ResolvePull(reason=reason, number=7, pinned=HEAD, needs=())


def test_a_dispatch_for_two_refs_compares_them() -> None:
    inputs = {**OCTO, "base_ref": "v1.0", "head_ref": HEAD, "compare_mode": "merge-base"}
    assert decide("workflow_dispatch", DISPATCH, inputs) == EvaluateRefs(
        reason=f"workflow_dispatch asks to compare v1.0 with {HEAD}",
        base_ref="v1.0",
        head_ref=HEAD,
        compare_mode="merge-base",
    )


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "was given nothing that says what to evaluate"),
        ({"pr_number": 7}, "was given pr-number"),
        ({"head_sha": HEAD}, "was given head-sha"),
        ({"base_ref": "main"}, "was given base-ref"),
        ({"head_ref": "main"}, "was given head-ref"),
        ({"pr_number": 7, "head_ref": "main"}, "was given pr-number and head-ref"),
        ({"pr_number": 7, "head_sha": HEAD, "base_ref": "x"}, "was given pr-number and head-sha and base-ref"),
        ({"base_ref": "a", "head_ref": "b", "artifact_path": "c"}, "was given base-ref and head-ref and artifact-path"),
        ({"pr_number": 7, "head_sha": "ec26c3e"}, "is no head of a pull request"),
        ({"pr_number": 0, "head_sha": HEAD}, "is no head of a pull request"),
        ({"pr_number": 10**5000, "head_sha": HEAD}, "is no head of a pull request"),
        ({"base_ref": "main", "head_ref": "--exec=x"}, "head-ref '--exec=x' is no name of a ref"),
        ({"base_ref": "HEAD~1", "head_ref": "main"}, "base-ref 'HEAD~1' is no name of a ref"),
        ({"base_ref": "main", "head_ref": "refs/notes/x"}, "is no name of a ref"),
        ({"base_ref": "main", "head_ref": "refs/pull/7/head"}, "is a pull request's"),
        ({"base_ref": "main", "head_ref": "pull/7/merge"}, "is a pull request's"),
        ({"base_ref": "", "head_ref": "main"}, "base-ref '' is no name of a ref"),
    ],
)
def test_a_dispatch_that_does_not_say_what_is_refused(inputs: dict[str, Any], said: str) -> None:
    activity = decide("workflow_dispatch", DISPATCH, {**OCTO, **inputs})
    assert isinstance(activity, Refuse)
    assert said in activity.reason


# By hand: comments


@pytest.mark.parametrize(
    ("text", "pinned"),
    [
        ("/eval", None),
        ("/eval  ", None),
        ("/eval please, once more", None),
        ("/eval\r\nthanks!", None),
        ("/eval ec26c3e", "ec26c3e"),
        ("/eval\tEC26C3E5 again", "ec26c3e5"),
        (f"/eval {HEAD}", HEAD),
    ],
)
def test_the_command_on_a_pull_request_asks_for_the_pull_request(text: str, pinned: str | None) -> None:
    assert comment(text) == ResolvePull(
        reason="Codertocat commented /eval on pull request 1",
        number=1,
        pinned=pinned,
        needs=(Need(Check.COMMENTER_MAY_WRITE, "Codertocat"),),
    )


@pytest.mark.parametrize(
    "text", ["", "hello", "/evaluate", "/eval-all", "/EVAL", " /eval", "> /eval", "please\n/eval", "\n/eval", "`/eval`"]
)
def test_any_other_comment_is_skipped(text: str) -> None:
    assert comment(text) == Skip("the comment's first line is not the command /eval")


@pytest.mark.parametrize("word", ["ec26c3", "ec26c3g", HEAD + "a" * 25, "bad", "#2", "٣٣٣٣٣٣٣1"])
def test_a_word_that_may_be_meant_as_a_commit_is_not_passed_over(word: str) -> None:
    activity = comment(f"/eval {word}")
    assert isinstance(activity, Refuse)
    assert "first 7 or more digits" in activity.hint


@pytest.mark.parametrize("action", ["edited", "deleted", "pinned"])
def test_only_new_comments_are_commands(action: str) -> None:
    assert isinstance(comment("/eval", action=action), Skip)


def test_the_command_elsewhere_is_skipped() -> None:
    on_issue = decide("issue_comment", payload("issue_comment.created.on_issue"), comment__body="/eval")
    assert on_issue == Skip("1 is an issue, and only pull requests can be evaluated")
    assert isinstance(comment("/eval", issue__state="closed"), Skip)


def test_the_command_of_a_deleted_account_is_refused() -> None:
    assert isinstance(comment("/eval", comment__user=None), Refuse)


def test_a_comment_on_another_pull_request_than_the_input_says_is_refused() -> None:
    assert isinstance(decide("issue_comment", COMMENT, {"pr_number": 5}, comment__body="/eval"), Refuse)
    assert isinstance(decide("issue_comment", COMMENT, {"pr_number": 5}), Skip)


# Once the API has shown the pull request


def test_what_was_asked_for_is_evaluated_at_the_head_that_the_api_shows() -> None:
    activity = complete(ASKED, replace(SAME, draft=True), request=request(compare_mode="merge-base"))
    assert activity == EvaluatePull(
        reason=f"Codertocat commented /eval on pull request 2; its head is {HEAD}",
        number=2, head_sha=HEAD, base_sha=BASE, base_ref="master", head_ref="changes",
        head_repository="Codertocat/Hello-World", is_fork=False, draft=True, labels=("bug",), merge_sha=None,
        compare_mode="merge-base", expects_secrets=True, asked=True, needs=(Need(Check.HEAD_UNMOVED, HEAD),),
    )  # fmt: skip
    assert activity.check_run_needed


@pytest.mark.parametrize("pinned", [HEAD[:7], HEAD[:39], HEAD])
def test_a_pin_that_fits_the_head_is_kept_to(pinned: str) -> None:
    assert isinstance(complete(replace(ASKED, pinned=pinned), SAME, request=request()), EvaluatePull)


@pytest.mark.parametrize("pinned", [BASE, BASE[:7], HEAD[:7] + "0", HEAD + "0" * 24])
@pytest.mark.parametrize("pull", [SAME, FORK], ids=["same", "fork"])
def test_a_head_that_moved_on_is_refused(pull: Pull, pinned: str) -> None:
    activity = complete(replace(ASKED, pinned=pinned), pull, request=request())
    assert isinstance(activity, Refuse)
    assert f"is {HEAD}, not {pinned}" in activity.reason


@pytest.mark.parametrize("pinned", [None, HEAD[:7], HEAD[:39]])
@pytest.mark.parametrize("pull", [FORK, DELETED], ids=["fork", "deleted fork"])
def test_a_forks_head_is_refused_unless_the_whole_hash_was_given(pull: Pull, pinned: str | None) -> None:
    # Its author could push between the comment and our look, and find a commit with the same first digits.
    activity = complete(replace(ASKED, pinned=pinned), pull, request=request())
    assert isinstance(activity, Refuse)
    assert "whole hash" in activity.hint


@pytest.mark.parametrize(("pull", "subject"), [(FORK, "Mallory/Hello-World"), (DELETED, "a deleted fork")])
def test_a_forks_head_that_was_asked_for_needs_a_sandbox(pull: Pull, subject: str) -> None:
    activity = complete(replace(ASKED, pinned=HEAD), pull, request=request())
    assert isinstance(activity, EvaluatePull)
    assert activity.needs == (Need(Check.HEAD_UNMOVED, HEAD), Need(Check.SANDBOXED, subject))
    assert activity.is_fork and activity.expects_secrets


def test_a_pull_request_that_was_closed_since_is_skipped() -> None:
    assert isinstance(complete(ASKED, replace(SAME, open=False, merged=True), request=request()), Skip)


@pytest.mark.parametrize("changes", [{"number": 3}, {"base_repository": "a/b"}])
def test_another_pull_request_than_was_asked_for_is_refused(changes: dict[str, Any]) -> None:
    assert isinstance(complete(ASKED, replace(SAME, **changes), request=request()), Refuse)
