"""Our door to GitHub: typed answers, patience with faults, clear errors, and a token that nobody sees."""

import logging
import time
import traceback

import pytest
from pydantic import SecretStr

from evaluator.errors import ConfigError, ExitCode
from evaluator.github.answers import PullRequest, Release
from evaluator.github.client import Client, connect
from evaluator.github.errors import AnswerLost, GitHubError, PermissionDenied
from evaluator.github.transport import Patience
from tests.github.workbench import BASE, HEAD, QUICK, READS, Bench, Sleeps, bench
from tests.standin.github import Faults, running_github

SECRET = "ghs_do-not-show-this"


def test_a_pull_request_is_read(at: Bench) -> None:
    at.pull.labels, at.pull.draft = ["evals", "big"], True
    assert at.client().pull(7) == PullRequest(
        7, "open", True, "main", BASE, "topic", HEAD, "octo/app", False, ("evals", "big"), "Change 7", "ann",
    )  # fmt: skip


def test_forks_and_deleted_forks_are_told(at: Bench) -> None:
    fork = at.github.add_repository("mallory/app", parent=at.repository)
    at.repository.add_pull(8, head_repository=fork)
    at.repository.add_pull(9, head_repository=fork, deleted_fork=True, mergeable=None)
    client = at.client()
    assert (client.pull(8).head_repository, client.pull(8).is_fork) == ("mallory/app", True)
    assert (client.pull(9).head_repository, client.pull(9).is_fork) == ("", True)


def test_the_repository_is_read(at: Bench) -> None:
    root = at.repository.add_commit("1" * 40)
    at.repository.add_commit("2" * 40, parents=[root.sha], branch="left")
    at.repository.add_commit("3" * 40, parents=[root.sha], branch="feature/right")
    client = at.client()
    assert client.compare("left", "feature/right") == root.sha
    assert client.commit("heads/feature/right") == "3" * 40
    assert client.latest_release() is None
    at.repository.add_release("v1.0/rc", "2" * 40)
    assert client.latest_release() == Release("v1.0/rc", "2" * 40)
    assert [pull.number for pull in client.pulls_of_commit(HEAD)] == [7]


def test_permissions_are_read(at: Bench) -> None:
    client = at.client()
    assert [client.permission_of(who) for who in ("ann", "octo", "nobody-at-all")] == ["write", "admin", "none"]


def test_github_enterprise_has_a_prefix() -> None:
    with running_github(prefix="/api/v3") as github:
        at = bench(github)
        client = at.client()
        assert client.pull(7).head_sha == HEAD and client.app_login() == "github-actions[bot]"
        assert github.violations == []


@pytest.mark.parametrize("kind", ["500", "502", "503", "drop", "429", "429-bare", "secondary", "secondary-bare"])
@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_what_may_be_done_twice_is_tried_again(at: Bench, method: str, kind: str) -> None:
    client = at.client()
    comment = client.create_comment(7, "text")
    at.github.fail_next(kind, 4, match="/issues/comments/", method=method)
    if method == "GET":
        assert client.comment(comment.id) == comment
    elif method == "PATCH":
        assert client.edit_comment(comment.id, "new").body == "new"
    else:
        client.delete_comment(comment.id)
        assert at.bodies() == []
    assert at.sent(method, "/issues/comments/") == 5


@pytest.mark.parametrize("kind", ["drop-after", "502-after"])
def test_a_delete_whose_answer_was_lost_is_done(at: Bench, kind: str) -> None:
    client = at.client()
    comment = client.create_comment(7, "text")
    at.github.fail_next(kind, method="DELETE")
    client.delete_comment(comment.id)
    assert at.bodies() == []


@pytest.mark.parametrize("kind", ["500", "502", "503", "drop", "drop-after", "502-after"])
def test_a_post_that_may_have_been_executed_is_not_sent_again(at: Bench, kind: str) -> None:
    at.github.fail_next(kind, method="POST")
    with pytest.raises(AnswerLost):
        at.client().create_comment(7, "text")
    assert at.sent("POST") == 1


