"""Programs outside of a checkout, and what else they cannot do without: what is installed beside them.

What a program is, base's config says. Where it lies, this machine says; a checkout has no say in either.
"""

import glob
import os
import shutil
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from evaluator.errors import TargetError
from evaluator.worker import printable

_FROM_SETUP = {"python", "python3", "pip", "pip3"}
"""Programs that the environment of `setup:` has itself, before any other on PATH."""
_WITH_KEYS = {".local", ".cargo", ".docker", ".fly", ".gem"}
"""Folders of a home that have a `bin`, and beside it data or their tool's keys, such as ~/.cargo/credentials.toml."""


def find_programs(names: Iterable[str], root: Path, path: str, *, has_setup: bool) -> list[Path]:
    """The programs outside the checkout that are there; see `find_program`.

    Args:
        names: Programs as the config names them.
        root: The checkout.
        path: PATH without the environment of `setup:`.
        has_setup: Whether there is one, which comes first.
    """
    wanted = (name for name in names if not (has_setup and name in _FROM_SETUP))
    found = (find_program(name, root, path) for name in dict.fromkeys(wanted))
    return [program for program in found if program is not None]


def find_program(program: str, root: Path, path: str) -> Path | None:
    """A program outside the checkout, as the system finds it; None for one of the checkout's own, or none at all.

    A link in the checkout is the checkout's, wherever it leads: head must not choose whose user it is.
    """
    if "/" in program and not program.startswith("/"):
        return None
    found = shutil.which(program, path=path)
    if found is None or Path(found).is_relative_to(root):
        return None
    return Path(found)


def reachable(path: Path) -> bool:
    """Whether any user can get to a file, through all of its links, and read it."""
    seen: set[Path] = set()
    while path not in seen:
        seen.add(path)
        try:
            mode = path.lstat().st_mode
            if not all(above.stat().st_mode & stat.S_IXOTH for above in path.parents):
                return False
            if not stat.S_ISLNK(mode):
                return bool(mode & stat.S_IROTH)
            path = Path(os.path.normpath(path.parent / path.readlink()))
        except OSError:
            return False
    return False


def installations(programs: Sequence[Path]) -> tuple[Path, ...]:
    """The folders that programs were installed to, such as /opt/node of /opt/node/bin/node: its libraries are there.

    Also of a program that is a link to another place in that folder: `npm` is a script that asks for the `node` beside
    the link. Of a shim, its version manager's. Never /usr, which is open already, nor what is more than a program, such
    as a home.
    """
    folders = {path.resolve().parents[1] for path in programs if path.resolve().parent.name == "bin"}
    beside = [(path.resolve(), path.parent.parent.resolve()) for path in programs if path.parent.name == "bin"]
    folders |= {folder for program, folder in beside if program.is_relative_to(folder)}
    folders |= {folder for folder in map(version_manager, programs) if folder is not None}
    return tuple(sorted(folder for folder in folders if not _more_than_a_program(folder)))


def is_shim(program: Path) -> bool:
    """Whether it is no program but a version manager's stand-in, which looks for the program at every start."""
    if program.parent.name != "shims":
        return False
    try:
        if program.is_symlink():  # to the manager itself
            return program.resolve().name != program.name
        with program.open("rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


def version_manager(program: Path) -> Path | None:
    """The folder of the version manager that a shim belongs to, if all that the shim needs is below it; else None.

    So it is with pyenv, and what is laid out like it: ~/.pyenv has shims, libexec and versions.
    """
    folder = program.parent.parent
    whole = is_shim(program) and (folder / "libexec").is_dir() and (folder / "versions").is_dir()
    return folder.resolve() if whole and not _more_than_a_program(folder.resolve()) else None


def refuse_lost_shims(programs: Iterable[Path], opened: Iterable[str]) -> None:
    """See that no program is a shim that finds nothing in a cage.

    Args:
        programs: Programs that the config names.
        opened: What it opens: who opens the shim's folder has seen to it.

    Raises:
        TargetError: One is.
    """
    for program in programs:
        folder = program.parent.parent
        if not is_shim(program) or version_manager(program) or any(folder.is_relative_to(path) for path in opened):
            continue
        name = glob.escape(program.name)
        there = [path for kept in ("installs/*/*", "versions/*") for path in sorted(folder.glob(f"{kept}/bin/{name}"))][
            :2
        ]
        such = f", such as {' or '.join(printable(str(path), 200) for path in there)}" if there else ""
        raise TargetError(
            f"{printable(str(program), 200)} is a version manager's shim: what it starts is closed in the sandbox",
            hint=f"name the program itself in the config{such}; or `setup:`, whose environment has a `python`; or open"
            f" what the shim needs by `sandbox: {{read: [{printable(str(folder), 200)}, ...]}}`",
        )


def _more_than_a_program(folder: Path) -> bool:
    """Whether a folder is open already, or holds what is no program: a home, its ~/.local, a tool's keys."""
    home = Path.home()
    homes = {Path("/"), Path("/usr"), Path("/root"), home, *home.parents, home.resolve(), *home.resolve().parents}
    homes |= {(home / name).resolve() for name in _WITH_KEYS}
    return folder in homes or folder.name in _WITH_KEYS or folder.parent == Path("/home")
