"""Refuses a commit whose files would fill the disk: a few hundred bytes of git objects can name billions of files."""

from contextlib import closing
from dataclasses import dataclass

from evaluator.errors import SourceError
from evaluator.source.git import Git, shown

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest commit that is checked out."""

    files: int = 100_000
    """Files and folders."""
    bytes: int = 2 * GIB
    """Of all files together, as git stores them."""
    lfs_bytes: int = GIB
    """Of all Git LFS content that is fetched, for all checkouts together."""


LIMITS = Limits()


def check_size(git: Git, sha: str, what: str, limits: Limits) -> None:
    """Make sure that a commit may be checked out; stops counting at the limit.

    Args:
        git: Git where the commit is.
        sha: The commit.
        what: What it is, for the message.
        limits: The largest that may be.

    Raises:
        SourceError: It is too large.
        GitFailed: Its files cannot be listed.
    """
    files = size = 0
    # -t: folders count too, for a tree of nothing but folders is as deep a pit.
    with closing(git.stream(["ls-tree", "-r", "-t", "-l", "-z", "--full-tree", sha])) as entries:
        for entry in entries:
            files += 1
            length = entry.split(b"\t", 1)[0].split()[-1]
            size += int(length) if length.isdigit() else 0
            if files > limits.files:
                raise _too_large(what, f"more than {limits.files:,} files and folders")
            if size > limits.bytes:
                raise _too_large(what, f"more than {limits.bytes / GIB:,.2f} GiB of files")


def _too_large(what: str, found: str) -> SourceError:
    return SourceError(f"{shown(what)} has {found}, and is not checked out", hint="take what the app does not need out")
