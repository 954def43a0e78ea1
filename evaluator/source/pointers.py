"""Says what a checkout does not hold although the repository names it: files of Git LFS and submodules."""

import os

from evaluator.source.git import Git, GitFailed, shown

POINTER = b"version https://git-lfs.github.com/spec/"
NAMED = 5


def pointer_warnings(git: Git) -> tuple[str, ...]:
    """Warn of files that are pointers to content elsewhere; their paths are in the warning."""
    warnings = []
    entries = git.items(["ls-files", "-z", "--stage"])
    submodules = [entry.split(b"\t", 1)[1] for entry in entries if entry.startswith(b"160000 ")]
    if submodules:
        warnings.append(f"submodules are not checked out, their folders are empty: {_names(submodules)}")
    try:
        filtered = git.items(["ls-files", "-z", "--", ":(attr:filter=lfs)"])
    except GitFailed:  # a pathspec that this git does not know
        filtered = []
    pointers = [path for path in filtered if _is_pointer(git, path)]
    if pointers:
        count = len(pointers)
        warnings.append(f"{count} files are Git LFS pointers, their content is not fetched: {_names(pointers)}")
    return tuple(warnings)


def _is_pointer(git: Git, path: bytes) -> bool:
    file = git.directory / os.fsdecode(path)
    if file.is_symlink() or not file.is_file():
        return False
    with file.open("rb") as opened:
        return opened.read(len(POINTER)) == POINTER


def _names(paths: list[bytes]) -> str:
    named = ", ".join(shown(os.fsdecode(path), 80) for path in paths[:NAMED])
    return named + (f" and {len(paths) - NAMED} more" if len(paths) > NAMED else "")
