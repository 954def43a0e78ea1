"""A commit that would fill the disk is refused before a file of it is written."""

import subprocess
import time
from pathlib import Path

import pytest

from evaluator.errors import SourceError
from evaluator.source import Limits, worktrees
from tests.source.repositories import ENVIRON, Repository


def tree_of(repository: Repository, entries: list[str]) -> str:
    command = ["git", "mktree", "-z"]
    given = "".join(f"{entry}\0" for entry in entries).encode()
    done = subprocess.run(command, cwd=repository.path, env=ENVIRON, input=given, check=True, capture_output=True)
    return done.stdout.decode().strip()


def bomb(repository: Repository, tree: str, *, width: int = 10, depth: int = 10) -> None:
    """Commit `width ** depth` copies of a tree as the branch `bomb`."""
    for _ in range(depth):
        tree = tree_of(repository, [f"040000 tree {tree}\td{number}" for number in range(width)])
    repository.git("branch", "bomb", repository.git("commit-tree", tree, "-p", "main", "-m", "bomb"))


def refusal(repository: Repository, head: str, scratch: Path, limits: Limits) -> str:
    started = time.monotonic()
    with (
        pytest.raises(SourceError) as caught,
        worktrees(repository.path, "main", head, limits=limits, scratch=scratch, environ=ENVIRON),
    ):
        pass
    assert time.monotonic() - started < 10
    assert list(scratch.iterdir()) == []
    return caught.value.message


@pytest.mark.parametrize("leaf", ["a file", "nothing"])
def test_ten_billion_files_or_folders_of_a_few_objects_are_refused_at_once(
    forked: Repository, scratch: Path, leaf: str
) -> None:
    blob = forked.git("rev-parse", "main:a.txt")
    bomb(forked, tree_of(forked, [f"100644 blob {blob}\tx"] if leaf == "a file" else []))
    said = refusal(forked, "bomb", scratch, Limits())
    assert said.startswith("head bomb (")
    assert "more than 100,000 files and folders" in said


def test_files_that_are_too_large_together_are_refused(forked: Repository, scratch: Path) -> None:
    forked.commit("large", **{f"f{n}_bin": bytes(400) for n in range(4)})
    assert "GiB of files" in refusal(forked, "feature", scratch, Limits(bytes=1600))
    with worktrees(forked.path, "main", "feature", limits=Limits(bytes=2000), scratch=scratch, environ=ENVIRON):
        pass


def test_base_is_held_to_the_same_limits(forked: Repository, scratch: Path) -> None:
    assert refusal(forked, "feature", scratch, Limits(files=2)).startswith("base main (")


def test_what_is_exactly_as_large_as_allowed_is_checked_out(forked: Repository, scratch: Path) -> None:
    with worktrees(forked.path, "main", "main", limits=Limits(files=3), scratch=scratch, environ=ENVIRON) as sources:
        assert (sources.head.path / "old.txt").exists()
