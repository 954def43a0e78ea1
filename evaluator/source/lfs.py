"""Puts the content of Git LFS files in their place, in all checkouts or in none.

We speak the protocol ourselves: `git lfs` obeys the pull request's .lfsconfig, which may name another server.
Protocol: https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md
"""

import json
import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from evaluator.errors import SourceError
from evaluator.source.git import Git, shown
from evaluator.source.pointers import once, pointer_warnings, pointers
from evaluator.source.web import Refused, Web

MEDIA_TYPE = "application/vnd.git-lfs+json"
ASKED_AT_ONCE = 100
AT_ONCE = 8
LARGEST_ANSWER = 1 << 20
NOT_THERE = {404, 410, 422}


def fill_pointers(checkouts: Sequence[Git], web: Web, store: Path, *, max_bytes: int) -> tuple[str, ...]:
    """Replace the pointers of all checkouts by their content.

    Nothing is fetched if it is too large together, so that base and head are never filled unlike each other.

    Args:
        checkouts: Git in each; before any code of theirs has run.
        web: The repository's server; LFS is asked of it and of no other.
        store: An existing directory for the content; it is not needed afterwards.
        max_bytes: The largest content, all files together; a file that is in several checkouts counts once.

    Returns:
        Warnings about what is still a pointer.

    Raises:
        SourceError: The server cannot be reached, or gives nothing at all.
    """
    found = [(git, pointer) for git in checkouts for pointer in pointers(git)]
    sizes: dict[str, int] = {}
    for _, pointer in found:  # base comes first: what it says of a content's size counts
        if pointer.oid:
            sizes.setdefault(pointer.oid, pointer.size)
    total = sum(sizes.values())
    if total > max_bytes:
        why = f"{total:,} bytes, more than the {max_bytes:,} that are fetched"
        return pointer_warnings(once(pointer for _, pointer in found), why)
    offered = _offers(web, sizes)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(lambda oid: _download(web, oid, sizes[oid], offered[oid], store / oid), offered):
            pass
    for git, pointer in found:
        if pointer.oid in offered and pointer.size == sizes[pointer.oid]:
            _put(git.directory, pointer.path, store / pointer.oid)
    left = [p for _, p in found if p.oid not in offered or p.size != sizes[p.oid]]
    return pointer_warnings(once(left), "the server has no such content")


def _offers(web: Web, sizes: Mapping[str, int]) -> dict[str, Mapping[str, Any]]:
    """Ask where content is: SHA-256 -> the `download` action; without those that the server does not have."""
    address = web.remote.url.rstrip("/").removesuffix(".git") + ".git/info/lfs/objects/batch"
    headers = {"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE}
    offered: dict[str, Mapping[str, Any]] = {}
    oids = sorted(sizes)
    for start in range(0, len(oids), ASKED_AT_ONCE):
        objects = [{"oid": oid, "size": sizes[oid]} for oid in oids[start : start + ASKED_AT_ONCE]]
        question = {"operation": "download", "transfers": ["basic"], "objects": objects, "hash_algo": "sha256"}
        try:
            said = web.post(address, json.dumps(question).encode(), headers, max_bytes=LARGEST_ANSWER)
            answers = [(str(item["oid"]), item) for item in json.loads(said)["objects"]]
        except Refused as error:
            raise SourceError(f"the content of Git LFS files is refused: {error.message}", hint=error.hint) from error
        except (ValueError, KeyError, TypeError) as error:
            raise SourceError(f"{shown(address)} does not answer as Git LFS does") from error
        for oid, item in answers:
            code = item.get("error", {}).get("code", 0) if isinstance(item.get("error", {}), dict) else 0
            action = item.get("actions", {}).get("download")
            if oid in sizes and isinstance(action, dict) and isinstance(action.get("href"), str):
                offered[oid] = action
            elif code and code not in NOT_THERE:
                raise SourceError(f"the content {oid[:12]} of a Git LFS file is refused: status {code}")
    return offered


def _download(web: Web, oid: str, size: int, action: Mapping[str, Any], path: Path) -> None:
    given = action.get("header") or {}
    headers = {str(name): str(value) for name, value in given.items()} if isinstance(given, dict) else {}
    with path.open("w+b") as file:
        web.download(action["href"], headers, file, size=size, sha256=oid)


def _put(root: Path, relative: bytes, content: Path) -> None:
    """Put content in a pointer's place; the file is new, for its folder may be the only thing that we made."""
    path = root / os.fsdecode(relative)
    if not path.parent.resolve().is_relative_to(root.resolve()):
        raise SourceError(f"{shown(os.fsdecode(relative))}: a symbolic link leads out of the repository")
    mode = stat.S_IMODE(path.lstat().st_mode)
    path.unlink()
    shutil.copyfile(content, path)
    path.chmod(mode)
