"""Both refs are checked out as they are, and the user's checkout stays as it was."""

import os
from pathlib import Path

import pytest

from evaluator.errors import SourceError
from evaluator.source import ChangedFile, changed_files, read_text, worktrees
from tests.source.repositories import ENVIRON, Repository, fingerprint


def test_both_refs_are_checked_out_and_base_is_where_head_left_it(forked: Repository, scratch: Path) -> None:
    with worktrees(forked.path, "main", "feature", scratch=scratch, environ=ENVIRON) as sources:
        assert (sources.base.path / "a.txt").read_text() == "a"
        assert (sources.base.path / "b.txt").read_text() == "b"
        assert (sources.head.path / "a.txt").read_text() == "changed"
        assert not (sources.head.path / "old.txt").exists()
        assert sources.base.subject == "start"
        assert sources.head.subject == "질문 프롬프트를 바꿈"
        assert sources.head.sha == forked.git("rev-parse", "feature")
        assert sources.head.tree == forked.git("rev-parse", "feature^{tree}")
        assert (sources.base.side, sources.base.ref, sources.base.dirty) == ("base", "main", False)
        assert sources.warnings == ()
        assert changed_files(sources) == (
            ChangedFile("a.txt", "modified"),
            ChangedFile("new.txt", "added"),
            ChangedFile("old.txt", "deleted"),
        )
    assert list(scratch.iterdir()) == []


def test_without_merge_base_the_tips_are_compared(forked: Repository, scratch: Path) -> None:
    with worktrees(forked.path, "main", "feature", merge_base=False, scratch=scratch, environ=ENVIRON) as sources:
        assert sources.base.sha == forked.git("rev-parse", "main")
        assert (sources.base.path / "b.txt").read_text() == "later"


@pytest.mark.parametrize("head", ["feature", "HEAD", "WORKTREE"])
def test_nothing_is_written_in_the_users_checkout(forked: Repository, scratch: Path, head: str) -> None:
    forked.write("a.txt", "not committed")
    forked.write("folder/신규.txt", "new")
    os.utime(forked.path / "b.txt", (1, 1))  # git would like to refresh its index now
    before = fingerprint(forked.path)
    with worktrees(forked.path, "main", head, scratch=scratch, environ=ENVIRON) as sources:
        assert fingerprint(forked.path) == before
        (sources.head.path / "a.txt").write_text("the app under test writes")
        (sources.head.path / ".git" / "config").write_text("[core]\n")
    assert fingerprint(forked.path) == before


def test_a_checkout_is_a_repository_that_git_can_read(forked: Repository, scratch: Path) -> None:
    with worktrees(forked.path, "main", "feature", scratch=scratch, environ=ENVIRON) as sources:
        for checkout in (sources.base, sources.head):
            inside = Repository(checkout.path)
            assert inside.git("rev-parse", "HEAD") == checkout.sha
            assert inside.git("status", "--porcelain") == ""


def test_no_hook_and_no_program_of_the_repository_is_run(forked: Repository, scratch: Path, tmp_path: Path) -> None:
    evil = forked.write("../evil.sh", f"#!/bin/sh\ntouch {tmp_path}/ran\ncat\n", executable=True).resolve()
    for hook in ("post-checkout", "post-index-change", "reference-transaction", "pre-commit"):
        forked.write(f".git/hooks/{hook}", evil.read_text(), executable=True)
    forked.commit("attributes", **{"_gitattributes": "*.txt filter=evil diff=evil\n"})
    (tmp_path / "ran").unlink(missing_ok=True)
    for setting in (
        "core.fsmonitor",
        "core.hooksPath",
        "core.pager",
        "core.sshCommand",
        "diff.external",
        "diff.evil.command",
        "diff.evil.textconv",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "gpg.program",
        "uploadpack.packObjectsHook",
    ):
        forked.git("config", setting, str(evil))
    forked.git("config", "filter.evil.required", "true")
    forked.git("config", "log.showSignature", "true")
    forked.write("a.txt", "uncommitted")
    for head in ("feature", "WORKTREE"):
        with worktrees(forked.path, "main", head, scratch=scratch, environ=ENVIRON) as sources:
            assert changed_files(sources)
    assert not (tmp_path / "ran").exists()


def test_variables_of_git_in_our_environment_lead_nowhere(forked: Repository, scratch: Path, tmp_path: Path) -> None:
    environ = {**ENVIRON, "GIT_DIR": str(tmp_path / "elsewhere"), "GIT_INDEX_FILE": "/nowhere", "GIT_WORK_TREE": "/"}
    with worktrees(forked.path, "main", "WORKTREE", scratch=scratch, environ=environ) as sources:
        assert (sources.head.path / "a.txt").read_text() == "changed"


