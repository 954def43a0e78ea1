"""Uncommitted work is taken as it lies in the user's checkout."""

import os
from pathlib import Path

import pytest

from evaluator.errors import SourceError
from evaluator.source import Sources, worktrees
from tests.source.repositories import ENVIRON, Repository


def statuses(sources: Sources) -> dict[str, str]:
    return {changed.path: changed.status for changed in sources.changed}


def test_modified_new_deleted_and_retyped_files_are_taken_and_ignored_ones_left(
    forked: Repository, scratch: Path
) -> None:
    forked.write(".gitignore", "ignored.txt\nbuild/\n")
    forked.write("ignored.txt", "no")
    forked.write("build/big", "no")
    forked.write("folder/untracked.txt", "yes")
    forked.write("a.txt", "not committed", executable=True)
    (forked.path / "b.txt").unlink()
    (forked.path / "new.txt").unlink()
    (forked.path / "new.txt").symlink_to("a.txt")
    forked.write("staged.txt", "staged")
    forked.git("add", "staged.txt")
    forked.write("staged.txt", "and changed again")
    with worktrees(forked.path, "feature", "WORKTREE", scratch=scratch, environ=ENVIRON) as sources:
        assert statuses(sources) == {
            ".gitignore": "added",
            "a.txt": "modified",
            "b.txt": "deleted",
            "folder/untracked.txt": "added",
            "new.txt": "type_changed",
            "staged.txt": "added",
        }
        root = sources.head.path
        assert (root / "staged.txt").read_text() == "and changed again"
        assert os.access(root / "a.txt", os.X_OK)
        assert not (root / "ignored.txt").exists()
        assert sources.head.dirty
        assert sources.head.sha == f"worktree-{sources.head.tree[:12]}"
        assert sources.head.subject == "uncommitted work on: 질문 프롬프트를 바꿈"
        tree = sources.head.tree
    forked.commit("now committed")
    assert forked.git("rev-parse", "HEAD^{tree}") == tree


def test_a_clean_checkout_is_not_dirty(forked: Repository, scratch: Path) -> None:
    with worktrees(forked.path, "feature", "WORKTREE", scratch=scratch, environ=ENVIRON) as sources:
        assert not sources.head.dirty
        assert sources.changed == ()
        assert sources.head.tree == sources.base.tree


def test_both_sides_may_be_the_uncommitted_work(forked: Repository, scratch: Path) -> None:
    forked.write("a.txt", "not committed")
    with worktrees(forked.path, "WORKTREE", "WORKTREE", scratch=scratch, environ=ENVIRON) as sources:
        assert (sources.base.path / "a.txt").read_text() == "not committed"
        assert sources.base.tree == sources.head.tree
        assert (sources.base.side, sources.base.dirty) == ("base", True)


def test_the_users_own_list_of_ignored_files_counts(forked: Repository, scratch: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "ignored").write_text(".secret\n")
    (home / ".gitconfig").write_text(f"[core]\n\texcludesFile = ~/ignored\n\tfsmonitor = touch {tmp_path}/ran\n")
    forked.write(".secret", "key")
    forked.write("plain.txt", "plain")
    environ = {"PATH": ENVIRON["PATH"], "HOME": str(home)}
    with worktrees(forked.path, "feature", "WORKTREE", scratch=scratch, environ=environ) as sources:
        assert statuses(sources) == {"plain.txt": "added"}
    assert not (tmp_path / "ran").exists()


def test_a_tracked_folder_that_became_a_link_brings_nothing_from_outside(
    forked: Repository, scratch: Path, tmp_path: Path
) -> None:
    forked.write("folder/file.txt", "inside")
    forked.commit("folder")
    (forked.path / "folder").rename(tmp_path / "outside")
    (tmp_path / "outside" / "file.txt").write_text("outside")
    (forked.path / "folder").symlink_to(tmp_path / "outside")
    with worktrees(forked.path, "feature", "WORKTREE", scratch=scratch, environ=ENVIRON) as sources:
        assert statuses(sources) == {"folder": "added", "folder/file.txt": "deleted"}
        assert (sources.head.path / "folder").is_symlink()


def test_what_a_sparse_checkout_leaves_out_is_not_deleted(forked: Repository, scratch: Path) -> None:
    forked.write("kept/k.txt", "k")
    forked.write("left/l.txt", "l")
    forked.commit("folders")
    forked.git("sparse-checkout", "set", "kept")
    assert not (forked.path / "left").exists()
    with worktrees(forked.path, "feature", "WORKTREE", scratch=scratch, environ=ENVIRON) as sources:
        assert sources.changed == ()
        assert (sources.head.path / "left" / "l.txt").read_text() == "l"


def test_special_files_and_nested_repositories_are_left_and_named(forked: Repository, scratch: Path) -> None:
    (forked.path / "b.txt").unlink()
    os.mkfifo(forked.path / "b.txt")
    Repository(forked.path / "nested").commit("nested", n_txt="n")
    with worktrees(forked.path, "feature", "WORKTREE", scratch=scratch, environ=ENVIRON) as sources:
        assert "b.txt, nested/" in sources.warnings[0]
        assert statuses(sources) == {"b.txt": "deleted"}


def test_an_unfinished_merge_is_an_error(forked: Repository, scratch: Path) -> None:
    forked.commit("ours", b_txt="ours")
    with pytest.raises(Exception, match="returned non-zero"):
        forked.git("merge", "--quiet", "main")
    with (
        pytest.raises(SourceError, match=r"a merge is not finished: b\.txt"),
        worktrees(forked.path, "main", "WORKTREE", scratch=scratch, environ=ENVIRON),
    ):
        pass
