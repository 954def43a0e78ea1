"""Turns the names of two refs into two commits, and says plainly what is wrong with a name."""

import difflib
from dataclasses import dataclass

from evaluator.errors import SourceError
from evaluator.source.git import Git, GitFailed, shown

WORKTREE = "WORKTREE"
"""As a head ref: the uncommitted work of the user's checkout."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The two commits to compare."""

    base: str
    """Commit SHA."""
    head: str
    """Commit SHA; for `WORKTREE` the commit that is checked out."""
    tip: str
    """Commit SHA that the base ref names; another than `base` where head left it earlier."""


def check_repository(git: Git) -> None:
    """Make sure that git works here and that there is a commit.

    Raises:
        SourceError: Not a repository, one that git does not trust, or one without commits.
    """
    try:
        git.run(["rev-parse", "--git-dir"])
    except GitFailed as failure:
        where = shown(str(git.directory))
        if "dubious ownership" in failure.stderr:
            hint = f"name the repository's root, or: git config --global --add safe.directory {where}"
            raise SourceError(f"git does not trust {where}: another user owns it", hint=hint) from failure
        if "not a git repository" in failure.stderr:
            hint = "run it inside a clone of your repository, or name one"
            raise SourceError(f"{where} is not a git repository", hint=hint) from failure
        raise failure.as_error(f"cannot read the repository {where}") from failure
    try:
        has_commit = git.run(["rev-list", "--max-count=1", "--all", "HEAD", "--"])
    except GitFailed:  # HEAD is a branch without commits
        has_commit = git.run(["rev-list", "--max-count=1", "--all"])
    if not has_commit:
        hint = "commit the app first: base and head must be commits"
        raise SourceError(f"{shown(str(git.directory))} has no commits yet", hint=hint)


def resolve_pair(git: Git, base: str, head: str, *, merge_base: bool) -> Pair:
    """Resolve both refs; with `merge_base` the base is the commit where head left it.

    Raises:
        SourceError: A ref does not exist or is no commit, or the two have no common commit.
    """
    if base == WORKTREE != head:
        hint = "only head can be uncommitted work; commit or stash it to use it as base"
        raise SourceError(f"{WORKTREE} cannot be the base", hint=hint)
    head_sha = resolve_commit(git, "HEAD" if head == WORKTREE else head, side="head")
    if base == head:
        return Pair(head_sha, head_sha, head_sha)
    base_sha = resolve_commit(git, base, side="base")
    return Pair(_merge_base(git, base, base_sha, head, head_sha) if merge_base else base_sha, head_sha, base_sha)


def check_pair(git: Git, pair: Pair, head: str) -> Pair:
    """Make sure that commits which others have chosen are here; their history need not be.

    Raises:
        SourceError: One is not here, or head is to be uncommitted work.
    """
    if head == WORKTREE:
        raise SourceError(f"{WORKTREE} cannot stand for a commit", hint="name the branch that the commit is on")
    sides = (("base", pair.base), ("head", pair.head), ("base", pair.tip))
    return Pair(*(resolve_commit(git, sha, side=side) for side, sha in sides))


def resolve_commit(git: Git, ref: str, *, side: str) -> str:
    """Give the SHA of the commit that `ref` names.

    Raises:
        SourceError: There is none; names the nearest ref.
    """
    if not ref.strip():
        raise SourceError(f"the {side} ref is empty", hint="name a branch, a tag or a commit")
    try:
        return git.text(["rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}"])
    except GitFailed as failure:
        hint = _nearest(git, ref)
        if _is_shallow(git):
            hint += (
                "; this clone is shallow: git fetch --unshallow (in a workflow: actions/checkout with fetch-depth: 0)"
            )
        raise SourceError(f"the {side} ref {shown(ref)} is no commit of this repository", hint=hint) from failure


def _merge_base(git: Git, base: str, base_sha: str, head: str, head_sha: str) -> str:
    try:
        return git.text(["merge-base", base_sha, head_sha])
    except GitFailed as failure:
        if failure.stderr.strip():
            raise failure.as_error("cannot find where head left base") from failure
        found = f"{shown(base)} and {shown(head)} have no commit in common"
        if _is_shallow(git):
            hint = "this clone is shallow: git fetch --unshallow (in a workflow: actions/checkout with fetch-depth: 0)"
            raise SourceError(f"{found} as far as this clone goes", hint=hint) from failure
        hint = "their histories are unrelated; compare the two refs themselves instead of from their merge base"
        raise SourceError(found, hint=hint) from failure


def _is_shallow(git: Git) -> bool:
    return git.text(["rev-parse", "--is-shallow-repository"]) == "true"


def _nearest(git: Git, ref: str) -> str:
    names = git.text(["for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/tags", "refs/remotes"]).split(
        "\n"
    )
    names = [name for name in names if name]
    remote = [name for name in names if name.endswith(f"/{ref}")]
    near = remote or difflib.get_close_matches(ref, names, n=1, cutoff=0.5)
    if near:
        return f"did you mean {shown(near[0])}?"
    return (
        f"refs here: {', '.join(shown(name, 60) for name in names[:8])}"
        if names
        else "there are no branches or tags here"
    )
