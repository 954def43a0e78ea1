"""Events: real payloads are read, hostile and broken ones end in a clear error and never in a traceback."""

import json
from pathlib import Path
from typing import Any

import pytest

from evaluator.errors import EvalGateError
from evaluator.github.event import (
    Comment,
    Event,
    EventError,
    Group,
    Pull,
    Push,
    Run,
    load_payload,
    read_event,
)
from evaluator.github.fields import is_ref, is_sha
from tests.github.payloads import BASE, EVENT_OF, FOLDER, GONE, HEAD, REPOSITORY, edited, payload, pull_in

OPENED = payload("pull_request.opened.fork")


@pytest.mark.parametrize("file", EVENT_OF)
def test_every_real_payload_is_read_from_its_file(file: str) -> None:
    event = read_event(EVENT_OF[file], load_payload(FOLDER / file))
    assert event.name == EVENT_OF[file]
    assert event.repository in (REPOSITORY, "octo-org/octo-repo")
    assert event.default_branch in ("main", "master")


def test_a_pull_request_of_a_fork_is_read() -> None:
    event = read_event("pull_request", OPENED)
    assert (event.action, event.sender) == ("opened", "Mallory")
    assert event.subject == Pull(
        number=2, open=True, merged=False, draft=False, author="Mallory", labels=("bug",),
        head_sha=HEAD, head_ref="changes", head_repository="Mallory/Hello-World",
        base_sha=BASE, base_ref="master", base_repository=REPOSITORY,
    )  # fmt: skip
    assert event.subject.is_fork


@pytest.mark.parametrize(
    ("name", "is_fork"),
    [
        ("pull_request.opened.fork", True),
        ("pull_request.opened.fork_deleted", True),
        ("pull_request.synchronize.fork", True),
        ("pull_request.opened.same_repo", False),
        ("pull_request.synchronize.same_repo", False),
    ],
)
def test_a_fork_is_known_by_its_repository(name: str, is_fork: bool) -> None:
    pull = read_event("pull_request", payload(name)).subject
    assert isinstance(pull, Pull)
    assert pull.is_fork is is_fork


def test_upper_and_lower_case_make_no_fork() -> None:
    pull = pull_in(edited(OPENED, pull_request__head__repo__full_name="codertocat/hello-world"))
    assert not pull.is_fork


def test_a_merge_group_a_push_and_a_comment_are_read() -> None:
    assert read_event("merge_group", payload("merge_group")).subject == Group(
        head_sha="2ffea6db159f6b6c47a24e778fb9ef40cf6b1c7d",
        head_ref="gh-readonly-queue/main/pr-104-929f8209d40f77f4abc622a499c93a83babdbe64",
        base_sha="380387fbc80638b734a49e1be1c4dfec1c01b33c",
        base_ref="main",
    )
    pushed = "6113728f27ae82c7b1a177c8d03f9e96e0adf246"
    assert read_event("push", payload("push")).subject == Push(ref="master", is_tag=False, sha=pushed)
    assert read_event("push", payload("push.deleted")).subject == Push(ref="simple-tag", is_tag=True, sha=None)
    assert read_event("issue_comment", payload("issue_comment.created.on_pr")).subject == Comment(
        number=1,
        on_pull=True,
        open=True,
        author="Codertocat",
        first_line="You are totally right! I'll get this fixed right away.",
    )


def test_a_run_of_a_fork_is_read() -> None:
    run = read_event("workflow_run", payload("workflow_run.completed.fork")).subject
    assert run == Run(
        id=289782451, attempt=1, event="pull_request", conclusion="success", actor="Mallory",
        head_sha=HEAD, head_branch="changes", head_repository="Mallory/Hello-World",
    )  # fmt: skip


def test_a_schedule_may_say_nothing_at_all() -> None:
    assert read_event("schedule", {"schedule": "0 6 * * 1"}).repository is None


def test_of_an_unknown_event_nothing_is_read() -> None:
    unread = {"action": 5, "repository": []}
    assert read_event("star", unread) == Event(
        name="star", action="", repository=None, default_branch=None, sender=None, subject=None
    )


def test_deleted_accounts_are_nobody() -> None:
    pull = pull_in(edited(OPENED, pull_request__user=None))
    assert pull.author is None