@pytest.mark.parametrize("kind", ["429", "429-bare", "secondary", "secondary-bare", "primary"])
def test_a_post_that_a_limit_refused_is_sent_again(at: Bench, kind: str) -> None:
    at.github.fail_next(kind, 2, method="POST")
    at.client().create_comment(7, "text")
    assert at.bodies() == ["text"]


def test_waits_are_as_long_as_github_says_and_each_is_short(at: Bench) -> None:
    at.github.faults.retry_after = 150
    at.github.fail_next("429", method="GET")
    at.client().pull(7)
    assert at.sleeps.asked == [60, 60, 30]
    at.sleeps.asked.clear()
    at.github.fail_next("secondary-bare", method="GET")
    at.client().pull(7)
    assert at.sleeps.asked == [60]


def test_a_wait_that_is_too_long_is_an_error_at_once(at: Bench) -> None:
    at.github.faults.retry_after = 3000
    at.github.fail_next("primary", method="GET")
    with pytest.raises(GitHubError, match="rate limit") as caught:
        at.client(now=time.time).pull(7)
    assert at.sleeps.asked == [] and caught.value.status == 403 and not isinstance(caught.value, PermissionDenied)


def test_all_waits_together_are_limited(at: Bench) -> None:
    at.github.faults = Faults(rate=1.0, kinds=("429-bare",), in_a_row=1000)
    with pytest.raises(GitHubError, match="429"):
        at.client(patience=Patience(tries=50, total_s=200)).pull(7)
    assert sum(at.sleeps.asked) == 180


def test_backoff_doubles(at: Bench) -> None:
    at.github.fail_next("500", 4, method="GET")
    at.client().pull(7)
    assert at.sleeps.asked == [1.5, 3.0, 6.0, 12.0]


def test_a_client_in_a_hurry_gives_up_soon(at: Bench) -> None:
    at.github.faults = Faults(rate=1.0, kinds=("502", "429-bare"), in_a_row=1000)
    with pytest.raises(GitHubError):
        at.client().hurried().pull(7)
    assert len(at.github.requests) <= 2 and sum(at.sleeps.asked) <= 1


def test_a_server_that_is_not_there_is_an_infrastructure_error() -> None:
    client = connect("http://127.0.0.1:9", "octo/app", SecretStr(SECRET), sleep=Sleeps(), patience=QUICK)
    with pytest.raises(AnswerLost, match="no answer") as caught:
        client.pull(7)
    assert caught.value.exit_code == ExitCode.INFRASTRUCTURE and caught.value.status is None


def test_a_slow_server_is_no_answer(at: Bench) -> None:
    at.github.faults = Faults(delay=1.5)
    at.github.fail_next("slow", method="GET")
    assert at.client(timeout_s=1).pull(7).number == 7
    assert at.sent("GET") == 2


def test_half_an_answer_is_tried_again(at: Bench) -> None:
    def spoil(request: object, answer: object) -> object:
        at.github.rewrite = None
        answer.kind, answer.body = "text/plain", '{"number": 7, '  # type: ignore[attr-defined]
        return answer

    at.github.validate = False
    at.github.rewrite = spoil  # type: ignore[assignment]
    assert at.client().pull(7).number == 7


def test_an_answer_without_what_we_need_is_told(at: Bench) -> None:
    def spoil(request: object, answer: object) -> object:
        answer.body["head"]["sha"] = 5  # type: ignore[attr-defined]
        return answer

    at.github.validate = False
    at.github.rewrite = spoil  # type: ignore[assignment]
    with pytest.raises(GitHubError, match=r"`head\.sha` is int, expected str"):
        at.client().pull(7)


def test_a_missing_permission_is_named(at: Bench) -> None:
    client = at.client(at.github.installation_token(READS))
    with pytest.raises(PermissionDenied, match="add `pull-requests: write` to the job's permissions") as caught:
        client.create_comment(7, "text")
    assert caught.value.status == 403
    with pytest.raises(PermissionDenied, match="checks: write"):
        client.create_check({"name": "gate", "head_sha": HEAD})
    assert at.sleeps.asked == []


def test_what_is_not_there_is_an_error_with_its_status(at: Bench) -> None:
    with pytest.raises(GitHubError, match="read pull request #404: GitHub answered 404: Not Found") as caught:
        at.client().pull(404)
    assert caught.value.status == 404 and not isinstance(caught.value, PermissionDenied)
    assert at.client().comment(1) is None


