"""The sticky comment, with real PyGithub over HTTP."""

import pytest

from evaluator.github.comment import LIMITS
from evaluator.github.sticky import RunNumber, marker, read_marker, size
from tests.github.workbench import HEAD, READS, Bench
from tests.standin.github import App, issues


def planted(head: str = HEAD, run: int = 99) -> str:
    return f"Nothing to see\n\n{marker('', head, RunNumber(run, 1))}"


def test_three_pushes_leave_one_comment_that_is_about_the_last(at: Bench) -> None:
    heads = [HEAD, "c" * 40, "d" * 40]
    outcomes = []
    for number, head in enumerate(heads):
        if number:
            at.repository.push(7, head)
        outcomes.append(at.put(f"verdict {number}", run=number + 1, head=head))
    assert [outcome.action for outcome in outcomes] == ["created", "updated", "updated"]
    (body,) = at.bodies()
    assert body.startswith("verdict 2\n") and read_marker(body) == marker("", heads[2], RunNumber(3, 1))
    assert outcomes[0].url == outcomes[2].url != ""


def test_the_same_text_again_writes_nothing(at: Bench) -> None:
    at.put()
    writes = at.sent("POST") + at.sent("PATCH")
    assert at.put().action == "unchanged"
    assert at.sent("POST") + at.sent("PATCH") == writes


def test_a_comment_on_page_two_is_found(at: Bench) -> None:
    for number in range(129):
        at.repository.add_comment(7, f"talk {number}", user="ann")
    at.put("old")
    assert at.put("new", run=2).action == "updated"
    assert len(at.bodies()) == 130 and at.bodies()[129].startswith("new")


def test_a_marker_that_somebody_else_planted_is_ignored(at: Bench) -> None:
    at.repository.add_comment(7, planted(), user="mallory")
    at.repository.add_comment(7, planted(), user="other-app[bot]")
    assert at.put().action == "created"
    assert at.bodies()[:2] == [planted(), planted()] and len(at.bodies()) == 3


def test_a_quoted_marker_is_none(at: Bench) -> None:
    at.repository.add_comment(7, f"> {planted()}\n\nI disagree", user="github-actions[bot]")
    assert at.put().action == "created"
    assert len(at.bodies()) == 2


def test_a_hidden_comment_is_left_to_whoever_hid_it(at: Bench) -> None:
    at.put("old")
    (comment,) = at.repository.comments_on(7)
    comment.minimized = "outdated"
    assert at.put("new", run=2).action == "created"
    assert len(at.bodies()) == 2 and at.bodies()[0].startswith("old")


def test_keys_have_a_comment_each(at: Bench) -> None:
    for key in ("", "search", "chat bot", "chat-bot", "chat bot"):
        at.put(f"about {key}", key=key)
    assert len(at.bodies()) == 4


def test_a_users_token_finds_that_users_comment(at: Bench) -> None:
    client = at.client(at.github.user_token("ann"))
    at.repository.add_comment(7, planted(), user="github-actions[bot]")
    assert [at.put(f"verdict {run}", run=run, client=client).action for run in (1, 2)] == ["created", "updated"]
    assert len(at.bodies()) == 2
    client.transport.requester.close()


def test_another_apps_token_asks_who_it_is_and_finds_its_comment(at: Bench) -> None:
    token = at.github.installation_token({"contents": "read", "pull_requests": "write"}, app=App("our-app", 5, "Ours"))
    for run in (1, 2, 3):
        with at.client(token) as client:
            at.put(f"verdict {run}", run=run, client=client)
    (body,) = at.bodies()
    assert body.startswith("verdict 3")
    assert at.sent("POST", "/comments") == 1


def test_an_app_that_is_not_told_its_name_learns_it_from_its_own_comment(at: Bench) -> None:
    token = at.github.installation_token({"contents": "read", "pull_requests": "write"}, app=App("our-app", 5, "Ours"))
    for run in (1, 2, 3):
        at.github.fail_next("read-only", match="graphql")
        with at.client(token) as client:
            assert at.put(f"verdict {run}", run=run, client=client).action in ("created", "updated")
    (body,) = at.bodies()
    assert body.startswith("verdict 3")


def test_a_read_only_token_is_an_outcome_and_no_error(at: Bench) -> None:
    outcome = at.put(client=at.client(at.github.installation_token(READS)))
    assert outcome.action == "denied"
    assert "pull-requests: write" in outcome.reason and "Resource not accessible by integration" in outcome.reason
    assert at.bodies() == []


