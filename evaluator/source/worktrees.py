"""Puts the app as it was and as it would be into two directories of our own.

Nothing is written in the user's checkout or its `.git`. Each side gets a fresh repository that borrows the user's
objects (`objects/info/alternates`), so it has none of the user's configuration, filters or hooks.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, cast

from evaluator.records import Side
from evaluator.source.checkout import ChangedFile, Checkout, Sources
from evaluator.source.contents import Contents, fill_contents
from evaluator.source.git import Git, GitFailed, shown
from evaluator.source.limits import LIMITS, Limits, check_size
from evaluator.source.pointers import missing_warnings
from evaluator.source.refs import WORKTREE, Pair, check_pair, check_repository, resolve_pair
from evaluator.source.repository import lender_of, new_repository
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
    pair: Pair | None = None,
    contents: Contents | None = None,
    limits: Limits = LIMITS,
    scratch: Path,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Sources]:
    """Check out both refs for as long as the block lasts.

    Args:
        repo: The user's repository, or a directory in it.
        base: A branch, tag or commit; `WORKTREE` only if head is that too, for a run without a comparison.
        head: The same, or `WORKTREE`: the files as they are in the user's checkout, tracked and new, not ignored.
        merge_base: Compare with the commit where head left base, so that head is not blamed for later work on base.
        pair: The commits themselves, for a repository without the history to find them in; `base` and `head` then are
            names for people alone, and `merge_base` counts for nothing.
        contents: How what git only points to is fetched (Git LFS, submodules); without it there is a warning.
        limits: The largest commit that is checked out.
        scratch: An existing directory; a new one is made in it and removed at the end.
        environ: Our environment; `os.environ` if None.

    Raises:
        SourceError: Either ref cannot be had: there is never an empty or a wrong baseline.
    """
    git = Git(repo.resolve(), os.environ if environ is None else environ)
    check_repository(git)
    worktree = find_worktree(git) if head == WORKTREE and pair is None else None
    pair = resolve_pair(git, base, head, merge_base=merge_base) if pair is None else check_pair(git, pair, head)
    room = Path(tempfile.mkdtemp(prefix="sources-", dir=scratch)).resolve()
    try:
        lender = lender_of(git)
        gits: dict[str, Git] = {}
        warnings: list[str] = []

        def check_out(name: str, side: Side, ref: str, sha: str) -> Checkout:
            gits[name] = new_repository(room / name, lender, sha, git.environ)
            checkout, told = _fill(gits[name], side, ref, sha, worktree, limits)
            warnings.extend(told if name == "head" else ())
            return checkout

        base_checkout = check_out("base", "base", base, pair.base)
        head_checkout = check_out("head", "head", head, pair.head)
        rules = check_out("rules", "base", base, pair.tip) if pair.tip != pair.base else base_checkout
        if contents is None:
            warnings += missing_warnings(gits["head"])
        else:
            trusted = gits.get("rules", gits["base"])
            warnings += fill_contents(list(gits.values()), trusted, contents, room=room, limits=limits)
        changed = _changed(gits["head"], base_checkout.tree, head_checkout.tree)
        yield Sources(base_checkout, head_checkout, rules, changed, tuple(warnings))
    finally:
        _remove(room)


def _fill(
    git: Git, side: Side, ref: str, sha: str, worktree: Git | None, limits: Limits
) -> tuple[Checkout, tuple[str, ...]]:
    """Put the files in place: those of the commit, or the user's uncommitted ones."""
    if ref == WORKTREE and worktree is not None:
        tree, warnings = snapshot(worktree, git)
        return _uncommitted(git, side, sha, tree), warnings
    try:
        check_size(git, sha, f"{side} {shown(ref)} ({sha[:12]})", limits)
        git.run(["read-tree", "--reset", "-u", sha])
        tree, subject = _tree_and_subject(git, sha)
        return Checkout(side, ref, sha, git.directory, tree, subject), ()
    except GitFailed as failure:
        error = failure.as_error(f"cannot check out {side} {shown(ref)} ({sha[:12]})")
        error.hint = "if this is a partial clone (--filter), its files were never fetched: clone without --filter"
        raise error from failure


def _uncommitted(git: Git, side: Side, sha: str, tree: str) -> Checkout:
    committed, subject = _tree_and_subject(git, sha)
    dirty = tree != committed
    subject = f"uncommitted work on: {subject}" if dirty else subject
    return Checkout(side, WORKTREE, f"worktree-{tree[:12]}", git.directory, tree, subject, dirty)


def _tree_and_subject(git: Git, sha: str) -> tuple[str, str]:
    tree, _, subject = git.text(["log", "--max-count=1", "--format=%T%n%s", sha]).partition("\n")
    return tree, subject


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
