"""What the rest of the program sees of git: two directories with the app as it was and as it would be."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evaluator.errors import SourceError
from evaluator.records import Side
from evaluator.source.paths import read_text_below


@dataclass(frozen=True, slots=True)
class Checkout:
    """The repository's files at one ref, in a directory of our own."""

    side: Side
    ref: str
    """As the user asked for it."""
    sha: str
    """The commit's SHA; `worktree-` and 12 hex digits of the tree for uncommitted work."""
    path: Path
    """The root; holds a git repository of its own, detached at the commit."""
    tree: str
    """Git's hash of all files: equal trees are equal content, whatever the commit."""
    subject: str
    """The commit's first line. Untrusted."""
    dirty: bool = False
    """True if it holds work that is not committed."""


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file that differs between base and head."""

    path: str
    """From the root, with forward slashes; bytes that are not UTF-8 are escaped. Untrusted."""
    status: Literal["added", "deleted", "modified", "type_changed"]


@dataclass(frozen=True, slots=True)
class Sources:
    """Both refs."""

    base: Checkout
    """The app as it was: where head left base, so that head is not blamed for later work."""
    head: Checkout
    rules: Checkout
    """The tip of base, for config and golden set: who makes head chooses where it branches off, not these."""
    changed: tuple[ChangedFile, ...]
    warnings: tuple[str, ...] = ()


def changed_files(sources: Sources) -> tuple[ChangedFile, ...]:
    """Give the files that differ between base and head, sorted by path; renames are a deletion and an addition.

    They were listed when the checkouts were made, before any code of the pull request could run.
    """
    return sources.changed


def read_text(checkout: Checkout, relative: str, *, max_bytes: int, key: str = "path") -> str:
    """Read a UTF-8 file of a checkout.

    Args:
        checkout: Where.
        relative: Path from the root, as the user wrote it.
        max_bytes: The largest size that is read.
        key: Where the path was written, for messages.

    Raises:
        SourceError: The path leads out, or there is no such text file; says at which ref.
    """
    try:
        return read_text_below(checkout.path, relative, max_bytes=max_bytes, key=key)
    except SourceError as error:
        at = f"at {checkout.side} ({checkout.sha[:21]})"
        raise SourceError(f"{error.message} {at}", hint=error.hint) from error
