"""The image of an app: its Dockerfile built from a copy of the ref's own files, or one that base's config names."""

import hashlib
import json
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from evaluator.errors import TargetError
from evaluator.records import Side
from evaluator.target.container.box import LABEL
from evaluator.target.container.client import Docker, DockerFailed
from evaluator.worker import printable

_REPOSITORY = "llm-eval-gate-app"
_PULL_S = 900.0


@dataclass(frozen=True, slots=True)
class Build:
    """An image that is built."""

    folder: Path
    """The context, in the ref's checkout, links resolved; the Dockerfile lies in it."""
    timeout_s: float = 900.0


@dataclass(frozen=True, slots=True)
class Named:
    """An image that is there, or pulled."""

    name: str


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is ready."""

    id: str
    volumes: tuple[str, ...]
    """Paths that it declares as volumes."""


async def ready_image(
    docker: Docker, source: Build | Named, *, side: Side, copy: Path, network: str | None = None
) -> Image:
    """Build or pull an image unless the engine has it.

    Args:
        docker: The client.
        source: Which.
        side: Whose, for messages.
        copy: Where the context is copied to; not there yet.
        network: The network of build steps; None for the engine's default.

    Raises:
        TargetError: It cannot be had.
    """
    if isinstance(source, Named):
        found = await _inspect(docker, source.name)
        return found or await _pull(docker, source.name)
    try:
        tag = f"{_REPOSITORY}:{copy_context(source.folder, copy)}"
        found = await _inspect(docker, tag)
        return found or await _build(docker, tag, copy, source.timeout_s, network, side)
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def copy_context(folder: Path, copy: Path) -> str:
    """Copy a build context and give the hash of all that a build sees of it.

    A copy, because `.git` must stay out of images: a runner's checkout keeps a token there. Links are copied as links,
    which the engine never follows out of the context; sockets, pipes and devices are left out.

    Raises:
        TargetError: It has no Dockerfile of its own.
    """
    digest = hashlib.sha256()
    for name, needed in (("Dockerfile", True), (".dockerignore", False), ("Dockerfile.dockerignore", False)):
        # The client reads these itself, on this machine, and would follow a link.
        path = folder / name
        there = os.path.lexists(path)
        if (there and not stat.S_ISREG(path.lstat().st_mode)) or (needed and not there):
            raise TargetError(
                f"target.container.build: {name} is {'no plain file' if there else 'not there'}",
                hint="the folder that `build` names must hold a Dockerfile",
            )
    copy.mkdir(parents=True)
    for above, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != ".git")
        links = [name for name in folders if (Path(above) / name).is_symlink()]
        for name in sorted([*folders, *(name for name in files if name != ".git")]):
            path = Path(above) / name
            relative = path.relative_to(folder)
            mode = path.lstat().st_mode
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


async def _build(docker: Docker, tag: str, context: Path, timeout_s: float, network: str | None, side: Side) -> Image:
    words = ["build", "--force-rm", "--label", f"{LABEL}=app", "--tag", tag]
    words += ["--network", network] if network else []
    try:
        await docker.ask(*words, str(context), timeout_s=timeout_s)
    except DockerFailed as failed:
        raise TargetError(
            f"target.container: the Dockerfile cannot be built, at {side}: {failed}",
            hint="build it by hand with `docker build`; none of our variables, proxies or passwords reach the build",
        ) from None
    image = await _inspect(docker, tag)
    if image is None:
        raise TargetError(f"target.container: the build made no image, at {side}", hint="see `docker info`")
    return image


async def _pull(docker: Docker, name: str) -> Image:
    try:
        await docker.ask("pull", "--quiet", name, timeout_s=_PULL_S, as_user=True)
    except DockerFailed as failed:
        hint = "check `target.container.image`; a private registry needs `docker login` before the gate"
        raise TargetError(f"target.container: no image {printable(name, 200)!r}: {failed}", hint=hint) from None
    image = await _inspect(docker, name)
    if image is None:
        raise TargetError(f"target.container: image {printable(name, 200)!r} is gone again", hint="see `docker info`")
    return image


async def _inspect(docker: Docker, name: str) -> Image | None:
    try:
        told = await docker.ask("image", "inspect", "--format", "{{.Id}} {{json .Config.Volumes}}", name)
    except DockerFailed:
        return None
    identity, _, volumes = told.partition(" ")
    return Image(identity, tuple(sorted(json.loads(volumes) or {})))
