"""Writes the first files: all of them or none, never over a file that is there unless that is wanted."""

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from evaluator.errors import InfrastructureError, UsageError
from evaluator.starter.files import short


def conflicts(root: Path, paths: Sequence[str]) -> list[str]:
    """Give those of the paths at which something is: a file, a folder, or a link, even a broken one."""
    return [path for path in paths if os.path.lexists(root / path)]


def write_files(root: Path, files: Mapping[str, str], *, replace: bool = False) -> None:
    """Write files below a root; each is complete as soon as it is there.

    Args:
        root: A folder that exists.
        files: Path relative to it, with forward slashes -> text.
        replace: True if regular files that are there may be replaced.

    Raises:
        UsageError: Something is there already, or a folder on the way is a link out of the root; nothing is written.
        InfrastructureError: The disk refused; what was written before is undone.
    """
    root = root.resolve()
    for path in files:
        _check_place(root, path, replace=replace)
    made: list[Path] = []
    staged: list[tuple[Path, Path]] = []
    old: dict[Path, bytes | None] = {}
    try:
        for path, text in files.items():
            target = root / path
            _make_folders(root, target.parent, made)
            handle, name = tempfile.mkstemp(prefix=".llm-eval-gate-", dir=target.parent)
            staged.append((Path(name), target))
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode("utf-8"))
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
        for temporary, target in staged:
            old[target] = target.read_bytes() if target.is_file() else None
            if replace:
                temporary.replace(target)
            else:
                # Unlike a rename, a link is refused if somebody else has made the file in the meantime.
                target.hardlink_to(temporary)
                temporary.unlink()
    except OSError as error:
        for target, before in old.items():
            _undo(target, before, error)
        for temporary, _ in staged:
            temporary.unlink(missing_ok=True)
        for folder in reversed(made):
            folder.rmdir()
        raise InfrastructureError(
            f"the files could not be written: {short(error.filename or '', 200)}: {error.strerror}",
            hint="nothing was changed; check the folder's permissions and the free space, then try again",
        ) from None


def _undo(target: Path, before: bytes | None, error: OSError) -> None:
    if before is not None:
        target.write_bytes(before)
    elif not (isinstance(error, FileExistsError) and error.filename2 == str(target)):
        target.unlink(missing_ok=True)


def _check_place(root: Path, path: str, *, replace: bool) -> None:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts:
        raise UsageError(f"{short(path, 200)} is not below the folder")
    target = root / path
    place = root
    for part in parts.parent.parts:
        place = place / part
        if place.is_symlink() and not place.resolve().is_relative_to(root):
            raise UsageError(f"{short(str(place), 200)} is a link that leads out of the folder", hint="remove the link")
        if place.exists() and not place.is_dir():
            raise UsageError(f"{short(str(place), 200)} is no folder", hint="move it away, then try again")
    if os.path.lexists(target):
        if target.is_symlink() or not target.is_file():
            raise UsageError(f"{short(path, 200)} is there and no regular file", hint="move it away, then try again")
        if not replace:
            raise UsageError(f"{short(path, 200)} is there already", hint="--force replaces it")


def _make_folders(root: Path, folder: Path, made: list[Path]) -> None:
    missing = []
    while folder != root and not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for place in reversed(missing):
        place.mkdir()
        made.append(place)
