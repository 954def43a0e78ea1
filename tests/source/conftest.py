"""A repository with two branches, a server with a pull request, and a directory to check out into."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.source.pulls import TOKEN, Pull, open_pull
from tests.source.repositories import Repository
from tests.standin.git_http import GitServer, git_http


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """Where checkouts go."""
    path = tmp_path / "scratch"
    path.mkdir()
    return path


@pytest.fixture
def forked(tmp_path: Path) -> Repository:
    """main: start, later; feature (checked out), from start: one change."""
    repository = Repository(tmp_path / "user")
    repository.commit("start", a_txt="a", b_txt="b", old_txt="old")
    repository.branch("feature")
    (repository.path / "old.txt").unlink()
    repository.commit("질문 프롬프트를 바꿈", a_txt="changed", new_txt="new")
    repository.git("checkout", "--quiet", "main")
    repository.commit("later on main", b_txt="later")
    repository.git("checkout", "--quiet", "feature")
    return repository


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    """A git server that wants a token."""
    with git_http(tmp_path / "server", tokens=[TOKEN]) as running:
        yield running


@pytest.fixture
def pull(tmp_path: Path, server: GitServer) -> Pull:
    """A pull request from a fork, published as the server would."""
    return open_pull(tmp_path, server)