def test_a_linked_worktree_and_a_folder_in_it_work_too(forked: Repository, scratch: Path, tmp_path: Path) -> None:
    forked.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"), "main")
    folder = tmp_path / "linked" / "folder"
    folder.mkdir()
    (folder / "new.txt").write_text("new")
    with worktrees(folder, "feature", "WORKTREE", scratch=scratch, environ=ENVIRON) as sources:
        assert (sources.head.path / "folder" / "new.txt").read_text() == "new"
        assert (sources.head.path / "b.txt").read_text() == "later"


def test_a_bare_repository_works_for_commits(forked: Repository, scratch: Path, tmp_path: Path) -> None:
    forked.git("clone", "--quiet", "--bare", str(forked.path), str(tmp_path / "bare.git"))
    with worktrees(tmp_path / "bare.git", "main", "feature", scratch=scratch, environ=ENVIRON) as sources:
        assert (sources.head.path / "a.txt").read_text() == "changed"
    with (
        pytest.raises(SourceError, match="no files checked out"),
        worktrees(tmp_path / "bare.git", "main", "WORKTREE", scratch=scratch, environ=ENVIRON),
    ):
        pass


def test_a_sha256_repository_works(tmp_path: Path, scratch: Path) -> None:
    repository = Repository(tmp_path / "sha256", "--object-format=sha256")
    repository.commit("one", a_txt="1")
    repository.commit("two", a_txt="2")
    with worktrees(repository.path, "HEAD~1", "HEAD", scratch=scratch, environ=ENVIRON) as sources:
        assert len(sources.head.sha) == 64
        assert (sources.base.path / "a.txt").read_text() == "1"


def test_strange_names_and_links_and_modes_are_kept(tmp_path: Path, scratch: Path) -> None:
    repository = Repository(tmp_path / "user")
    repository.commit("start")
    repository.write("한글 이름.txt", "가")
    repository.write('a\nb\t"c".txt', "strange")
    repository.write("run.sh", "#!/bin/sh\n", executable=True)
    (repository.path / "link").symlink_to("한글 이름.txt")
    (repository.path / os.fsdecode(b"latin-\xe9.txt")).write_text("bytes")
    for head in ("WORKTREE", "HEAD"):
        with worktrees(repository.path, "HEAD", "WORKTREE", scratch=scratch, environ=ENVIRON) as sources:
            root = sources.head.path
            assert (root / "한글 이름.txt").read_text() == "가"
            assert (root / 'a\nb\t"c".txt').read_text() == "strange"
            assert os.access(root / "run.sh", os.X_OK)
            assert (root / "link").readlink() == Path("한글 이름.txt")
            names = [changed.path for changed in sources.changed]
            assert head == "HEAD" or "latin-\\xe9.txt" in names
        repository.commit("all")


def test_lfs_pointers_and_submodules_are_told(forked: Repository, scratch: Path, tmp_path: Path) -> None:
    other = Repository(tmp_path / "other")
    other.commit("other", c_txt="c")
    forked.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other.path), "vendored")
    forked.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
    forked.write("model.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n")
    forked.write("plain.bin", "no pointer")
    forked.commit("pointers")
    for head in ("feature", "WORKTREE"):
        with worktrees(forked.path, "main", head, scratch=scratch, environ=ENVIRON) as sources:
            submodules, pointers = sources.warnings
            assert "vendored" in submodules
            assert pointers.startswith("1 files are Git LFS pointers")
            assert "model.bin" in pointers
            assert list((sources.head.path / "vendored").iterdir()) == []
            assert sources.head.tree == forked.git("rev-parse", "feature^{tree}")


def test_reading_a_missing_file_says_at_which_ref(forked: Repository, scratch: Path) -> None:
    with worktrees(forked.path, "main", "feature", scratch=scratch, environ=ENVIRON) as sources:
        assert read_text(sources.head, "new.txt", max_bytes=10) == "new"
        with pytest.raises(SourceError, match=r"dataset: new\.txt: no such file at base \([0-9a-f]{21}\)"):
            read_text(sources.base, "new.txt", max_bytes=10, key="dataset")


def test_what_the_app_has_locked_is_removed_too(forked: Repository, scratch: Path) -> None:
    with worktrees(forked.path, "main", "feature", scratch=scratch, environ=ENVIRON) as sources:
        locked = sources.head.path / "locked"
        locked.mkdir()
        (locked / "file").write_text("x")
        locked.chmod(0)
    assert list(scratch.iterdir()) == []
