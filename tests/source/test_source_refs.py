"""A ref that cannot be had is an error that says why and what to do; it is never an empty baseline."""

from pathlib import Path

import pytest

from evaluator.errors import SourceError
from evaluator.source import worktrees
from tests.source.repositories import ENVIRON, Repository


def error_of(repo: Path, base: str, head: str, scratch: Path, **extra: str) -> SourceError:
    with (
        pytest.raises(SourceError) as caught,
        worktrees(repo, base, head, scratch=scratch, environ={**ENVIRON, **extra}),
    ):
        pass
    assert list(scratch.iterdir()) == []
    assert "\n" not in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    ("refs", "message", "hint"),
    [
        (("mian", "feature"), "the base ref mian is no commit", "did you mean main?"),
        (("main", "featur"), "the head ref featur is no commit", "did you mean feature?"),
        (("xyz", "feature"), "the base ref xyz is no commit", "refs here: feature, main"),
        (("", "feature"), "the base ref is empty", "branch"),
        (("WORKTREE", "feature"), "cannot be the base", "commit or stash"),
        (("main^{tree}", "feature"), "is no commit", ""),
        (("0" * 40, "feature"), "is no commit", ""),
        (("main\0", "feature"), "embedded null byte", ""),
        (("main..feature", "feature"), "is no commit", ""),
    ],
)
def test_a_wrong_ref_is_named(
    forked: Repository, scratch: Path, refs: tuple[str, str], message: str, hint: str
) -> None:
    error = error_of(forked.path, *refs, scratch)
    assert message in error.message
    assert hint in error.hint


@pytest.mark.parametrize(
    "ref",
    [
        "--upload-pack=touch ran",
        "--help",
        "-h",
        ";touch ran",
        "$(touch ran)",
        "`touch ran`",
        "|touch ran",
        "--all",
        "-",
    ],
)
def test_a_hostile_ref_runs_nothing(forked: Repository, scratch: Path, ref: str) -> None:
    before = sorted(forked.path.iterdir())
    assert "is no commit" in error_of(forked.path, ref, "feature", scratch).message
    assert "is no commit" in error_of(forked.path, "main", ref, scratch).message
    assert sorted(forked.path.iterdir()) == before


@pytest.mark.parametrize("name", [";touch ran", "$(touch${IFS}ran)", "`id`", "브랜치/이름", "a'b\"c"])
def test_a_branch_with_a_hostile_name_is_only_a_name(forked: Repository, scratch: Path, name: str) -> None:
    name = name.replace(" ", "${IFS}")
    forked.git("branch", name, "feature")
    with worktrees(forked.path, "main", name, scratch=scratch, environ=ENVIRON) as sources:
        assert sources.head.ref == name
        assert sources.head.sha == forked.git("rev-parse", "feature")


def test_terminal_escapes_in_a_ref_are_not_repeated(forked: Repository, scratch: Path) -> None:
    assert "\x1b" not in str(error_of(forked.path, "\x1b[31m\u202e", "feature", scratch))


def test_a_detached_head_works(forked: Repository, scratch: Path) -> None:
    forked.git("checkout", "--quiet", "--detach", "feature")
    with worktrees(forked.path, "main", "HEAD", scratch=scratch, environ=ENVIRON) as sources:
        assert sources.head.sha == forked.git("rev-parse", "feature")


def test_a_branch_that_only_the_remote_has_is_suggested(forked: Repository, scratch: Path, tmp_path: Path) -> None:
    forked.git("clone", "--quiet", "--branch=feature", str(forked.path), str(tmp_path / "clone"))
    error = error_of(tmp_path / "clone", "main", "feature", scratch)
    assert error.hint == "did you mean origin/main?"


def test_a_directory_that_is_no_repository_is_said_so(tmp_path: Path, scratch: Path) -> None:
    (tmp_path / "plain").mkdir()
    assert "is not a git repository" in error_of(tmp_path / "plain", "main", "HEAD", scratch).message
    assert "is not a directory" in error_of(tmp_path / "missing", "main", "HEAD", scratch).message


@pytest.mark.parametrize("head", ["HEAD", "WORKTREE", "main"])
def test_a_repository_without_commits_is_said_so(tmp_path: Path, scratch: Path, head: str) -> None:
    repository = Repository(tmp_path / "empty")
    repository.write("a.txt", "a")
    assert "has no commits yet" in error_of(repository.path, "main", head, scratch).message


def test_unrelated_histories_are_said_so_and_can_still_be_compared(forked: Repository, scratch: Path) -> None:
    forked.git("checkout", "--quiet", "--orphan", "alone")
    forked.commit("alone")
    error = error_of(forked.path, "main", "alone", scratch)
    assert "main and alone have no commit in common" in error.message
    with worktrees(forked.path, "main", "alone", merge_base=False, scratch=scratch, environ=ENVIRON) as sources:
        assert sources.base.subject == "later on main"


def test_a_shallow_clone_without_the_merge_base_says_how_to_get_it(
    forked: Repository, scratch: Path, tmp_path: Path
) -> None:
    clone = tmp_path / "shallow"
    forked.git("clone", "--quiet", "--depth=1", "--no-single-branch", f"file://{forked.path}", str(clone))
    error = error_of(clone, "origin/main", "origin/feature", scratch)
    assert "as far as this clone goes" in error.message
    assert "fetch-depth: 0" in error.hint
    assert "fetch-depth: 0" in error_of(clone, "HEAD~3", "HEAD", scratch).hint
    with worktrees(clone, "origin/main", "HEAD", merge_base=False, scratch=scratch, environ=ENVIRON) as sources:
        assert (sources.base.path / "b.txt").read_text() == "later"
        Repository(sources.base.path).git("log")


def test_a_partial_clone_without_the_files_is_an_error_and_fetches_nothing(
    forked: Repository, scratch: Path, tmp_path: Path
) -> None:
    forked.git("config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "partial"
    forked.git("clone", "--quiet", "--filter=blob:none", "--no-checkout", f"file://{forked.path}", str(clone))
    error = error_of(clone, "origin/main", "origin/feature", scratch)
    assert "cannot check out base" in error.message
    assert "partial clone" in error.hint


def test_a_repository_of_another_user_is_trusted_where_it_is_named_and_not_from_inside(
    forked: Repository, scratch: Path
) -> None:
    environ = {**ENVIRON, "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}
    with worktrees(forked.path, "main", "feature", scratch=scratch, environ=environ) as sources:
        assert sources.head.subject
    (forked.path / "folder").mkdir()
    error = error_of(forked.path / "folder", "main", "feature", scratch, GIT_TEST_ASSUME_DIFFERENT_OWNER="1")
    assert "another user owns it" in error.message
    assert "safe.directory" in error.hint


def test_a_machine_without_git_is_told_what_to_install(forked: Repository, scratch: Path) -> None:
    error = error_of(forked.path, "main", "feature", scratch, PATH="/nonexistent")
    assert "git is not installed" in error.message
    assert "install git" in error.hint


def test_a_damaged_repository_is_an_error(forked: Repository, scratch: Path) -> None:
    blob = forked.git("rev-parse", "feature:a.txt")
    (forked.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    assert "cannot check out head" in error_of(forked.path, "main", "feature", scratch).message
