"""Virtual environments: made, kept under a key, and handed to a ref as its own."""

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from evaluator.errors import InfrastructureError

KEPT_S = 7 * 86_400.0
"""Older ones are made anew: requirements without exact versions would never see a newer one."""
_KEPT_AT_MOST = 12
_SHEBANG = 4_096


def key_of(
    commands: Iterable[Sequence[str]], inputs: Mapping[str, bytes], interpreter: str, settings: Mapping[str, str]
) -> str:
    """The key of an environment: 32 hexadecimal digits.

    Args:
        commands: What is run.
        inputs: All files that it can read.
        interpreter: What tells one Python and one platform from another.
        settings: Environment variables, such as where packages come from.
    """
    files = {name: hashlib.sha256(text).hexdigest() for name, text in sorted(inputs.items())}
    parts = {
        "format": 1, "commands": [list(command) for command in commands], "files": files, "python": interpreter,
        "settings": dict(settings),
    }  # fmt: skip
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def find_kept(kept: Path, key: str, *, now: float | None = None) -> Path | None:
    """The kept environment of a key, or None."""
    entry = kept / key / "venv"
    try:
        made = entry.stat().st_mtime
    except OSError:
        return None
    return entry if (time.time() if now is None else now) - made < KEPT_S else None


def keep(venv: Path, kept: Path, key: str) -> None:
    """Keep a copy of an environment; whoever keeps the same at the same time is as good.

    Raises:
        InfrastructureError: It cannot be written.
    """
    temporary = kept / f".{key}-{secrets.token_hex(6)}"
    try:
        temporary.mkdir(parents=True)
        hand_over(venv, temporary / "venv", written_for=venv)
        os.utime(temporary / "venv")
        stale = kept / key
        if stale.exists() and find_kept(kept, key) is None:
            with contextlib.suppress(OSError):
                stale.rename(kept / f".{key}-{secrets.token_hex(6)}")
        with contextlib.suppress(FileExistsError):
            try:
                temporary.rename(kept / key)
            except OSError as error:
                if not (kept / key).is_dir():
                    raise error from None
    except OSError as error:
        raise InfrastructureError(
            f"{kept} cannot be used for the apps' environments: {error.strerror or error}",
            hint="choose another place with LLM_EVAL_GATE_HOME",
        ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    _forget_old(kept)


def hand_over(source: Path, target: Path, *, written_for: Path | None = None, link: bool = False) -> None:
    """Give an environment a place of its own: nothing writable is shared with where it came from.

    Args:
        source: The environment as it lies.
        target: Where to; must not be there.
        written_for: The path that its scripts were written for; `source` if None.
        link: Share the files' contents: for a reader that is another user, who can write none of them.

    Raises:
        OSError: It cannot be written, or holds something other than files, folders and links.
    """
    marker = source / "written-for"
    before = written_for or (Path(marker.read_text("utf-8")) if marker.is_file() else source)
    shutil.copytree(source, target, symlinks=True, copy_function=_link_or_copy if link else shutil.copy2)
    for folder, _, names in os.walk(target):
        _open_to_readers(Path(folder))
        for name in names:
            if not link:
                _open_to_readers(Path(folder, name))
    for script in [*(target / "bin").iterdir(), target / "pyvenv.cfg"]:
        _rewrite(script, str(before).encode(), str(target).encode())
    _replace(target / "written-for", str(target).encode(), 0o644)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def _open_to_readers(path: Path) -> None:
    """Others may read and run it, but not write it."""
    mode = path.lstat().st_mode
    if not stat.S_ISLNK(mode):
        runs = 0o111 if mode & 0o100 or stat.S_ISDIR(mode) else 0
        path.chmod(stat.S_IMODE(mode) & 0o755 | 0o444 | runs)


def _rewrite(script: Path, before: bytes, after: bytes) -> None:
    """Let a script or a settings file know the environment's new path."""
    mode = script.lstat().st_mode
    if not stat.S_ISREG(mode):
        return
    with script.open("rb") as file:
        start = file.read(_SHEBANG)
        if before not in start or b"\0" in start[:2]:
            return
        text = start + file.read()
    if start.startswith(b"#!") or b"\0" not in text:
        _replace(script, text.replace(before, after), stat.S_IMODE(mode))


def _replace(file: Path, text: bytes, mode: int) -> None:
    """Write a file anew, so that one that shares its contents is left as it is."""
    file.unlink(missing_ok=True)
    file.write_bytes(text)
    file.chmod(mode)


def _forget_old(kept: Path) -> None:
    """Remove what has not been made lately, and the oldest of too many."""
    entries = []
    for entry in kept.iterdir():
        with contextlib.suppress(OSError):
            entries.append((entry.stat().st_mtime, entry))
    entries.sort(reverse=True)
    now = time.time()
    for place, (made, entry) in enumerate(entries):
        half_made = entry.name.startswith(".") and now - made > 3_600
        if half_made or now - made > 2 * KEPT_S or (place >= _KEPT_AT_MOST and not entry.name.startswith(".")):
            shutil.rmtree(entry, ignore_errors=True)
