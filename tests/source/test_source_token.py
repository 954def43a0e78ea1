"""The token reaches its own server in a header, and nothing else: no argument, no file, no message, no other server."""

import os
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from evaluator.errors import SourceError
from evaluator.source import CommitGone, Pair, Patience, Remote, fetch_commits, fetch_ref, worktrees
from tests.source.pulls import AT_ONCE, HTTP, TOKEN, Pull, remote_of
from tests.source.repositories import ENVIRON
from tests.standin.git_http import Fault, GitServer, git_http


def secrets(remote: Remote) -> list[bytes]:
    """The token in all forms in which it could show itself."""
    authorization = remote.authorization()
    assert authorization is not None
    return [TOKEN.encode(), authorization.removeprefix("Basic ").encode()]


@contextmanager
def watched_arguments() -> Iterator[list[bytes]]:
    """The arguments of every process on this machine, over and over for as long as the block lasts."""
    seen: set[bytes] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(path.read_bytes())
                except OSError:
                    continue

    thread = threading.Thread(target=watch)
    thread.start()
    found: list[bytes] = []
    try:
        yield found
    finally:
        done.set()
        thread.join()
        found += seen


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_process_has_it_among_its_arguments(pull: Pull, server: GitServer, tmp_path: Path) -> None:
    server.faults.append(Fault("hang", seconds=2, path="git-upload-pack$"))
    with watched_arguments() as arguments:
        fetch_commits(pull.remote, [pull.main], tmp_path / "ours", ENVIRON, patience=AT_ONCE)
    assert any(b"fetch" in line and server.url.encode() in line for line in arguments)
    assert any(b"remote-http" in line for line in arguments)
    for secret in secrets(pull.remote):
        assert not [line for line in arguments if secret in line]


