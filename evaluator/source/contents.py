"""Fetches what commits only point to: the content of Git LFS files, and submodules."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluator.source.git import Git
from evaluator.source.lfs import fill_pointers
from evaluator.source.limits import Limits
from evaluator.source.modules import fill_submodules
from evaluator.source.patience import PATIENCE, Deadline, Patience
from evaluator.source.pointers import once, pointer_warnings, pointers, submodule_warnings, submodules
from evaluator.source.remote import Remote
from evaluator.source.web import Web


@dataclass(frozen=True, slots=True)
class Contents:
    """What is fetched beside the commits, and from where."""

    remote: Remote
    """The repository's own; nothing is taken from another server."""
    lfs: bool = True
    submodules: bool = False
    patience: Patience = PATIENCE


def fill_contents(
    checkouts: Sequence[Git], trusted: Git, contents: Contents, *, room: Path, limits: Limits
) -> tuple[str, ...]:
    """Put in all checkouts what they only point to, before any code of theirs has run.

    Args:
        checkouts: Git in each.
        trusted: The one that the pull request has no say in.
        contents: What is wanted.
        room: An existing directory of ours.
        limits: The largest that may be.

    Returns:
        Warnings about what is still missing.

    Raises:
        SourceError: The server cannot be reached or refuses.
    """
    remote, patience = contents.remote, contents.patience
    if contents.submodules:
        warnings = fill_submodules(checkouts, trusted, remote, room / "modules", limits=limits, patience=patience)
    else:
        warnings = submodule_warnings(list({path: sha for git in checkouts for path, sha in submodules(git).items()}))
    if not contents.lfs:
        return warnings + pointer_warnings(once(pointer for git in checkouts for pointer in pointers(git)))
    store = room / "lfs"
    store.mkdir()
    web = Web(remote, checkouts[0].environ, Deadline(remote, patience))
    return warnings + fill_pointers(checkouts, web, store, max_bytes=limits.lfs_bytes)
