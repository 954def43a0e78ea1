"""The files that a build sees: a copy of the ref's own, its hash, and an archive of it for the engine."""

import hashlib
import json
import os
import shutil
import stat
import tarfile
import time
from pathlib import Path
from typing import IO

from evaluator.errors import TargetError
from evaluator.target.container.ignored import ALWAYS, read_ignored

MOST_BYTES = 2_000_000_000
MOST_FILES = 200_000


def copy_context(folder: Path, copy: Path) -> str:
    """Copy a build context and give the hash of all that a build sees of it.

    A copy, because `.git` must stay out of images: a runner's checkout keeps a token there. Links are copied as links,
    which the engine never follows out of the context; sockets, pipes and devices are left out.

    Raises:
        TargetError: It has no Dockerfile of its own, or is too large.
    """
    digest = hashlib.sha256()
    for name, needed in (("Dockerfile", True), (".dockerignore", False), ("Dockerfile.dockerignore", False)):
        # These are read on this machine, and a link would be followed.
        path = folder / name
        there = os.path.lexists(path)
        if (there and not stat.S_ISREG(path.lstat().st_mode)) or (needed and not there):
            raise TargetError(
                f"target.container.build: {name} is {'no plain file' if there else 'not there'}",
                hint="the folder that `build` names must hold a Dockerfile",
            )
    copy.mkdir(parents=True)
    size = count = 0
    for above, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != ".git")
        links = [name for name in folders if (Path(above) / name).is_symlink()]
        for name in sorted([*folders, *(name for name in files if name != ".git")]):
            path = Path(above) / name
            relative = path.relative_to(folder)
            mode = path.lstat().st_mode
            count += 1
            size += path.lstat().st_size if stat.S_ISREG(mode) else 0
            if size > MOST_BYTES or count > MOST_FILES:
                raise TargetError(
                    f"target.container.build: the folder holds more than {MOST_BYTES} bytes or {MOST_FILES} files",
                    hint="let `build` name a smaller folder, with a Dockerfile of its own",
                )
            if stat.S_ISLNK(mode):
                content = os.fsencode(path.readlink())
                (copy / relative).symlink_to(path.readlink())
            elif stat.S_ISDIR(mode):
                content = b""
                (copy / relative).mkdir()
            elif stat.S_ISREG(mode):
                shutil.copy2(path, copy / relative)
                with path.open("rb") as file:
                    content = hashlib.file_digest(file, "sha256").digest()
            else:
                continue
            kind = stat.S_IFMT(mode) | (mode & 0o111 if stat.S_ISREG(mode) else 0)
            digest.update(json.dumps([os.fsencode(relative).hex(), kind, content.hex()]).encode() + b"\n")
        folders[:] = [name for name in folders if name not in links]
    return digest.hexdigest()[:32]


def archive_context(copy: Path, file: IO[bytes]) -> None:
    """Write a copied context as a tar archive, without what its `.dockerignore` names, all of it root's.

    BuildKit looks at the first entry to see that it is an archive at all, and knows none with an extended header there.

    Raises:
        TargetError: Its `.dockerignore` is none.
    """
    is_ignored = read_ignored(copy, time.thread_time)
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for above, folders, files in os.walk(copy):
            folders.sort()
            for name in sorted([*folders, *files]):
                path = Path(above) / name
                relative = path.relative_to(copy).as_posix()
                # A folder that is left out may hold what is not: it comes by itself with that.
                if relative in ALWAYS or not is_ignored(relative):
                    archive.add(path, relative, recursive=False, filter=_as_root)


def _as_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
