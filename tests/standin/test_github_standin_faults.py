"""The stand-in's faults, races and its life as a process, under the real PyGithub and its own retry."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import Request, urlopen

import github as pygithub
import pytest
import requests

from tests.standin.github import KINDS, PASSING, Faults, GitHub, Repository, running_github

HEAD = "a" * 40
LIST = "/repos/octo/app/issues/7/comments"


@pytest.fixture
def served() -> Iterator[GitHub]:
    with running_github() as github:
        github.add_repository("octo/app").add_pull(7, head_sha=HEAD)
        yield github
    assert github.violations == []


@pytest.fixture
def repo(served: GitHub) -> Repository:
    return served.world.repositories["octo/app"]


@pytest.fixture
def token(served: GitHub) -> str:
    return served.installation_token({"pull_requests": "write"})


def send(github: GitHub, token: str, method: str = "POST", path: str = LIST) -> requests.Response:
    """One request, never repeated."""
    body = {"body": "hello"} if method == "POST" else None
    headers = {"Authorization": f"Bearer {token}", "User-Agent": "test"}
    return requests.request(method, github.url + path, json=body, headers=headers, timeout=10)


@pytest.mark.parametrize(
    ("kind", "status", "headers"),
    [
        ("500", 500, {}),
        ("502", 502, {"Content-Type": "text/html; charset=utf-8"}),
        ("503", 503, {}),
        ("secondary", 403, {"Retry-After": "1"}),
        ("secondary-bare", 403, {}),
        ("primary", 403, {"X-RateLimit-Remaining": "0"}),
        ("429", 429, {"Retry-After": "1"}),
        ("429-bare", 429, {}),
        ("read-only", 403, {}),
    ],
)
def test_a_refused_write_is_not_done(
    served: GitHub, repo: Repository, token: str, kind: str, status: int, headers: dict[str, str]
) -> None:
    served.fail_next(kind, match="/comments$", method="POST")
    assert send(served, token, "GET").status_code == 200
    answer = send(served, token)
    assert answer.status_code == status
    assert headers.items() <= answer.headers.items()
    assert ("Retry-After" in answer.headers) == ("Retry-After" in headers)
    assert repo.comments_on(7) == []
    assert send(served, token).status_code == 201
    assert [(seen.fault, seen.status) for seen in served.requests] == [(None, 200), (kind, status), (None, 201)]


@pytest.mark.parametrize(("kind", "written"), [("drop", 0), ("drop-after", 1)])
def test_a_dropped_connection_may_hide_a_write(
    served: GitHub, repo: Repository, token: str, kind: str, written: int
) -> None:
    served.fail_next(kind)
    with pytest.raises(requests.ConnectionError):
        send(served, token)
    assert len(repo.comments_on(7)) == written
    assert served.requests[-1].status is None


def test_a_gateways_error_may_hide_a_write(served: GitHub, repo: Repository, token: str) -> None:
    served.fail_next("502-after")
    assert send(served, token).status_code == 502
    assert len(repo.comments_on(7)) == 1


def test_a_slow_answer_comes_late_and_holds_nobody_up(served: GitHub, token: str) -> None:
    served.faults.delay = 1.0
    served.fail_next("slow")
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(send, served, token)
        while not served.requests:
            time.sleep(0.01)
        start = time.monotonic()
        assert send(served, token, "GET").status_code == 200
        assert time.monotonic() - start < 0.8
        assert not slow.done()
        assert slow.result().status_code == 201


def test_repeating_a_lost_post_leaves_two_comments(served: GitHub, repo: Repository, token: str) -> None:
    """The very fault that a client of ours has to survive."""
    door = pygithub.Github(
        auth=pygithub.Auth.Token(token), base_url=served.url, retry=pygithub.GithubRetry(total=3, backoff_factor=0),
        seconds_between_requests=None, seconds_between_writes=None,
    )  # fmt: skip
    pull = door.get_repo("octo/app").get_pull(7)
    served.fail_next("drop-after", method="POST")
    pull.create_issue_comment("once")
    assert [comment.body for comment in repo.comments_on(7)] == ["once", "once"]


def test_a_schedule_is_the_same_for_the_same_seed() -> None:
    def draw(seed: int) -> list[str | None]:
        faults = Faults(seed, 0.5)
        return [faults.choose("GET", "/user") for _ in range(100)]

    assert draw(1) == draw(1) != draw(2)
    met = Counter(draw(1))
    assert 30 <= met[None] <= 75
    assert set(met) <= {*PASSING, None}


def test_a_schedule_lets_a_patient_client_through() -> None:
    faults = Faults(1, 1.0, ["500"], in_a_row=3)
    assert [faults.choose("GET", "/user") for _ in range(8)] == ["500", "500", "500", None, "500", "500", "500", None]


@pytest.mark.parametrize("make", [lambda: Faults(kinds=["503", "meteor"]), lambda: Faults().fail_next("meteor")])
def test_an_unknown_fault_is_an_error(make: object) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match="meteor"):
        make()


def test_every_kind_of_fault_can_happen_by_schedule(served: GitHub, token: str) -> None:
    served.faults = Faults(5, 0.9, KINDS, in_a_row=100, delay=0)
    for _ in range(150):
        try:
            send(served, token)
        except requests.ConnectionError:
            continue
    assert set(served.faults.met) == set(KINDS)


def test_twenty_writers_race_and_none_is_lost(served: GitHub, repo: Repository, token: str) -> None:
    served.barrier(20, when="after", match="/comments$", method="GET")

    def publish(_: int) -> tuple[int, int]:
        seen = len(send(served, token, "GET").json())
        return seen, send(served, token).status_code

    with ThreadPoolExecutor(20) as pool:
        results = list(pool.map(publish, range(20)))
    assert {status for _, status in results} == {201}
    assert len(repo.comments_on(7)) == len({comment.id for comment in repo.comments_on(7)}) == 20
    # All had read before any could write.
    assert {seen for seen, _ in results} == {0}


def test_the_head_moves_between_two_requests(served: GitHub, repo: Repository, token: str) -> None:
    served.after(lambda _: repo.push(7, "c" * 40), match="/pulls/7$", times=1)
    heads = [send(served, token, "GET", "/repos/octo/app/pulls/7").json()["head"]["sha"] for _ in range(2)]
    assert heads == [HEAD, "c" * 40]


def test_a_hook_that_fails_fails_the_test() -> None:
    with running_github() as github:
        github.before(lambda _: 1 / 0)
        assert send(github, "", "GET").status_code == 599
        assert "ZeroDivisionError" in github.violations[0]


def test_a_new_comment_may_be_late_in_lists(served: GitHub, repo: Repository, token: str) -> None:
    clock = [1_800_000_000.0]
    served.world.now = lambda: clock[0]
    served.world.list_lag = 2
    made = send(served, token).json()
    assert send(served, token, "GET").json() == []
    assert send(served, token, "GET", f"/repos/octo/app/issues/comments/{made['id']}").status_code == 200
    clock[0] += 2
    assert len(send(served, token, "GET").json()) == 1


def test_the_rate_limit_is_counted(served: GitHub, token: str) -> None:
    first, second = (send(served, token, "GET").headers for _ in range(2))
    assert first["X-RateLimit-Limit"] == "1000"
    assert int(first["X-RateLimit-Remaining"]) - int(second["X-RateLimit-Remaining"]) == 1
    door = pygithub.Github(auth=pygithub.Auth.Token(token), base_url=served.url)
    assert door.get_rate_limit().rate.limit == 1000


def test_it_runs_as_a_process(tmp_path: Path) -> None:
    state = {
        "repositories": {
            "octo/app": {
                "collaborators": {"ann": "write"},
                "commits": [{"sha": "b" * 40, "branch": "main", "files": {"README.md": "# App"}}],
                "pulls": [
                    {"number": 7, "head_sha": HEAD, "base_sha": "b" * 40, "files": ["README.md"]},
                    {"number": 8, "head_sha": "c" * 40, "head_repository": "mallory/app", "files": [{"filename": "x"}]},
                ],
                "comments": [{"number": 7, "body": "planted", "user": "mallory"}],
                "runs": [{"head_sha": "c" * 40, "head_repository": "mallory/app", "artifacts": {"report": 10}}],
                "releases": [{"tag": "v1", "sha": "b" * 40}],
            }
        },
        "tokens": {"robot": {"permissions": {"pull_requests": "write"}}, "human": {"login": "ann"}},
    }
    (tmp_path / "state.json").write_text(json.dumps(state))
    command = [
        "-m",
        "tests.standin.github",
        "--state",
        str(tmp_path / "state.json"),
        "--log",
        str(tmp_path / "log.json"),
    ]
    with subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, text=True, stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONPATH": "."},
    ) as process:  # fmt: skip
        watchdog = threading.Timer(30, process.kill)
        watchdog.start()
        assert process.stdout is not None and process.stderr is not None
        url = json.loads(process.stdout.readline())["url"]
        github = GitHub(url=url)
        assert send(github, "robot").status_code == 201
        assert send(github, "human", "GET", "/user").json()["login"] == "ann"
        with urlopen(Request(f"{url}/_standin")) as answer:
            told = json.load(answer)
        assert [item["body"] for item in told["repositories"]["octo/app"]["comments"]] == ["planted", "hello"]
        assert send(github, "robot", "GET", "/nowhere").status_code == 599
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 1
        assert "GET /nowhere: it is not in the description" in process.stderr.read()
        watchdog.cancel()
    log = json.loads((tmp_path / "log.json").read_text())
    assert len(log["violations"]) == 1
    assert [item["status"] for item in log["requests"]] == [201, 200, 599]
