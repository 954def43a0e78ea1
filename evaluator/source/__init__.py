"""Git: both refs of the user's repository in directories of our own, and safe paths below them."""

from evaluator.source.checkout import ChangedFile, Checkout, Sources, changed_files, read_text
from evaluator.source.paths import read_bytes_below, read_text_below, resolve
from evaluator.source.refs import WORKTREE
from evaluator.source.worktrees import worktrees

__all__ = [
    "WORKTREE",
    "ChangedFile",
    "Checkout",
    "Sources",
    "changed_files",
    "read_bytes_below",
    "read_text",
    "read_text_below",
    "resolve",
    "worktrees",
]
