"""Fetches submodules that lie on the repository's own server, each at its commit and without its history.

Their addresses are the pull request's. So nothing is fetched from another server, and the token is shown only for
addresses that base names too: a pull request could else have a private repository read that is none of its business.
"""

import hashlib
import os
import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from evaluator.errors import SourceError
from evaluator.source.fetch import fetch_commits
from evaluator.source.git import Git, GitFailed, shown
from evaluator.source.limits import Limits, check_size
from evaluator.source.patience import Patience
from evaluator.source.pointers import missing_warnings, submodules
from evaluator.source.remote import Remote
from evaluator.source.repository import lender_of, new_repository

SETTING = re.compile(r"submodule\.(.*)\.(path|url)", re.DOTALL)
SSH = re.compile(r"(?:ssh://)?(?:[\w.-]+@)?([\w.-]+)(?::\d+/|[:/])(?!/)(.+)")
MOST = 100


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A submodule of a checkout."""

    git: Git
    path: bytes
    sha: str
    url: str
    """Where it is on our server; empty if it is not."""


def fill_submodules(
    checkouts: Sequence[Git], trusted: Git, remote: Remote, room: Path, *, limits: Limits, patience: Patience
) -> tuple[str, ...]:
    """Check the submodules of all checkouts out; those of submodules are not.

    Args:
        checkouts: Git in each, before any code of theirs has run.
        trusted: The one whose addresses may be asked for with the token.
        remote: The repository's own.
        room: A new directory for what is fetched.
        limits: The largest submodule.
        patience: How long each is waited for.

    Returns:
        Warnings about those that are missing, and why.

    Raises:
        SourceError: One that base has too cannot be had, or is too large.
    """
    known = set(_addresses(trusted, remote).values())
    wanted = [_Wanted(git, path, sha, url) for git in checkouts for path, sha, url in _of(git, remote)]
    warnings: list[str] = []
    if len({(one.url, one.sha) for one in wanted}) > MOST:
        raise SourceError(f"there are more than {MOST} submodules", hint="leave submodules out")
    for one in wanted:
        name = shown(os.fsdecode(one.path), 80)
        if not one.url:
            warnings.append(f"the submodule {name} is not checked out: it is not on {remote.origin}")
            continue
        try:
            git = _check_out(one, remote.at(one.url, token=one.url in known), room, limits, patience)
        except SourceError as error:
            if one.url in known:
                raise SourceError(f"the submodule {name}: {error.message}", hint=error.hint) from error
            warnings.append(f"the submodule {name} is new and is not checked out: {error.message}")
            continue
        warnings += [f"in the submodule {name}: {warning}" for warning in missing_warnings(git)]
    return tuple(dict.fromkeys(warnings))


def _of(git: Git, remote: Remote) -> list[tuple[bytes, str, str]]:
    addresses = _addresses(git, remote)
    return [(path, sha, addresses.get(path, "")) for path, sha in submodules(git).items()]


def _addresses(git: Git, remote: Remote) -> dict[bytes, str]:
    """Read .gitmodules as it was committed: path -> URL on our server, without those that are elsewhere."""
    try:
        items = git.items(["config", "--no-includes", "-z", "--blob", "HEAD:.gitmodules", "--list"])
    except GitFailed:  # there is none, or it is not well formed
        return {}
    found: dict[str, dict[str, bytes]] = {}
    for item in items:
        setting, _, value = item.partition(b"\n")
        if match := SETTING.fullmatch(setting.decode("utf-8", "backslashreplace")):
            found.setdefault(match[1], {})[match[2]] = value
    urls = {one["path"]: _resolved(one["url"], remote) for one in found.values() if {"path", "url"} <= set(one)}
    return {path: url for path, url in urls.items() if url}


def _resolved(written: bytes, remote: Remote) -> str:
    """Give the URL on our server that a submodule's address stands for; empty if it is another server's."""
    text = written.decode("utf-8", "backslashreplace")
    here = urlsplit(remote.url)
    if text.startswith(("./", "../")):
        url = remote.origin + posixpath.normpath(posixpath.join(here.path.rstrip("/"), text))
    elif (match := SSH.fullmatch(text)) and match[1].lower() == here.hostname and not text.startswith("http"):
        url = f"{remote.origin}/{match[2]}"
    else:
        url = text
    try:
        return url if remote.at(url).origin == remote.origin else ""
    except SourceError:
        return ""


def _check_out(one: _Wanted, remote: Remote, room: Path, limits: Limits, patience: Patience) -> Git:
    # A store for each way of asking: what came with the token is not there for an address without it.
    key = f"{remote.authorization() is not None} {remote.url}"
    store = room / hashlib.sha256(key.encode()).hexdigest()[:16]
    fetch_commits(remote, [one.sha], store, one.git.environ, patience=patience)
    folder = one.git.directory / os.fsdecode(one.path)
    if folder.resolve() != folder or not folder.is_dir() or any(folder.iterdir()):
        raise SourceError(f"{shown(os.fsdecode(one.path), 80)} is not an empty folder of the repository")
    git = new_repository(folder, lender_of(Git(store, one.git.environ)), one.sha, one.git.environ)
    check_size(git, one.sha, f"the submodule {os.fsdecode(one.path)}", limits)
    try:
        git.run(["read-tree", "--reset", "-u", one.sha])
    except GitFailed as failure:
        raise failure.as_error("its files cannot be checked out") from failure
    return git