def test_labels_are_kept_as_they_are() -> None:
    labels = [{"name": "@everyone | ::error::"}, {"name": "평가 ✅"}]
    pull = pull_in(edited(OPENED, pull_request__labels=labels))
    assert pull.labels == ("@everyone | ::error::", "평가 ✅")


def test_a_title_of_ten_megabytes_is_not_even_looked_at() -> None:
    assert read_event("pull_request", edited(OPENED, pull_request__title="x" * 10_000_000)).subject is not None


HOSTILE = {
    "no pull request": ({"pull_request": GONE}, "pull_request.number: expected a positive whole number, found nothing"),
    "null": ({"pull_request": None}, "found nothing"),
    "a list": ({"pull_request": [1]}, "pull_request: expected an object, found a list of 1"),
    "no action": ({"action": GONE}, "action: expected a word, found nothing"),
    "an action that commands": ({"action": "x\n::error::"}, "action: expected a word"),
    "number as text": (
        {"pull_request__number": "2"},
        "pull_request.number: expected a positive whole number, found '2'",
    ),
    "number true": ({"pull_request__number": True}, "found true"),
    "number 0": ({"pull_request__number": 0}, "found 0"),
    "number below 0": ({"pull_request__number": -2}, "found -2"),
    "number with a point": ({"pull_request__number": 2.0}, "found 2.0"),
    "huge number": ({"pull_request__number": 10**5000}, "found a huge number"),
    "large number": ({"pull_request__number": 2**53}, "found 9007199254740992"),
    "short hash": ({"pull_request__head__sha": "ec26c3e"}, "pull_request.head.sha: expected a whole commit hash"),
    "hash that is an option": ({"pull_request__head__sha": "--upload-pack=x"}, "expected a whole commit hash"),
    "hash in upper case": ({"pull_request__head__sha": HEAD.upper()}, "expected a whole commit hash"),
    "hash and a line": ({"pull_request__head__sha": HEAD + "\n"}, "expected a whole commit hash"),
    "hash of zeros": ({"pull_request__head__sha": "0" * 40}, "expected a whole commit hash"),
    "hash of other digits": ({"pull_request__base__sha": "٣" * 40}, "expected a whole commit hash"),
    "branch with NUL": ({"pull_request__head__ref": "a\0b"}, "head.ref: expected the name of a branch or tag"),
    "branch that is an option": ({"pull_request__base__ref": "--exec=x"}, "base.ref: expected the name of a branch"),
    "branch that goes up": ({"pull_request__base__ref": "../../etc"}, "base.ref: expected the name of a branch"),
    "branch of a megabyte": ({"pull_request__head__ref": "x" * 10_000_000}, "(of 10000000 characters)"),
    "branch with a lone surrogate": ({"pull_request__head__ref": "a\ud800"}, "head.ref: expected the name"),
    "repository with a path": ({"pull_request__head__repo__full_name": "a/b/../c"}, "expected owner/name"),
    "repository above": ({"repository__full_name": "a/.."}, "repository.full_name: expected owner/name"),
    "repository as text": ({"repository": "a/b"}, "repository: expected an object, found 'a/b'"),
    "no repository": ({"repository": GONE}, "repository.full_name: expected owner/name, found nothing"),
    "no base repository": ({"pull_request__base__repo": None}, "base.repo.full_name: expected owner/name"),
    "head repository without a name": ({"pull_request__head__repo": {}}, "head.repo.full_name: expected owner/name"),
    "draft as text": ({"pull_request__draft": "false"}, "draft: expected true or false, found 'false'"),
    "another state": ({"pull_request__state": "ajar"}, "state: expected open or closed, found 'ajar'"),
    "no labels": ({"pull_request__labels": GONE}, "labels: expected a list"),
    "too many labels": ({"pull_request__labels": [{"name": "x"}] * 1001}, "at most 1000 labels, found a list of 1001"),
    "label without a name": ({"pull_request__labels": [{}]}, "labels[0].name: expected text"),
    "label with NUL": ({"pull_request__labels": [{"name": "\0"}]}, "labels[0].name: expected text"),
    "login that mentions": ({"sender__login": "@everyone"}, "sender.login: expected a login"),
}


