"""Finds the last release of a repository by its tags."""

from collections.abc import Mapping
from pathlib import Path

from evaluator.source.git import Git, GitFailed
from evaluator.source.refs import check_repository

LAST_RELEASE = "last-release"
"""As a ref: the newest tag that looks like a version and that the base contains."""


def last_release(repo: Path, ref: str, environ: Mapping[str, str]) -> str | None:
    """The newest tag such as `v1.2.0` or `2.0` in the history of a ref; None if there is none.

    Newest by version, not by date: a patch of an old version that came later is no newer release.

    Raises:
        SourceError: There is no such repository.
    """
    git = Git(repo.resolve(), environ)
    check_repository(git)
    try:
        listed = git.text(["tag", "--list", "--sort=-version:refname", "--format=%(refname:strip=2)", "--merged", ref])
    except GitFailed:  # the ref is named wrongly, which is told where it is resolved
        return None
    return next((name for name in listed.split("\n") if name and name.lstrip("v")[:1].isdigit()), None)
