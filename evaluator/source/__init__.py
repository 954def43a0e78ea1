"""Git: both refs of the user's repository in directories of our own, and safe paths below them."""

from evaluator.source.checkout import ChangedFile, Checkout, Sources, changed_files, read_text
from evaluator.source.contents import Contents
from evaluator.source.fetch import fetch_commits, fetch_ref, parents
from evaluator.source.limits import Limits
from evaluator.source.paths import read_bytes_below, read_text_below, resolve
from evaluator.source.patience import Patience
from evaluator.source.refs import WORKTREE, Pair
from evaluator.source.refusals import CommitGone, RefGone
from evaluator.source.remote import Remote
from evaluator.source.worktrees import worktrees

__all__ = [
    "WORKTREE",
    "ChangedFile",
    "Checkout",
    "CommitGone",
    "Contents",
    "Limits",
    "Pair",
    "Patience",
    "RefGone",
    "Remote",
    "Sources",
    "changed_files",
    "fetch_commits",
    "fetch_ref",
    "parents",
    "read_bytes_below",
    "read_text",
    "read_text_below",
    "resolve",
    "worktrees",
]
