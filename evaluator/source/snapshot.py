"""Copies the user's checkout as it is, with uncommitted work, into a repository of our own; reads only.

The files are read by us, not by git's diff, because that may run filters and rewrite the index of the user's checkout.
"""

import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from evaluator.errors import SourceError
from evaluator.source.git import Git, GitFailed, shown
from evaluator.source.refs import WORKTREE

GITLINK = b"160000"
EXECUTABLE = 0o755
PLAIN = 0o644


def find_worktree(git: Git) -> Git:
    """Give git in the root of the user's checkout.

    Raises:
        SourceError: The repository is bare.
    """
    try:
        return Git(Path(git.text(["rev-parse", "--show-toplevel"])), git.environ)
    except GitFailed as failure:
        found = f"{shown(str(git.directory))} has no files checked out, so there is no uncommitted work"
        raise SourceError(found, hint=f"name a commit instead of {WORKTREE}") from failure


def snapshot(worktree: Git, copy: Git) -> tuple[str, tuple[str, ...]]:
    """Copy all tracked and all new files, without the ignored ones.

    Args:
        worktree: Git in the root of the user's checkout.
        copy: Git in a fresh repository without files that borrows the user's objects.

    Returns:
        The hash of the tree that a commit of these files would have, and warnings.

    Raises:
        SourceError: A merge is not finished, or a file cannot be read.
    """
    try:
        tracked, gitlinks, sparse = _index(worktree)
        new = worktree.items([*_user_excludes(worktree), "ls-files", "-z", "--others", "--exclude-standard"])
        _restore(copy, gitlinks, sparse)
        skipped = _copy([*tracked, *new], worktree.directory, copy.directory)
        with _borrowing_nothing(copy.directory):
            copy.run(["-c", "core.looseCompression=0", "add", "--all", "--force", "."])
            tree = copy.text(["write-tree"])
    except GitFailed as failure:
        raise failure.as_error("cannot read the uncommitted work") from failure
    if not skipped:
        return tree, ()
    names = ", ".join(shown(os.fsdecode(path), 80) for path in skipped[:5])
    return tree, (f"not copied from the checkout, being neither files nor links: {names}",)


def _index(worktree: Git) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """List the index: paths of files, entries of submodules, entries that a sparse checkout leaves out."""
    tracked, gitlinks, sparse, unmerged = [], [], [], []
    for item in worktree.items(["ls-files", "-z", "--stage", "-t"]):
        tag, entry = item.split(b" ", 1)
        info, path = entry.split(b"\t", 1)
        mode, _, stage = info.split(b" ")
        if stage != b"0":
            unmerged.append(path)
        elif mode == GITLINK:
            gitlinks.append(entry)
        elif tag == b"S":
            sparse.append(entry)
        else:
            tracked.append(path)
    if unmerged:
        found = f"a merge is not finished: {shown(os.fsdecode(unmerged[0]))} has conflicts"
        raise SourceError(found, hint="resolve the conflicts (git status lists them), then run this again")
    return tracked, gitlinks, sparse


def _user_excludes(worktree: Git) -> list[str]:
    """Keep the user's own list of ignored files, which is the one thing that we take from their configuration."""
    try:
        reader = Git(worktree.directory, worktree.environ, user_config=True)
        path = reader.text(["config", "--global", "--includes", "--type=path", "--get", "core.excludesFile"])
    except GitFailed:  # not set, or there is no such configuration
        return []
    return ["-c", f"core.excludesFile={path}"]


def _restore(copy: Git, gitlinks: list[bytes], sparse: list[bytes]) -> None:
    """Put in place what the index has and the checkout has not, so that it does not look deleted."""
    if not gitlinks and not sparse:
        return
    copy.run(["update-index", "-z", "--index-info"], stdin=b"".join(entry + b"\0" for entry in [*gitlinks, *sparse]))
    for entry in gitlinks:
        (copy.directory / os.fsdecode(entry.split(b"\t", 1)[1])).mkdir(parents=True, exist_ok=True)
    names = b"".join(entry.split(b"\t", 1)[1] + b"\0" for entry in sparse)
    copy.run(["checkout-index", "--force", "-z", "--stdin"], stdin=names)


def _copy(paths: Iterable[bytes], source: Path, target: Path) -> list[bytes]:
    """Copy files and links, keep the executable bit; give those that are neither. What is gone stays gone."""
    skipped = []
    real_folders: dict[Path, bool] = {source: True}
    for path in paths:
        relative = os.fsdecode(path)
        origin, copy = source / relative, target / relative
        if not _is_real_folder(origin.parent, real_folders):  # a tracked folder that is now a link: its files are gone
            continue
        try:
            mode = origin.lstat().st_mode
            if stat.S_ISREG(mode):
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(origin, copy)
                copy.chmod(EXECUTABLE if mode & stat.S_IXUSR else PLAIN)
            elif stat.S_ISLNK(mode):
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.symlink_to(origin.readlink())
            elif not stat.S_ISDIR(mode) or relative.endswith("/"):
                skipped.append(path)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise SourceError(f"cannot copy {shown(relative)} of the checkout: {error.strerror}") from error
    return skipped


@contextmanager
def _borrowing_nothing(repository: Path) -> Iterator[None]:
    """Cut a repository off from the user's objects, whose time stamps git renews instead of writing them again."""
    alternates = repository / ".git" / "objects" / "info" / "alternates"
    aside = alternates.with_suffix(".aside")
    alternates.rename(aside)
    try:
        yield
    finally:
        aside.rename(alternates)


def _is_real_folder(folder: Path, known: dict[Path, bool]) -> bool:
    if folder not in known:
        known[folder] = _is_real_folder(folder.parent, known) and not folder.is_symlink()
    return known[folder]