@pytest.mark.parametrize(("changes", "message"), HOSTILE.values(), ids=HOSTILE)
def test_a_field_of_the_wrong_form_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(EventError) as caught:
        read_event("pull_request", edited(OPENED, **changes))
    assert message in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_a_message_holds_no_workflow_command() -> None:
    with pytest.raises(EventError) as caught:
        read_event("pull_request", edited(OPENED, pull_request__state="##[add-mask]x"))
    assert "##[" not in str(caught.value)


@pytest.mark.parametrize("ref", ["refs/notes/x", "refs/heads/", "refs/heads/-x", "master", "refs/heads", 5, None])
def test_a_push_of_anything_but_branches_and_tags_is_an_error(ref: object) -> None:
    with pytest.raises(EventError, match=r"the event's payload: ref: expected"):
        read_event("push", edited(payload("push"), ref=ref))


def test_a_push_without_a_default_branch_is_an_error() -> None:
    with pytest.raises(EventError, match=r"repository\.default_branch"):
        read_event("push", edited(payload("push"), repository__default_branch=GONE))


@pytest.mark.parametrize("body", [None, 5, [], GONE])
def test_a_comment_without_text_is_an_error(body: object) -> None:
    with pytest.raises(EventError, match=r"comment\.body: expected text"):
        read_event("issue_comment", edited(payload("issue_comment.created.on_pr"), comment__body=body))


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_the_first_line_of_a_comment_ends_where_any_line_ends(ending: str) -> None:
    changed = edited(payload("issue_comment.created.on_pr"), comment__body=f"/eval{ending}" + "x" * 1_000_000)
    comment = read_event("issue_comment", changed).subject
    assert isinstance(comment, Comment)
    assert comment.first_line == "/eval"


@pytest.mark.parametrize(
    "text", ["main", "a/b", "release-1.2", "기능/프롬프트", "a@b", "x.lockx", "feature#1", "a{b", HEAD, "ü" * 255, "a"]
)
def test_names_that_git_allows_are_refs(text: str) -> None:
    assert is_ref(text)


@pytest.mark.parametrize(
    "text",
    ["", "-a", "@", "/a", "a/", "a//b", "a..b", "a.", ".a", "a/.b", "a.lock", "a.lock/b", "a@{1}", "a b", "a~1", "a^", "a:b",
     "a?", "a*", "a[", "a\\b", "a\n", "a\x7f", "a\nb..", "x" * 501],
)  # fmt: skip
def test_names_that_git_forbids_are_no_refs(text: str) -> None:
    assert not is_ref(text)


def test_hashes_are_sha_1_or_sha_256() -> None:
    assert is_sha("a1" * 20)
    assert is_sha("a1" * 32)
    assert not is_sha("a1" * 25)


BROKEN_FILES = {
    "empty": (b"", ":1: not JSON"),
    "cut": (b'{"action": \n "ope', ":2: not JSON"),
    "a list": (b"[]", "expected an object, found a list of 0"),
    "null": (b"null", "expected an object, found nothing"),
    "not UTF-8": (b'{"a": "\xff"}', "not UTF-8 (byte 7)"),
    "deep": (b'{"a":' + b"[" * 200_000, "nested too deeply"),
    "a long number": (b'{"a": ' + b"9" * 5000 + b"}", "a number that is too long"),
}


@pytest.mark.parametrize(("content", "message"), BROKEN_FILES.values(), ids=BROKEN_FILES)
def test_a_broken_file_is_a_clear_error(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "event.json"
    file.write_bytes(content)
    with pytest.raises(EventError) as caught:
        load_payload(file)
    assert message in str(caught.value)


def test_a_missing_file_a_folder_and_no_path_are_clear_errors(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path, Path("a\0b")):
        with pytest.raises(EvalGateError, match="cannot be read") as caught:
            load_payload(path)
        assert "GITHUB_EVENT_PATH" in caught.value.hint


def test_a_file_that_is_too_large_is_not_parsed(tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_text(json.dumps({"a": "x"}), "utf-8")
    size = file.stat().st_size
    assert load_payload(file, max_bytes=size) == {"a": "x"}
    with pytest.raises(EventError, match=f"larger than the {size - 1} bytes"):
        load_payload(file, max_bytes=size - 1)


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert load_payload(file) == {"a": 1}
