"""Paths that a config or a dataset names, kept inside the checkout that it belongs to."""

import difflib
import os
import stat
from pathlib import Path, PurePosixPath

from evaluator.errors import SourceError
from evaluator.source.git import shown


def resolve(checkout_root: Path, relative: str, *, key: str = "path") -> Path:
    """Find a file or directory below a checkout's root.

    Args:
        checkout_root: The root; need not be resolved.
        relative: As the user wrote it, with forward slashes.
        key: Where it was written, for messages: `dataset`, `target.prompt` ...

    Returns:
        The real path: symbolic links followed, and proven to lie below the root.

    Raises:
        SourceError: The path is absolute, leads out of the checkout (by `..` or by a link), does not exist, or is
            neither a file nor a directory.
    """
    named = f"{key}: {shown(relative)}"
    if not relative.strip() or "\0" in relative:
        raise SourceError(f"{named}: not a path", hint="write a path relative to the repository's root")
    path = PurePosixPath(relative)
    if path.is_absolute() or os.path.isabs(relative) or relative.startswith("~"):  # noqa: PTH117  # of any platform
        hint = "write a path relative to the repository's root"
        raise SourceError(f"{named}: absolute paths are not allowed", hint=hint)
    if ".." in path.parts:
        raise SourceError(f"{named}: .. is not allowed", hint="write a path relative to the repository's root")
    root = checkout_root.resolve()
    try:
        real = (root / path).resolve(strict=True)
        mode = real.stat().st_mode
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        raise SourceError(f"{named}: {_why(error)}", hint=_nearest(root, path)) from error
    if not real.is_relative_to(root):
        raise SourceError(f"{named}: a symbolic link leads out of the repository", hint="put the file itself there")
    if ".git" in real.relative_to(root).parts:
        raise SourceError(f"{named}: git's own files are not allowed", hint="name a file of the repository")
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise SourceError(f"{named}: neither a file nor a directory", hint="sockets, pipes and devices are not read")
    return real


def read_bytes_below(checkout_root: Path, relative: str, *, max_bytes: int, key: str = "path") -> bytes:
    """Read a file below a checkout's root.

    Raises:
        SourceError: As for `resolve`; also if it is a directory, larger than `max_bytes`, or not readable.
    """
    path = resolve(checkout_root, relative, key=key)
    named = f"{key}: {shown(relative)}"
    if path.is_dir():
        raise SourceError(f"{named}: a directory, where a file is expected")
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except OSError as error:
        raise SourceError(f"{named}: {_why(error)}") from error
    if len(data) > max_bytes:
        raise SourceError(f"{named}: larger than the {max_bytes} bytes that are read", hint="make the file smaller")
    return data


def read_text_below(checkout_root: Path, relative: str, *, max_bytes: int, key: str = "path") -> str:
    """Read a UTF-8 file below a checkout's root; a byte-order mark is dropped.

    Raises:
        SourceError: As for `read_bytes_below`; also if it is not UTF-8.
    """
    data = read_bytes_below(checkout_root, relative, max_bytes=max_bytes, key=key)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = f"{key}: {shown(relative)}:{line}: not UTF-8 (byte 0x{data[error.start]:02x})"
        raise SourceError(found, hint="save the file as UTF-8") from error


def _why(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _nearest(root: Path, path: PurePosixPath) -> str:
    try:
        folder = (root / path).parent.resolve(strict=True)
        if not folder.is_relative_to(root):
            return ""
        names = [entry.name for entry in folder.iterdir()]
    except (OSError, RuntimeError):
        return f"there is no folder {shown(str(path.parent))} at this ref"
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.5)
    return f"did you mean {shown(str(path.with_name(near[0])))}?" if near else "the file is not there at this ref"