def test_every_git_that_we_start_gets_it_in_its_environment_for_the_fetch_alone(
    pull: Pull, tmp_path: Path, scratch: Path
) -> None:
    git = shutil.which("git")
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin" / "git"
    shim.write_text(
        f'#!/bin/sh\n{{ printf "%s " "$@"; echo "| $GIT_CONFIG_VALUE_0"; }} >> {tmp_path}/log\nexec {git} "$@"\n'
    )
    shim.chmod(0o755)
    environ = {**ENVIRON, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    into = tmp_path / "ours"
    fetch_commits(pull.remote, [pull.main, pull.merge], into, environ, patience=AT_ONCE)
    fetch_ref(pull.remote, "refs/pull/7/head", into, environ, patience=AT_ONCE)
    pair = Pair(pull.main, pull.merge, pull.main)
    with worktrees(into, "m", "f", pair=pair, scratch=scratch, environ=environ):
        pass
    lines = (tmp_path / "log").read_text().splitlines()
    given = [line for line in lines if not line.endswith("| ")]
    assert len(given) == 2
    assert all(" fetch --quiet --depth=1 " in line for line in given)
    arguments = "\n".join(line.partition("|")[0] for line in lines).encode()
    assert not [secret for secret in secrets(pull.remote) if secret in arguments]


def test_no_file_of_ours_holds_it(pull: Pull, tmp_path: Path, scratch: Path) -> None:
    into = tmp_path / "ours"
    fetch_commits(pull.remote, [pull.main, pull.merge], into, ENVIRON, patience=AT_ONCE)
    pair = Pair(pull.main, pull.merge, pull.main)
    with worktrees(into, "main", "feature", pair=pair, scratch=scratch, environ=ENVIRON):
        for root in (into, scratch):
            files = [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]
            assert len(files) > 5
            for path in files:
                content = path.read_bytes()
                assert not [secret for secret in secrets(pull.remote) if secret in content], path
    assert "remote" not in (into / "config").read_text()
    assert not (into / "FETCH_HEAD").exists()


@pytest.mark.parametrize(
    "fault",
    [
        None,
        Fault("status", times=-1),
        Fault("status", status=403),
        Fault("status", status=401),
        Fault("hang", times=-1),
    ],
)
def test_no_error_shows_it(pull: Pull, server: GitServer, tmp_path: Path, fault: Fault | None) -> None:
    server.faults.extend([fault] if fault else [])
    # Only a hang may run out of time: on a busy machine an honest answer takes longer than that.
    patience = Patience(timeout_s=0.5 if fault and fault.kind == "hang" else 60, sleep=lambda seconds: None)
    with pytest.raises(SourceError) as caught:
        fetch_commits(pull.remote, ["1" * 40], tmp_path / "ours", ENVIRON, patience=patience)
    assert fault is not None or isinstance(caught.value, CommitGone)
    error: BaseException | None = caught.value
    while error is not None:
        for secret in secrets(pull.remote):
            assert secret.decode() not in f"{error} {error!r} {error.args} {vars(error)}"
        error = error.__cause__ or error.__context__
    assert TOKEN not in repr(pull.remote)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("path", ["info/refs", "git-upload-pack$"])
def test_a_redirect_takes_it_nowhere(pull: Pull, server: GitServer, tmp_path: Path, status: int, path: str) -> None:
    with git_http(server.root) as other:
        server.faults.append(Fault("redirect", times=-1, status=status, location=other.url, path=path))
        with pytest.raises(SourceError, match="redirect"):
            fetch_commits(pull.remote, [pull.main], tmp_path / "ours", ENVIRON, patience=AT_ONCE)
        assert other.seen == []


def test_users_settings_and_passwords_are_not_used(pull: Pull, server: GitServer, tmp_path: Path) -> None:
    """Neither ~/.netrc, nor a credential helper, nor a rewriting of URLs, nor a variable of git."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".netrc").write_text(f"machine 127.0.0.1 login x-access-token password {TOKEN}\n")
    (home / ".netrc").chmod(0o600)
    (home / ".gitconfig").write_text(
        f'[credential]\n\thelper = "!f() {{ touch {tmp_path}/ran; echo username=x-access-token; echo password={TOKEN}; }}; f"\n'
        f'[url "http://127.0.0.1:9/"]\n\tinsteadOf = {server.url}/\n'
        f"[core]\n\taskPass = touch {tmp_path}/ran\n"
    )
    ask = {"GIT_ASKPASS": f"touch {tmp_path}/ran", "SSH_ASKPASS": f"touch {tmp_path}/ran"}
    count = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraHeader", "GIT_CONFIG_VALUE_0": "X-Evil: 1"}
    trace = {"GIT_TRACE": f"{tmp_path}/ran", "GIT_TRACE_CURL": f"{tmp_path}/ran"}
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), **ask, **count, **trace}
    with pytest.raises(SourceError, match="wants a token"):
        fetch_commits(remote_of(server, token=None), [pull.main], tmp_path / "a", environ, patience=AT_ONCE)
    assert {seen.authorization for seen in server.seen} == {""}
    fetch_commits(pull.remote, [pull.main], tmp_path / "b", environ, patience=AT_ONCE)
    assert not (tmp_path / "ran").exists()


def test_no_hook_and_no_template_is_run(pull: Pull, tmp_path: Path) -> None:
    template = tmp_path / "template"
    (template / "hooks").mkdir(parents=True)
    for name in ("reference-transaction", "post-checkout", "post-index-change", "pre-auto-gc"):
        (template / "hooks" / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        (template / "hooks" / name).chmod(0o755)
    environ = {**ENVIRON, "GIT_TEMPLATE_DIR": str(template)}
    into = tmp_path / "ours"
    fetch_commits(pull.remote, [pull.main], into, environ, patience=AT_ONCE)
    shutil.copytree(template / "hooks", into / "hooks")  # even if there were some
    fetch_commits(pull.remote, [pull.merge], into, environ, patience=AT_ONCE)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("file:///etc", "is not allowed"),
        ("ext::sh -c touch% ran", "not a web address"),
        ("ext::sh", "is not allowed"),
        ("ssh://git@github.com/a/b", "is not allowed"),
        ("git@github.com:a/b", "not a web address"),
        ("/srv/repository", "not a web address"),
        ("-uevil", "not a web address"),
        ("http://github.com/a/b", "is not allowed"),
        ("https://github.com", "names no repository"),
        ("https:///a/b", "names no repository"),
        ("https://github.com/a/b?x=1", "names no repository"),
        ("https://github.com/a/b#x", "names no repository"),
        ("https://github.com/a/b\n", "not a web address"),
        ("https://github.com/a b", "not a web address"),
        ("https://github.com:port/a/b", "not a web address"),
        ("https://user:hunter2@github.com/a/b", "user name or password"),
        ("ftp://user:hunter2@github.com/a/b", "is not allowed"),
    ],
)
def test_only_plain_web_addresses_are_remotes(url: str, message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        Remote(url)
    assert "hunter2" not in str(caught.value)


def test_git_itself_refuses_what_is_not_named(pull: Pull, tmp_path: Path) -> None:
    remote = Remote("https://localhost/a/b")
    object.__setattr__(remote, "url", pull.owner.path.as_uri())  # as if our own look had missed it
    with pytest.raises(SourceError, match="transport 'file' not allowed"):
        fetch_commits(remote, [pull.main], tmp_path / "ours", ENVIRON, patience=AT_ONCE)


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "tab\t", "naïve"])
def test_what_cannot_be_a_token_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(SourceError, match="characters that no token has") as caught:
        Remote("https://github.com/a/b", SecretStr(token))
    assert token not in str(caught.value)


def test_it_goes_along_to_the_same_origin_only() -> None:
    remote = Remote("https://GitHub.com:443/a/b", SecretStr(TOKEN), ("https", "http"))
    assert remote.origin == "https://github.com"
    assert remote.at("https://github.com/c/d").authorization() == remote.authorization()
    assert remote.at("https://github.com/c/d", token=False).authorization() is None
    for other in (
        "https://github.com:444/c",
        "http://github.com/c",
        "https://evil.com/c",
        "https://github.com.evil.com/c",
    ):
        assert remote.at(other).authorization() is None
    assert Remote("http://[::1]:80/a/b", None, HTTP).origin == "http://[::1]"
