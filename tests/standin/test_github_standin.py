"""The stand-in GitHub under the real PyGithub: every endpoint, pages, permissions, limits, and that breaches are seen."""

import http.client
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

import github as pygithub
import pytest

from tests.standin.github import App, ChangedFile, GitHub, Repository, running_github
from tests.standin.github.api import TABLE
from tests.standin.github.schema import description

BASE, HEAD, OTHER = "b" * 40, "a" * 40, "c" * 40
ALL = dict.fromkeys(("contents", "pull_requests", "issues", "checks", "statuses", "actions"), "write")


@pytest.fixture
def served() -> Iterator[GitHub]:
    """A stand-in that must not have seen a breach."""
    with running_github() as github:
        yield github
    assert github.violations == []


@pytest.fixture
def repo(served: GitHub) -> Repository:
    """A repository with a pull request of ann's and one from mallory's fork."""
    repo = served.add_repository("octo/app", collaborators={"ann": "write", "tim": "triage"})
    repo.add_commit(BASE, files={"prompts/answer.md": b"old", "README.md": b"# App"}, branch="main")
    repo.add_pull(7, head_sha=HEAD, base_sha=BASE, user="ann", files=["prompts/answer.md"], labels=["eval"])
    fork = served.add_repository("mallory/app", parent=repo)
    repo.add_pull(8, head_sha=OTHER, head_ref="evil", head_repository=fork, draft=True)
    return repo


def door(github: GitHub, token: str, per_page: int = 30) -> pygithub.Github:
    """PyGithub without pacing and without its own retry."""
    return pygithub.Github(
        auth=pygithub.Auth.Token(token) if token else None, base_url=github.url, retry=None, per_page=per_page,
        seconds_between_requests=None, seconds_between_writes=None,
    )  # fmt: skip


