"""A repository with two branches, and a directory to check out into."""

from pathlib import Path

import pytest

from tests.source.repositories import Repository


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
