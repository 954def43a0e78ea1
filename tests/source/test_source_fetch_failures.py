"""What goes wrong between us and a git server: what may pass is tried again, the rest is one clear error."""

import time
from contextlib import suppress
from pathlib import Path

import pytest
from pydantic import SecretStr

from evaluator.errors import ExitCode, SourceError
from evaluator.source import Patience, Remote, fetch_commits
from evaluator.source.git import Git
from evaluator.source.refusals import Transient, explain
from tests.source.pulls import AT_ONCE, HTTP, NAME, TOKEN, Pull, remote_of
from tests.source.repositories import ENVIRON
from tests.standin.git_http import Fault, GitServer

FETCH = "git-upload-pack$"


def failure(remote: Remote, sha: str, into: Path, patience: Patience = AT_ONCE) -> SourceError:
    with pytest.raises(SourceError) as caught:
        fetch_commits(remote, [sha], into, ENVIRON, patience=patience)
    return caught.value


def running(url: str) -> list[bytes]:
    """The processes that have a URL among their arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(path.read_bytes())
    return [command for command in found if url.encode() in command]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", times=3),
        Fault("status", times=2, status=429),
        Fault("status", times=2, status=500, path=FETCH),
        Fault("drop", times=2),
        Fault("drop", times=2, path=FETCH),
        Fault("cut", path=FETCH),
        Fault("cut", path="info/refs", bytes=20),
        Fault("hang", path=FETCH, seconds=300),  # longer than all the patience below
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}-{fault.path}",
)
def test_what_passes_is_tried_again(pull: Pull, server: GitServer, tmp_path: Path, fault: Fault) -> None:
    server.faults.append(fault)
    # The limit on standing still holds for the honest attempts too, which a busy machine may slow down: the hang alone
    # needs a short one, and then more attempts.
    hangs = fault.kind == "hang"
    patience = Patience(timeout_s=100, stall_s=2 if hangs else 60, attempts=20 if hangs else 4, sleep=lambda _: None)
    fetch_commits(pull.remote, [pull.main, pull.merge], tmp_path / "ours", ENVIRON, patience=patience)
    assert fault.times == 0
    assert Git(tmp_path / "ours", ENVIRON).text(["rev-list", "--all", "--count"]) == "2"


def test_waits_grow_and_end_with_the_attempts(pull: Pull, server: GitServer, tmp_path: Path) -> None:
    server.faults.append(Fault("status", times=-1))
    waits: list[float] = []
    error = failure(pull.remote, pull.main, tmp_path / "ours", Patience(attempts=5, sleep=waits.append))
    assert error.exit_code == ExitCode.INFRASTRUCTURE
    assert "status 503" in error.message
    assert "fault on demand" in error.message
    assert len(waits) == 4
    assert waits == sorted(waits)
    assert len(server.seen) == 5


def test_a_server_that_hangs_is_left_in_time_with_nothing_running_on(
    pull: Pull, server: GitServer, tmp_path: Path
) -> None:
    server.faults.append(Fault("hang", times=-1))
    started = time.monotonic()
    error = failure(pull.remote, pull.main, tmp_path / "ours", Patience(timeout_s=1.0))
    assert time.monotonic() - started < 45  # the hang is for 60 s, and without a limit for ever
    assert error.exit_code == ExitCode.INFRASTRUCTURE
    assert "could not be fetched within 1 s" in error.message
    until = time.monotonic() + 20  # what was killed may take a moment to be gone
    while running(server.url) and time.monotonic() < until:
        time.sleep(0.05)
    assert running(server.url) == []


def test_time_runs_out_over_all_attempts(pull: Pull, server: GitServer, tmp_path: Path) -> None:
    server.faults.append(Fault("status", times=-1))
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += 40

    error = failure(
        pull.remote, pull.main, tmp_path / "ours", Patience(timeout_s=60, sleep=sleep, clock=lambda: now[0])
    )
    assert "could not be fetched within 60 s" in error.message
    assert len(server.seen) == 2


def test_a_private_repository_wants_a_token(pull: Pull, server: GitServer, tmp_path: Path) -> None:
    error = failure(remote_of(server, token=None), pull.main, tmp_path / "a")
    assert "wants a token" in error.message
    assert "contents: read" in error.hint
    assert "wants a token" in failure(remote_of(server, token=""), pull.main, tmp_path / "b").message
    error = failure(remote_of(server, token="ghs_wrong"), pull.main, tmp_path / "c")
    assert "does not accept the token (401)" in error.message
    assert len(server.seen) <= 6  # none of them is tried again


def test_a_public_repository_needs_no_token(pull: Pull, server: GitServer, tmp_path: Path) -> None:
    server.public.add(NAME)
    fetch_commits(remote_of(server, token=None), [pull.main], tmp_path / "ours", ENVIRON, patience=AT_ONCE)
    assert {seen.authorization for seen in server.seen} == {""}


def test_a_token_without_permission_is_told(pull: Pull, server: GitServer, tmp_path: Path) -> None:
    server.faults.append(Fault("status", status=403))
    error = failure(pull.remote, pull.main, tmp_path / "a")
    assert "may not read" in error.message
    assert "contents: read" in error.hint
    server.hidden.add(NAME)
    error = failure(pull.remote, pull.main, tmp_path / "b")
    assert "there is no repository" in error.message
    assert "the server says: Repository not found." in error.message
    assert "contents: read" in error.hint


def test_a_renamed_repository_is_told(pull: Pull, server: GitServer, tmp_path: Path) -> None:
    server.faults.append(Fault("redirect", status=301, location=server.url))
    error = failure(pull.remote, pull.main, tmp_path / "ours")
    assert "redirect" in error.message
    assert "renamed" in error.hint
    assert len(server.seen) == 1


def test_unknown_hosts_and_closed_ports_are_told(tmp_path: Path) -> None:
    sha = "1" * 40
    error = failure(Remote("https://nowhere.invalid/acme/app"), sha, tmp_path / "a")
    assert "the host of https://nowhere.invalid/acme/app is not known" in error.message
    assert error.exit_code == ExitCode.INFRASTRUCTURE
    error = failure(Remote("http://127.0.0.1:9/acme/app", None, HTTP), sha, tmp_path / "b")
    assert "the connection to http://127.0.0.1:9 failed" in error.message


def test_a_page_to_sign_in_is_not_taken_for_git(pull: Pull, server: GitServer, tmp_path: Path) -> None:
    server.faults.append(Fault("html", times=-1))
    assert "does not speak git" in failure(pull.remote, pull.main, tmp_path / "ours").message


def test_a_place_that_is_no_repository_of_ours_is_told(pull: Pull, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("x")
    assert "cannot set up" in failure(pull.remote, pull.main, tmp_path / "full").message
    pull.owner.write("folder/file", "x")
    assert "not a bare repository" in failure(pull.remote, pull.main, pull.owner.path / "folder").message
    assert "not a bare repository" in failure(pull.remote, pull.main, pull.owner.path).message
    assert "cannot be made" in failure(pull.remote, pull.main, tmp_path / "full" / "file").message


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("fatal: unable to access 'x': SSL certificate problem: self-signed certificate", "does not prove who it is"),
        ("fatal: write error: No space left on device\nfatal: fetch-pack: invalid index-pack output", "no room"),
        ("remote: evil \x1b[31m\nfatal: something new", r"git said: remote: evil \x1b[31m | fatal: something new"),
        (f"fatal: bad header {TOKEN}", "git said: fatal: bad header ***"),
        ("fatal: redirect loop", "redirect"),
    ],
)
def test_rarer_words_of_git_are_understood_and_made_harmless(said: str, expected: str) -> None:
    remote = Remote("https://github.com/acme/app", SecretStr(TOKEN))
    error = explain(remote, said)
    assert expected in error.message
    assert not isinstance(error, Transient)
    assert "\x1b" not in str(error)