def raw(
    github: GitHub, method: str, path: str, body: object = None, *, token: str = ""
) -> tuple[int, str, http.client.HTTPMessage]:
    """A request by hand, to send what PyGithub would not."""
    parts = urlsplit(github.url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    headers = {"User-Agent": "test", **({"Authorization": f"Bearer {token}"} if token else {})}
    connection.request(method, parts.path + path, None if body is None else json.dumps(body), headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text, answer.headers


def test_every_operation_of_the_description_is_served() -> None:
    described = {
        (method.upper(), path) for path, methods in description().document["paths"].items() for method in methods
    }
    assert set(TABLE) == described


def test_a_repository_and_its_commits(served: GitHub, repo: Repository) -> None:
    seen = door(served, served.installation_token(ALL)).get_repo("octo/app")
    assert (seen.full_name, seen.default_branch, seen.private, seen.fork) == ("octo/app", "main", False, False)
    merge = seen.get_commit("refs/pull/7/merge")
    assert [parent.sha for parent in merge.parents] == [BASE, HEAD]
    assert seen.get_commit("main").sha == seen.get_commit(BASE[:7]).sha == BASE
    assert [file.filename for file in seen.get_commit(BASE).files] == ["prompts/answer.md", "README.md"]
    assert seen.get_branch("main").commit.sha == BASE
    assert seen.get_git_ref("heads/main").object.sha == BASE
    assert {ref.ref for ref in seen.get_git_matching_refs("pull/7/")} == {"refs/pull/7/head", "refs/pull/7/merge"}
    with pytest.raises(pygithub.GithubException, match="No commit found for SHA: nowhere"):
        seen.get_commit("nowhere")
    repo.add_release("v1.0", BASE)
    assert seen.get_latest_release().tag_name == "v1.0"


def test_a_comparison_finds_where_head_left_base(served: GitHub, repo: Repository) -> None:
    repo.add_commit("d" * 40, parents=[BASE], branch="main", files={"README.md": b"# Renamed"})
    seen = door(served, served.installation_token(ALL)).get_repo("octo/app").compare("main", HEAD)
    assert (seen.status, seen.ahead_by, seen.behind_by) == ("diverged", 1, 1)
    assert seen.merge_base_commit.sha == BASE
    across = door(served, served.installation_token(ALL)).get_repo("octo/app").compare("main", "mallory:evil")
    assert [commit.sha for commit in across.commits] == [OTHER]


def test_contents_are_read_and_written(served: GitHub, repo: Repository) -> None:
    seen = door(served, served.installation_token(ALL)).get_repo("octo/app")
    one = seen.get_contents("prompts/answer.md", ref=BASE)
    assert not isinstance(one, list) and one.decoded_content == b"old"
    root = seen.get_contents("")
    assert isinstance(root, list) and [(item.type, item.path) for item in root] == [
        ("file", "README.md"), ("dir", "prompts"),
    ]  # fmt: skip
    seen.create_file("baseline.json", "Baseline", "{}", branch="main")
    written = seen.update_file("prompts/answer.md", "New", "new", one.sha, branch="main")
    assert repo.branches["main"] == written["commit"].sha
    assert repo.commits[repo.branches["main"]].tree["prompts/answer.md"] == b"new"
    with pytest.raises(pygithub.GithubException) as lost:
        seen.update_file("prompts/answer.md", "Late", "late", one.sha, branch="main")
    assert lost.value.status == 409


def test_pull_requests_and_their_files(served: GitHub, repo: Repository) -> None:
    seen = door(served, served.installation_token(ALL)).get_repo("octo/app")
    own, foreign = seen.get_pull(7), seen.get_pull(8)
    assert (own.head.sha, own.base.sha, own.merge_commit_sha) == (HEAD, BASE, repo.pulls[7].merge_commit_sha)
    assert (own.head.repo.full_name, own.draft, own.user.login) == ("octo/app", False, "ann")
    assert (foreign.head.repo.full_name, foreign.head.repo.fork, foreign.draft) == ("mallory/app", True, True)
    assert [label.name for label in own.labels] == ["eval"]
    assert [file.filename for file in own.get_files()] == ["prompts/answer.md"]
    assert [pull.number for pull in seen.get_pulls(state="open", head="mallory:evil")] == [8]
    assert [pull.number for pull in seen.get_commit(HEAD).get_pulls()] == [7]
    assert list(seen.get_commit(OTHER).get_pulls()) == []
    of_fork = door(served, served.installation_token(ALL)).get_repo("mallory/app").get_commit(OTHER).get_pulls()
    assert [(pull.number, pull.base.repo.full_name) for pull in of_fork] == [(8, "octo/app")]
    assert own.as_issue().pull_request is not None
    repo.push(7, "d" * 40)
    assert seen.get_pull(7).head.sha == "d" * 40 and own.head.sha == HEAD
    assert seen.get_pull(7).merge_commit_sha != own.merge_commit_sha


def test_a_deleted_fork_leaves_no_repository(served: GitHub, repo: Repository) -> None:
    repo.add_pull(9, head_sha="e" * 40, deleted_fork=True, user="gone")
    assert door(served, served.installation_token(ALL)).get_repo("octo/app").get_pull(9).head.repo is None


def test_comments_are_kept_edited_and_deleted(served: GitHub, repo: Repository) -> None:
    pull = door(served, served.installation_token({"pull_requests": "write"})).get_repo("octo/app").get_pull(7)
    made = pull.create_issue_comment("first")
    assert (made.user.login, made.user.type) == ("github-actions[bot]", "Bot")
    made.edit("second")
    assert pull.get_issue_comment(made.id).body == "second"
    repo.add_comment(7, "mine", user="mallory")
    assert [(item.user.login, item.body) for item in pull.get_issue_comments()] == [
        ("github-actions[bot]", "second"), ("mallory", "mine"),
    ]  # fmt: skip
    assert made.minimize("OUTDATED") and repo.comments[made.id].minimized == "outdated"
    assert made.unminimize() and repo.comments[made.id].minimized is None
    made.delete()
    with pytest.raises(pygithub.UnknownObjectException):
        made.edit("third")


def test_an_issue_is_no_pull_request(served: GitHub, repo: Repository) -> None:
    repo.add_issue(12, user="ann")
    seen = door(served, served.installation_token({"issues": "write"})).get_repo("octo/app")
    issue = seen.get_issue(12)
    issue.create_comment("noted")
    assert (issue.pull_request, issue.user.login, seen.get_issue(12).comments) == (None, "ann", 1)
    assert [comment.body for comment in issue.get_comments()] == ["noted"]
    with pytest.raises(pygithub.UnknownObjectException):
        seen.get_pull(12)


def test_a_locked_conversation_is_for_writers(served: GitHub, repo: Repository) -> None:
    repo.pulls[7].locked = True
    with pytest.raises(pygithub.GithubException, match="locked"):
        door(served, served.user_token("mallory")).get_repo("octo/app").get_issue(7).create_comment("no")
    door(served, served.user_token("ann")).get_repo("octo/app").get_issue(7).create_comment("yes")
    assert [comment.user.login for comment in repo.comments_on(7)] == ["ann"]


def test_comments_since_a_moment(served: GitHub, repo: Repository) -> None:
    clock = [1_800_000_000.0]
    served.world.now = lambda: clock[0]
    for body in ("early", "late"):
        repo.add_comment(7, body, user="ann")
        clock[0] += 3600
    seen = door(served, served.installation_token({})).get_repo("octo/app").get_issue(7)
    since = datetime.fromtimestamp(clock[0] - 3600, UTC)
    assert [comment.body for comment in seen.get_comments(since=since)] == ["late"]


def test_the_bot_can_learn_its_name_by_graphql_only(served: GitHub, repo: Repository) -> None:
    bot = door(served, served.installation_token({"contents": "read"}))
    with pytest.raises(pygithub.GithubException, match="Resource not accessible by integration"):
        _ = bot.get_user().login
    _, data = bot.requester.graphql_query("query { viewer { login } }", {})
    assert data["data"]["viewer"]["login"] == "github-actions[bot]"
    assert door(served, served.user_token("ann")).get_user().login == "ann"


def test_lists_come_in_pages_with_links_by_repository_id(served: GitHub, repo: Repository) -> None:
    for number in range(250):
        repo.add_comment(7, f"comment {number}", user="ann")
    pull = door(served, served.installation_token({"pull_requests": "read"})).get_repo("octo/app").get_pull(7)
    assert [comment.body for comment in pull.get_issue_comments()] == [f"comment {number}" for number in range(250)]
    _, text, headers = raw(served, "GET", "/repos/octo/app/issues/7/comments?per_page=500&page=2")
    assert len(json.loads(text)) == 100
    assert f"/repositories/{repo.id}/issues/7/comments?per_page=500&page=3" in headers["Link"]
    assert all(f'rel="{name}"' in headers["Link"] for name in ("prev", "next", "first", "last"))
    _, text, headers = raw(served, "GET", "/repos/octo/app/issues/7/comments")
    assert len(json.loads(text)) == 30
    assert "Link" not in raw(served, "GET", "/repos/octo/app/issues/8/comments")[2]


def test_check_runs_collect_annotations_and_belong_to_their_app(served: GitHub, repo: Repository) -> None:
    seen = door(served, served.installation_token({"checks": "write"})).get_repo("octo/app")
    run = seen.create_check_run("gate", HEAD, status="in_progress", output={"title": "Running", "summary": "..."})
    note = {"path": "a", "start_line": 1, "end_line": 1, "annotation_level": "warning", "message": "m"}
    for _ in range(2):
        run.edit(output={"title": "Done", "summary": "s", "annotations": [note] * 50})
    run.edit(conclusion="failure")
    assert (run.status, run.conclusion, run.output.annotations_count) == ("completed", "failure", 100)
    assert [item.id for item in seen.get_commit(HEAD).get_check_runs(check_name="gate")] == [run.id]
    assert seen.get_check_run(run.id).app.slug == "github-actions"
    other = served.installation_token({"checks": "write"}, app=App("other", 99, "Other"))
    with pytest.raises(pygithub.GithubException, match="Invalid app_id"):
        door(served, other).get_repo("octo/app").get_check_run(run.id).edit(conclusion="success")
    with pytest.raises(pygithub.GithubException, match="You must authenticate via a GitHub App"):
        door(served, served.user_token("ann")).get_repo("octo/app").create_check_run("gate", HEAD)


def test_statuses_are_combined_by_context(served: GitHub, repo: Repository) -> None:
    commit = door(served, served.installation_token({"statuses": "write"})).get_repo("octo/app").get_commit(HEAD)
    assert commit.get_combined_status().state == "pending"
    commit.create_status("failure", context="gate")
    commit.create_status("success", context="lint", description="clean", target_url="https://ci.invalid/1")
    assert commit.get_combined_status().state == "failure"
    commit.create_status("success", context="gate")
    seen = commit.get_combined_status()
    assert (seen.state, sorted(status.context for status in seen.statuses)) == ("success", ["gate", "lint"])


def test_a_forks_workflow_run_names_no_pull_request(served: GitHub, repo: Repository) -> None:
    fork = served.world.repositories["mallory/app"]
    run = repo.add_run(head_sha=OTHER, head_branch="evil", head_repository=fork, artifacts={"report": 1000, "log": 10})
    seen = door(served, served.installation_token({"actions": "read"})).get_repo("octo/app").get_workflow_run(run.id)
    assert (seen.head_sha, seen.head_repository.full_name, seen.pull_requests) == (OTHER, "mallory/app", [])
    assert [artifact.name for artifact in seen.get_artifacts()] == ["report", "log"]


@pytest.mark.parametrize(
    ("login", "permission", "role"),
    [("octo", "admin", "admin"), ("ann", "write", "write"), ("tim", "read", "triage"), ("mallory", "read", "read")],
)
def test_permissions_of_collaborators(served: GitHub, repo: Repository, login: str, permission: str, role: str) -> None:
    seen = door(served, served.installation_token({})).get_repo("octo/app")
    assert seen.get_collaborator_permission(login) == permission
    assert seen.get_collaborator_role_name(login) == role
    with pytest.raises(pygithub.GithubException, match="nobody is not a user"):
        seen.get_collaborator_permission("nobody")


def test_what_a_token_may_not_do_is_refused_in_githubs_words(served: GitHub, repo: Repository) -> None:
    reader = door(served, served.installation_token({"pull_requests": "read"})).get_repo("octo/app")
    with pytest.raises(pygithub.GithubException, match="Resource not accessible by integration") as denied:
        reader.get_pull(7).create_issue_comment("no")
    assert denied.value.status == 403
    with pytest.raises(pygithub.GithubException, match="not accessible by personal access token"):
        door(served, served.user_token("ann", scopes=())).get_repo("octo/app").get_pull(7).create_issue_comment("no")
    with pytest.raises(pygithub.BadCredentialsException):
        door(served, "ghs_unknown").get_repo("octo/app")
    with pytest.raises(pygithub.GithubException, match="Requires authentication") as nobody:
        door(served, "").get_repo("octo/app").get_pull(7).create_issue_comment("no")
    assert nobody.value.status == 401
    served.add_repository("octo/secret", private=True)
    for token in (served.installation_token(ALL, repositories=("octo/app",)), served.user_token("mallory"), ""):
        with pytest.raises(pygithub.UnknownObjectException):
            door(served, token).get_repo("octo/secret")
    written = repo.add_comment(7, "ann's", user="ann").id
    with pytest.raises(pygithub.GithubException, match="Must have admin rights"):
        door(served, served.user_token("mallory")).get_repo("octo/app").get_pull(7).get_issue_comment(written).delete()


def test_what_is_too_long_is_refused_and_no_breach(served: GitHub, repo: Repository) -> None:
    seen = door(served, served.installation_token(ALL)).get_repo("octo/app")
    pull = seen.get_pull(7)
    assert len(pull.create_issue_comment("é" * 65_536).body) == 65_536
    with pytest.raises(pygithub.GithubException, match="Body is too long"):
        pull.create_issue_comment("x" * 65_537)
    run = seen.create_check_run("gate", HEAD)
    note = {"path": "a", "start_line": 1, "end_line": 1, "annotation_level": "notice", "message": "m"}
    for output in (
        {"summary": "x" * 65_536}, {"summary": "s", "text": "x" * 65_536}, {"summary": "s", "annotations": [note] * 51},
    ):  # fmt: skip
        with pytest.raises(pygithub.GithubException) as refused:
            run.edit(output={"title": "t", **output})
        assert refused.value.status == 422
    with pytest.raises(pygithub.GithubException, match="wasn't supplied"):
        seen.create_check_run("gate", HEAD, status="completed")


@pytest.mark.parametrize(
    ("method", "path", "body", "said"),
    [
        ("POST", "/repos/octo/app/issues/7/comments", {"text": "hi"}, '"body" is a required property'),
        ("POST", "/repos/octo/app/issues/7/comments", {"body": 7}, '7 is not of type "string"'),
        ("POST", "/repos/octo/app/issues/7/comments", {"body": "hi", "titel": "x"}, "'titel' was unexpected"),
        ("POST", "/repos/octo/app/statuses/" + HEAD, {"state": "fine"}, '"fine" is not one of'),
        ("GET", "/repos/octo/app/issues/seven/comments", None, 'is not of type "integer"'),
        ("GET", "/repos/octo/app/pulls?sate=open", None, "query sate: is not in the description"),
        ("GET", "/repos/octo/app/labels", None, "it is not in the description"),
        ("PATCH", "/repos/octo/app/check-runs/1", {"status": "completed"}, "not valid under any"),
    ],
)
def test_a_breach_by_the_client_is_noted(method: str, path: str, body: object, said: str) -> None:
    with running_github() as github:
        github.add_repository("octo/app").add_pull(7, head_sha=HEAD)
        status, text, _ = raw(github, method, path, body, token=github.installation_token(ALL))
        assert (status, len(github.violations)) == (599, 1)
        assert said in text and said in github.violations[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"number": "7"}, 'answer.number: "7" is not of type "integer"'),
        ({"created_at": "yesterday"}, 'answer.created_at: "yesterday" is not a "date-time"'),
        ({"title": None}, "answer.title: null"),
        ({"titel": "x"}, "'titel' was unexpected"),
        ({"state": "ajar"}, 'answer.state: "ajar" is not one of'),
    ],
)
def test_a_breach_by_the_stand_in_itself_is_noted(change: dict[str, object], said: str) -> None:
    for validate in (True, False):
        with running_github(GitHub(validate=validate)) as github:
            github.add_repository("octo/app").add_pull(7)
            github.rewrite = lambda _, answer: replace(answer, body={**answer.body, **change})
            status, text, _ = raw(github, "GET", "/repos/octo/app/pulls/7")
            assert (status, len(github.violations), said in text) == ((599, 1, True) if validate else (200, 0, False))


def test_an_enterprise_serves_below_its_prefix() -> None:
    with running_github(prefix="/api/v3") as github:
        github.add_repository("octo/app").add_pull(7, files=[ChangedFile(f"{number}.md") for number in range(40)])
        seen = door(github, github.installation_token(ALL)).get_repo("octo/app").get_pull(7)
        assert len(list(seen.get_files())) == 40
        assert seen.html_url == github.url.replace("/api/v3", "/octo/app/pull/7")
        assert seen.create_issue_comment("x").minimize()
        assert github.violations == []
        assert raw(replace(github, url=github.url.removesuffix("/api/v3")), "GET", "/repos/octo/app")[0] == 599