@pytest.mark.parametrize("name", ["..", "heads/../../../user", "", "."])
def test_a_name_cannot_climb_out_of_the_repository(at: Bench, name: str) -> None:
    with pytest.raises(GitHubError, match="no name that GitHub knows"):
        at.client().commit(name)
    assert at.github.requests == []


@pytest.mark.parametrize(
    ("url", "repository"),
    [("ftp://x", "octo/app"), ("", "octo/app"), ("http://x", "octo"), ("http://x", "/app"), ("http://x", "a/b/c")],
)
def test_a_wrong_address_is_a_clear_error(url: str, repository: str) -> None:
    with pytest.raises(ConfigError, match="expected"):
        connect(url, repository, SecretStr(SECRET))


def everything(client: Client) -> list[str]:
    """Provoke errors of every kind and give all that they say, tracebacks included."""
    told = [repr(client), str(client), repr(client.transport), repr(client.hurried())]
    acts = (
        lambda: client.pull(7), lambda: client.create_comment(7, "text"), lambda: client.edit_comment(1, "x"),
        lambda: client.create_check({"name": "n", "head_sha": HEAD}), lambda: client.commit("main"), client.app_login, client.user_login,
    )  # fmt: skip
    for act in acts:
        try:
            told.append(str(act()))
        except GitHubError:
            told.append(traceback.format_exc())
    return told


@pytest.mark.parametrize("kinds", [("500",), ("drop",), ("read-only",), ("primary",), ("429",), ()])
def test_the_token_is_in_no_log_error_or_repr(
    at: Bench, caplog: pytest.LogCaptureFixture, kinds: tuple[str, ...]
) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "github")  # PyGithub keeps its own logger quieter
    at.github.faults = Faults(rate=1.0 if kinds else 0.0, kinds=kinds or ("500",), in_a_row=1000)
    told = everything(at.client(patience=QUICK))
    assert kinds == ("drop",) or any("Authorization" in record.getMessage() for record in caplog.records)
    for text in (*told, caplog.text, *(str(vars(record)) for record in caplog.records)):
        assert at.token not in text


def test_a_token_that_github_echoes_is_not_shown(at: Bench) -> None:
    at.github.validate = False

    def echo(request: object, answer: object) -> object:
        answer.status, answer.body = 422, {"message": f"odd: {at.token}"}  # type: ignore[attr-defined]
        return answer

    at.github.rewrite = echo  # type: ignore[assignment]
    with pytest.raises(GitHubError, match=r"odd: \*\*\*"):
        at.client().pull(7)


@pytest.mark.parametrize("end", ["\r\nX-Injected: 1", " two", "ü", "\x00"])
def test_a_token_that_is_none_is_an_error_that_does_not_show_it(end: str) -> None:
    with pytest.raises(ConfigError, match="github-token") as caught:
        connect("http://127.0.0.1:9", "octo/app", SecretStr(SECRET + end))
    assert SECRET not in str(caught.value)


def test_a_page_that_comes_again_is_an_error(at: Bench) -> None:
    for number in range(101):
        at.repository.add_comment(7, f"talk {number}", user="ann")
    at.github.validate = False
    first: list[object] = []

    def repeat(request: object, answer: object) -> object:
        first.append(answer)
        return first[0]

    at.github.rewrite = repeat  # type: ignore[assignment]
    with pytest.raises(GitHubError, match="page 2 is page 1 again"):
        at.client().list_comments(7)


def test_a_403_that_says_when_to_come_back_is_a_limit_whatever_its_words(at: Bench) -> None:
    def limit(request: object, answer: object) -> object:
        at.github.rewrite = None
        answer.status, answer.body = 403, {"message": "Slow down"}  # type: ignore[attr-defined]
        answer.headers["Retry-After"] = "7"  # type: ignore[attr-defined]
        return answer

    at.github.validate = False
    at.github.rewrite = limit  # type: ignore[assignment]
    assert at.client().pull(7).number == 7
    assert at.sleeps.asked == [7]
