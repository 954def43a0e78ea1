"""Says what a checkout does not hold although the repository names it: files of Git LFS and submodules."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evaluator.source.git import Git, GitFailed, shown

POINTER = b"version https://git-lfs.github.com/spec/"
LARGEST_POINTER = 1024
OID = re.compile(rb"^oid sha256:([0-9a-f]{64})$", re.MULTILINE)
SIZE = re.compile(rb"^size (\d{1,15})$", re.MULTILINE)
NAMED = 5


@dataclass(frozen=True, slots=True)
class Pointer:
    """A file that stands for content on an LFS server. All of it is untrusted."""

    path: bytes
    """From the checkout's root."""
    oid: str
    """SHA-256 of the content, 64 hex digits; empty if the pointer is not well formed."""
    size: int
    """Bytes of the content."""


def missing_warnings(git: Git) -> tuple[str, ...]:
    """Warn of all that a checkout only points to."""
    return (*submodule_warnings(list(submodules(git))), *pointer_warnings(pointers(git)))


def submodule_warnings(paths: Sequence[bytes]) -> tuple[str, ...]:
    """Warn of submodules whose folders are empty."""
    if not paths:
        return ()
    return (f"submodules are not checked out, their folders are empty: {names(paths)}",)


def pointer_warnings(pointers: Sequence[Pointer], why: str = "") -> tuple[str, ...]:
    """Warn of files that are pointers to content elsewhere, and say why they are."""
    if not pointers:
        return ()
    reason = f" ({why})" if why else ""
    paths = [pointer.path for pointer in pointers]
    return (f"{len(pointers)} files are Git LFS pointers, their content is not fetched{reason}: {names(paths)}",)


def submodules(git: Git) -> dict[bytes, str]:
    """Give the submodules of a checkout: path -> commit."""
    found = {}
    for entry in git.items(["ls-files", "-z", "--stage"]):
        info, path = entry.split(b"\t", 1)
        mode, sha, _ = info.split(b" ")
        if mode == b"160000":
            found[path] = sha.decode()
    return found


def pointers(git: Git) -> list[Pointer]:
    """Give the files of a checkout that LFS would replace by their content."""
    try:
        filtered = git.items(["ls-files", "-z", "--", ":(attr:filter=lfs)"])
    except GitFailed:  # a pathspec that this git does not know
        return []
    found = (_pointer(git, path) for path in filtered)
    return [pointer for pointer in found if pointer is not None]


def once(found: Iterable[Pointer]) -> list[Pointer]:
    """Give each file once, though it is in several checkouts."""
    return list({pointer.path: pointer for pointer in found}.values())


def _pointer(git: Git, path: bytes) -> Pointer | None:
    file = git.directory / os.fsdecode(path)
    if file.is_symlink() or not file.is_file():
        return None
    with file.open("rb") as opened:
        text = opened.read(LARGEST_POINTER + 1)
    if not text.startswith(POINTER):
        return None
    oid, size = OID.search(text), SIZE.search(text)
    if oid is None or size is None or len(text) > LARGEST_POINTER:
        return Pointer(path, "", 0)
    return Pointer(path, oid[1].decode(), int(size[1]))


def names(paths: Sequence[bytes]) -> str:
    """Give the first few paths for a message."""
    named = ", ".join(shown(os.fsdecode(path), 80) for path in paths[:NAMED])
    return named + (f" and {len(paths) - NAMED} more" if len(paths) > NAMED else "")