@pytest.mark.parametrize("token", ["ghs_unknown", ""])
def test_a_wrong_token_is_an_outcome_and_no_error(at: Bench, token: str) -> None:
    outcome = at.put(client=at.client(token))
    assert outcome.action == "denied" and "401" in outcome.reason


def test_a_locked_conversation_and_a_missing_pull_request_are_told(at: Bench) -> None:
    at.pull.locked = True
    token = at.github.user_token("stranger")
    outcome = at.put(client=at.client(token))
    assert outcome.action == "denied" and "locked" in outcome.reason
    del at.repository.pulls[7]
    assert at.put().action == "failed"


def test_a_run_whose_head_has_moved_on_writes_nothing(at: Bench) -> None:
    at.repository.push(7, "c" * 40)
    outcome = at.put("stale")
    assert outcome.action == "skipped" and "moved on" in outcome.reason
    assert at.bodies() == []


def test_a_run_ends_its_own_in_progress_text_even_when_the_head_has_moved_on(at: Bench) -> None:
    at.put("in progress")
    at.repository.push(7, "c" * 40)
    assert at.put("verdict").action == "updated"
    (body,) = at.bodies()
    assert body.startswith("verdict") and "has moved on" in body


def test_an_older_run_does_not_overwrite_a_newer_one(at: Bench) -> None:
    at.put("newer", run=12, attempt=2)
    for run, attempt in ((11, 5), (12, 1), (9, 9)):
        outcome = at.put("older", run=run, attempt=attempt)
        assert outcome.action == "skipped" and "12.2" in outcome.reason and outcome.url
    (body,) = at.bodies()
    assert body.startswith("newer")


def test_an_old_run_that_is_run_again_for_the_present_head_counts(at: Bench) -> None:
    at.repository.push(7, "c" * 40)
    at.put("about c", run=20, head="c" * 40)
    at.repository.push(7, HEAD, force=True)
    assert at.put("about a", run=10, attempt=2).action == "updated"


@pytest.mark.parametrize(
    ("mode", "failed", "changed", "created", "kept"),
    [
        ("always", False, False, True, True),
        ("on-change", False, False, False, True),
        ("on-change", False, True, True, True),
        ("on-change", True, False, True, True),
        ("on-failure", False, True, False, True),
        ("on-failure", True, False, True, True),
        ("off", True, True, False, False),
    ],
)
def test_modes_decide_whether_a_comment_is_made_and_keep_one_that_is_there(
    at: Bench, mode: str, failed: bool, changed: bool, created: bool, kept: bool
) -> None:
    assert (at.put("first", mode=mode, failed=failed, changed=changed).action == "created") == created
    if not created:
        at.put("first", mode="always")
    outcome = at.put("second", run=2, mode=mode, failed=failed, changed=changed)
    assert (outcome.action == "updated") == kept


def test_a_text_that_is_too_long_is_asked_for_in_a_smaller_tier(at: Bench) -> None:
    asked = []

    def render(limit: int) -> str:
        asked.append(limit)
        return "x" * (limit if limit < 30_000 else limit + 1)

    assert at.put(render).action == "created"
    assert asked == list(LIMITS[:3])
    (body,) = at.bodies()
    assert 8_000 < size(body) < 8_200


def test_a_text_that_github_refuses_is_tried_shorter(at: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issues, "LONGEST_COMMENT", 10_000)
    assert at.put(lambda limit: "y" * limit).action == "created"
    assert at.sent("POST", "/comments") == 3
    monkeypatch.setattr(issues, "LONGEST_COMMENT", 100)
    outcome = at.put(lambda limit: "z" * limit, run=2)
    assert outcome.action == "failed" and "too long" in outcome.reason


def test_a_text_that_never_fits_is_an_outcome(at: Bench) -> None:
    outcome = at.put(lambda limit: "😀" * limit)
    assert outcome.action == "failed" and "short enough" in outcome.reason
    assert at.sent("POST", "/comments") == 0


def test_the_longest_text_fits_with_its_marker(at: Bench) -> None:
    assert at.put(lambda limit: "z" * limit, key="k" * 500).action == "created"
    assert size(at.bodies()[0]) <= 65_536


def test_a_list_that_lags_behind_does_not_lead_to_a_second_comment(at: Bench) -> None:
    def lag(request: object, answer: object) -> object:
        if request.method == "GET" and request.path.endswith("/comments"):  # type: ignore[attr-defined]
            answer.body = []  # type: ignore[attr-defined]
        return answer

    at.github.rewrite = lag  # type: ignore[assignment]
    assert at.put().action == "created"
    assert len(at.bodies()) == 1 and at.sent("POST", "/comments") == 1
