"""Whether commands install packages by lock files alone, and which files those are.

What is kept from run to run must hang on nothing but what its key is made of: else head could run with what base
installed. `pip install .` installs the checkout's code, which no lock file tells. So only commands that are known to
read nothing but requirement files or uv's lock are kept, and they run in a folder that holds nothing else. `npm ci` is
none of them: what it makes lies in the checkout, and scripts of the checkout's package.json may run in between.
"""

import json
import re
import stat
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from evaluator.setup import uv_project
from evaluator.setup.uv_project import LOCK, MOST_SECONDS, PROJECT, SETTINGS, is_sync

ALWAYS = (
    "pyproject.toml", "uv.lock", "uv.toml", "poetry.lock", "pdm.lock", "Pipfile.lock", "package.json",
    "package-lock.json", ".python-version",
)  # fmt: skip
"""Lock files and settings at the top of the checkout; `requirements*.txt` and `constraints*.txt` too."""
_INSTALLS = (
    ("uv", "pip", "install"), ("uv", "pip", "sync"), ("pip", "install"), ("pip3", "install"),
    ("python", "-m", "pip", "install"), ("python3", "-m", "pip", "install"),
)  # fmt: skip
_FILES = {"-r", "--requirement", "--requirements", "-c", "--constraint", "--constraints", "--build-constraint"}
_VALUES = {"-i", "--index-url", "--extra-index-url", "--default-index", "--index", "--only-binary", "--no-binary"}
_FLAGS = {
    "-q", "--quiet", "-U", "--upgrade", "--pre", "--no-deps", "--require-hashes", "--no-cache", "--no-cache-dir",
    "--no-input", "--compile", "--no-compile", "--strict", "--disable-pip-version-check", "--prefer-binary",
    "--no-build-isolation", "--no-index", "--progress-bar=off", "--no-progress",
}  # fmt: skip
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(\[[\w.,\s-]*\])?\s*([<>=!~;].*)?")
_ARCHIVE = (".whl", ".zip", ".tar", ".gz", ".bz2", ".xz", ".tgz", ".egg")
_REMOTE = re.compile(r"(?:[A-Za-z0-9][\w.-]*(\[[\w.,\s-]*\])?\s*@\s*)?(?:git\+)?https://\S+.*")
_MOST_FILES = 200
_MOST_BYTES = 10_000_000


def lock_inputs(commands: Iterable[Sequence[str]], root: Path) -> dict[str, bytes] | None:
    """The files that commands hang on, by their path in the checkout; None if they may read others.

    Args:
        commands: The commands.
        root: The checkout.
    """
    found: dict[str, bytes] = {}
    wanted: list[str] = []
    for command in commands:
        files = [] if is_sync(command) and _is_locked(root) else _files_named(command)
        if files is None:
            return None
        wanted += files
    for name in wanted:
        if not _add_requirements(name, root, found):
            return None
    patterns = ("requirements*.txt", "constraints*.txt")
    for name in (*ALWAYS, *(path.name for pattern in patterns for path in sorted(root.glob(pattern)))):
        text = _read(root, name)
        if text is not None:
            found.setdefault(name, text)
    return found


def _is_locked(root: Path) -> bool:
    """Whether uv's lock tells all that the project installs; the files are among those of `ALWAYS`."""
    files = [_read(root, name) for name in (PROJECT, LOCK, SETTINGS)]
    if None in files[:2]:
        return False
    try:
        texts = json.dumps([None if file is None else file.decode() for file in files])
        done = subprocess.run(  # noqa: S603  # our own script
            [sys.executable, "-I", "-S", uv_project.__file__], env={}, cwd="/", input=texts.encode(),
            capture_output=True, timeout=2 * MOST_SECONDS, check=False,
        )  # fmt: skip
    except (UnicodeDecodeError, OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def _files_named(command: Sequence[str]) -> list[str] | None:
    """The files that an installing command names; None if it is another command, or reads more."""
    start = next((install for install in _INSTALLS if tuple(command[: len(install)]) == install), None)
    if start is None:
        return None
    files: list[str] = []
    words = iter(command[len(start) :])
    for word in words:
        option, joined, value = word.partition("=")
        if option in _FILES:
            files.append(value if joined else next(words, ""))
        elif option in _VALUES:
            given = value if joined else next(words, "")
            if "index" in option and not given.startswith("https://"):
                return None
        elif word in _FLAGS:
            continue
        elif start[-1] == "sync" and not word.startswith("-"):
            files.append(word)
        elif not _is_package(word):
            return None
    return files


def _is_package(text: str) -> bool:
    """Whether a requirement is a package of an index or of an address, and no path."""
    if _REMOTE.fullmatch(text):
        return True
    bare = re.split(r"[<>=!~;\s\[]", text, maxsplit=1)[0]
    return _NAME.fullmatch(text) is not None and not bare.lower().endswith(_ARCHIVE)


def _add_requirements(name: str, root: Path, found: dict[str, bytes]) -> bool:
    """Add a requirement file and those that it includes; False if it asks for more than packages."""
    path = PurePosixPath(name)
    text = None if path.is_absolute() or ".." in path.parts else _read(root, str(path))
    if text is None or len(found) >= _MOST_FILES:
        return False
    if found.get(str(path)) is not None:
        return True
    found[str(path)] = text
    try:
        joined = re.sub(r"\\\r?\n", " ", text.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return False
    for raw in joined.splitlines():
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        line = re.split(r"\s+--hash[=\s]", line, maxsplit=1)[0].strip()
        option = re.fullmatch(r"(--?[a-z-]+)[=\s]+(.+)|(-[rc])(\S+)", line)
        if not line or line in _FLAGS:
            continue
        if option is not None:
            key, value = option[1] or option[3], (option[2] or option[4]).strip()
            if key in _FILES:
                if not _add_requirements(str(path.parent / value), root, found):
                    return False
            elif key not in _VALUES or ("index" in key and not value.startswith("https://")):
                return False
        elif not _is_package(line):
            return False
    return True


def _read(root: Path, name: str) -> bytes | None:
    """A regular file of the checkout, never through a link."""
    path = root
    try:
        for part in PurePosixPath(name).parts:
            path /= part
            if stat.S_ISLNK(path.lstat().st_mode):
                return None
        if not stat.S_ISREG(path.lstat().st_mode) or path.stat().st_size > _MOST_BYTES:
            return None
        return path.read_bytes()
    except OSError:
        return None
