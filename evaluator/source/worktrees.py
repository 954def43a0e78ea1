"""Puts the app as it was and as it would be into two directories of our own.

Nothing is written in the user's checkout or its `.git`. Each side gets a fresh repository that borrows the user's
objects (`objects/info/alternates`), so it has none of the user's configuration, filters or hooks.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from evaluator.errors import SourceError
from evaluator.records import Side
from evaluator.source.checkout import ChangedFile, Checkout, Sources
from evaluator.source.git import Git, GitFailed, shown
from evaluator.source.pointers import pointer_warnings
from evaluator.source.refs import WORKTREE, check_repository, resolve_pair
from evaluator.source.snapshot import find_worktree, snapshot

__all__ = ["ChangedFile", "Checkout", "Sources", "worktrees"]

STATUS = {"A": "added", "D": "deleted", "M": "modified", "T": "type_changed"}


@contextmanager
def worktrees(
    repo: Path,
    base: str,
    head: str,
    *,
    merge_base: bool = True,
    scratch: Path,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Sources]:
    """Check out both refs for as long as the block lasts.

    Args:
        repo: The user's repository, or a directory in it.
        base: A branch, tag or commit; `WORKTREE` only if head is that too, for a run without a comparison.
        head: The same, or `WORKTREE`: the files as they are in the user's checkout, tracked and new, not ignored.
        merge_base: Compare with the commit where head left base, so that head is not blamed for later work on base.
        scratch: An existing directory; a new one is made in it and removed at the end.
        environ: Our environment; `os.environ` if None.

    Raises:
        SourceError: Either ref cannot be had: there is never an empty or a wrong baseline.
    """
    git = Git(repo.resolve(), os.environ if environ is None else environ)
    check_repository(git)
    worktree = find_worktree(git) if head == WORKTREE else None
    pair = resolve_pair(git, base, head, merge_base=merge_base)
    room = Path(tempfile.mkdtemp(prefix="sources-", dir=scratch)).resolve()
    try:
        lender = _lender(git)
        base_git = _new_repository(room / "base", lender, pair.base, git.environ)
        head_git = _new_repository(room / "head", lender, pair.head, git.environ)
        base_checkout, _ = _fill(base_git, "base", base, pair.base, worktree)
        head_checkout, warnings = _fill(head_git, "head", head, pair.head, worktree)
        warnings += pointer_warnings(head_git)
        rules = base_checkout
        if pair.tip != pair.base:
            rules, _ = _fill(
                _new_repository(room / "rules", lender, pair.tip, git.environ), "base", base, pair.tip, None
            )
        changed = _changed(head_git, base_checkout.tree, head_checkout.tree)
        yield Sources(base_checkout, head_checkout, rules, changed, warnings)
    finally:
        _remove(room)


@dataclass(frozen=True, slots=True)
class _Lender:
    """What the fresh repositories need to know of the user's."""

    objects: Path
    object_format: str
    shallow: bytes


def _lender(git: Git) -> _Lender:
    def path_of(name: str) -> Path:
        return Path(
            os.fsdecode(git.run(["rev-parse", "--path-format=absolute", "--git-path", name]).removesuffix(b"\n"))
        )

    objects, shallow = path_of("objects"), path_of("shallow")
    if "\n" in str(objects):
        raise SourceError("the repository's path has a line break", hint="move the repository to a plainer path")
    return _Lender(
        objects,
        git.text(["rev-parse", "--show-object-format"]),
        shallow.read_bytes() if shallow.exists() else b"",
    )


def _new_repository(path: Path, lender: _Lender, sha: str, environ: Mapping[str, str]) -> Git:
    """Make an empty repository at `path` whose HEAD is `sha`; no file is checked out yet."""
    path.mkdir()
    git = Git(path, environ)
    try:
        git.run(["init", "--quiet", "--template=", "--initial-branch=none", f"--object-format={lender.object_format}"])
        alternates = path / ".git" / "objects" / "info" / "alternates"
        alternates.parent.mkdir(exist_ok=True)
        alternates.write_bytes(os.fsencode(lender.objects) + b"\n")
        if lender.shallow:
            (path / ".git" / "shallow").write_bytes(lender.shallow)
        git.run(["update-ref", "--no-deref", "HEAD", sha])
    except GitFailed as failure:
        raise failure.as_error(f"cannot set up a checkout of {sha[:12]}") from failure
    return git


def _fill(git: Git, side: Side, ref: str, sha: str, worktree: Git | None) -> tuple[Checkout, tuple[str, ...]]:
    """Put the files in place: those of the commit, or the user's uncommitted ones."""
    if ref == WORKTREE and worktree is not None:
        tree, warnings = snapshot(worktree, git)
        return _uncommitted(git, side, sha, tree), warnings
    try:
        git.run(["read-tree", "--reset", "-u", sha])
        tree = git.text(["rev-parse", f"{sha}^{{tree}}"])
        return Checkout(side, ref, sha, git.directory, tree, _subject(git, sha)), ()
    except GitFailed as failure:
        error = failure.as_error(f"cannot check out {side} {shown(ref)} ({sha[:12]})")
        error.hint = "if this is a partial clone (--filter), its files were never fetched: clone without --filter"
        raise error from failure


def _uncommitted(git: Git, side: Side, sha: str, tree: str) -> Checkout:
    dirty = tree != git.text(["rev-parse", f"{sha}^{{tree}}"])
    subject = f"uncommitted work on: {_subject(git, sha)}" if dirty else _subject(git, sha)
    return Checkout(side, WORKTREE, f"worktree-{tree[:12]}", git.directory, tree, subject, dirty)


def _subject(git: Git, sha: str) -> str:
    return git.text(["log", "--max-count=1", "--format=%s", sha])


def _changed(git: Git, base_tree: str, head_tree: str) -> tuple[ChangedFile, ...]:
    arguments = ["diff-tree", "-r", "-z", "--name-status", "--no-renames", "--no-ext-diff", base_tree, head_tree]
    items = git.items(arguments)
    changed = []
    for status, path in zip(items[::2], items[1::2], strict=True):
        kind = cast("Literal['added', 'deleted', 'modified', 'type_changed']", STATUS[status.decode()[:1]])
        changed.append(ChangedFile(path.decode("utf-8", "backslashreplace"), kind))
    return tuple(sorted(changed, key=lambda file: file.path))


def _remove(room: Path) -> None:
    """Remove what was made, also directories that the app under test has locked."""
    for directory, folders, _ in os.walk(room):
        for folder in folders:
            path = Path(directory) / folder
            if not path.is_symlink():
                path.chmod(0o700)
    shutil.rmtree(room, ignore_errors=True)
