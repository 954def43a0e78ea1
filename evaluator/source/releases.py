"""Finds the last release of a repository by its tags."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from evaluator.source.git import Git, GitFailed
from evaluator.source.refs import check_repository

LAST_RELEASE = "last-release"
"""As a ref: the newest tag that looks like a version and that the base contains."""
_VERSION = re.compile(r"v?(\d+(?:\.\d+)*)([-+.]?[A-Za-z].*)?")


def last_release(repo: Path, ref: str, environ: Mapping[str, str]) -> str | None:
    """The newest tag such as `v1.2.0` or `2.0` in the history of a ref; None if there is none.

    Newest by version, not by date: a patch of an old version that came later is no newer release.

    Raises:
        SourceError: There is no such repository.
    """
    git = Git(repo.resolve(), environ)
    check_repository(git)
    try:
        listed = git.text(["tag", "--list", "--format=%(refname:strip=2)", "--merged", ref])
    except GitFailed:  # the ref is named wrongly, which is told where it is resolved
        return None
    return next(iter(newest_versions(listed.split("\n"))), None)


def newest_versions(tags: Iterable[str]) -> list[str]:
    """The tags that look like versions, the newest first; `v2.0.0-rc1` comes before `v2.0.0`."""
    found = [(match, tag) for tag in tags if (match := _VERSION.fullmatch(tag))]

    def age(item: tuple[re.Match[str], str]) -> tuple[list[int], bool, str]:
        match, _ = item
        return [int(part) for part in match[1].split(".")], match[2] is None, match[2] or ""

    return [tag for _, tag in sorted(found, key=age, reverse=True)]
