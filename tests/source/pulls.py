"""A repository with a pull request, on a server that speaks git over HTTP."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from evaluator.source import Patience, Remote
from tests.source.repositories import Repository
from tests.standin.git_http import GitServer

NAME = "acme/app"
TOKEN = "ghs_S3cretS3cretS3cret"  # of the stand-in
HTTP = ("http",)
AT_ONCE = Patience(timeout_s=20, stall_s=10, sleep=lambda seconds: None)
"""Tries again without waiting."""


@dataclass(frozen=True)
class Pull:
    """Pull request 7: main went on after the branch left it."""

    owner: Repository
    fork: Repository
    start: str
    """Where the branch left main."""
    main: str
    """The tip of main."""
    head: str
    """The fork's commit."""
    merge: str
    """The test merge of both."""
    remote: Remote


def remote_of(server: GitServer, name: str = NAME, token: str | None = TOKEN) -> Remote:
    """Where a repository of the stand-in is fetched from."""
    return Remote(f"{server.url}/{name}", SecretStr(token) if token is not None else None, HTTP)


def open_pull(folder: Path, server: GitServer) -> Pull:
    """Make the repository, the fork and the server's own refs for pull request 7."""
    owner = Repository(folder / "owner")
    start = owner.commit("start", a_txt="a", b_txt="b")
    fork = Repository(folder / "fork")
    fork.git("fetch", "--quiet", str(owner.path), "main")
    fork.git("checkout", "--quiet", "-b", "feature", "FETCH_HEAD")
    head = fork.commit("the change", a_txt="changed")
    main = owner.commit("later on main", b_txt="later")
    server.create(NAME, owner.path)
    owner.git("fetch", "--quiet", str(fork.path), "feature:refs/pull/7/head")
    owner.git("checkout", "--quiet", "--detach", "main")
    owner.git("merge", "--quiet", "--no-ff", "--message", "test merge", "refs/pull/7/head")
    merge = owner.git("rev-parse", "HEAD")
    owner.git("checkout", "--quiet", "main")
    server.push(NAME, owner.path, f"{merge}:refs/pull/7/merge", f"{head}:refs/pull/7/head")
    return Pull(owner, fork, start, main, head, merge, remote_of(server))
