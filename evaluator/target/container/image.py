"""The image of an app: its Dockerfile built from a copy of the ref's own files, or one that base's config names.

Docker's client builds where it is there, with BuildKit or whatever its user has set. Where it is not, the engine itself
builds: its classic builder first, which fetches base images by itself and can be held to memory; BuildKit without a
client for what that refuses. Neither can ask us for passwords, secrets or other folders then.
"""

import asyncio
import contextlib
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from evaluator.errors import TargetError
from evaluator.records import Side
from evaluator.target.container.box import LABEL
from evaluator.target.container.client import DockerFailed, DockerProgram
from evaluator.target.container.context import archive_context, copy_context
from evaluator.target.container.engine import Engine, refusals
from evaluator.worker import printable

LARGEST_BYTES = 20_000_000_000
"""Of an image that is built."""
_BUILD_MEMORY_BYTES = 8_000_000_000
_REPOSITORY = "llm-eval-gate-app"
_PULL_S = 900.0
_FROM = re.compile(r"^[ \t]*FROM[ \t]+(?:--platform=\S+[ \t]+)?([^\s$]+)(?:[ \t]+AS[ \t]+(\S+))?[ \t]*$", re.I | re.M)
_REFUSES = re.compile(r"buildkit|unknown (?:instruction|flag)|parse error", re.I)
"""What the classic builder says of what only BuildKit knows; here-documents are unknown instructions to it."""


@dataclass(frozen=True, slots=True)
class Build:
    """An image that is built."""

    folder: Path
    """The context, in the ref's checkout, links resolved; the Dockerfile lies in it."""
    timeout_s: float = 900.0
    network: str = "none"
    """Of its steps: `none`, `default` for the engine's own, `host`."""


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
    size: int


async def ready_image(engine: Engine, source: Build | Named, *, side: Side, copy: Path) -> Image:
    """Build or pull an image unless the engine has it.

    Args:
        engine: The engine.
        source: Which.
        side: Whose, for messages.
        copy: Where the context is copied to; not there yet.

    Raises:
        TargetError: It cannot be had.
    """
    if isinstance(source, Named):
        return await _inspect(engine, source.name) or await _named(engine, source.name)
    try:
        tag = f"{_REPOSITORY}:{await asyncio.to_thread(copy_context, source.folder, copy)}"
        return await _inspect(engine, tag) or await _built(engine, tag, copy, source, side)
    finally:
        shutil.rmtree(copy, ignore_errors=True)


async def _built(engine: Engine, tag: str, context: Path, source: Build, side: Side) -> Image:
    try:
        if engine.program is not None:
            await _build_by_client(engine.program, tag, context, source)
        else:
            await _build_by_engine(engine, tag, context, source)
    except DockerFailed as failed:
        hint = "build it by hand with `docker build`; none of our variables, proxies or passwords reach the build"
        if source.network == "none":
            hint = (
                "its steps have no network: if they fetch packages, base's config must say `target: {container:"
                f" {{build_network: allow}}}}`. {hint[0].upper()}{hint[1:]}"
            )
        raise TargetError(f"target.container: the Dockerfile cannot be built, at {side}: {failed}", hint=hint) from None
    image = await _inspect(engine, tag)
    if image is None:
        raise TargetError(f"target.container: the build made no image, at {side}", hint="see `docker info`")
    if image.size > LARGEST_BYTES:
        with contextlib.suppress(DockerFailed), refusals():
            await engine.api.images.delete(image.id, force=True)
        text = f"target.container: the image has {image.size} bytes, at {side}; {LARGEST_BYTES} are allowed"
        raise TargetError(text, hint="take out of the Dockerfile what the app does not need")
    return image


async def _build_by_client(program: DockerProgram, tag: str, context: Path, source: Build) -> None:
    words = ["build", "--force-rm", "--label", f"{LABEL}=app", "--tag", tag, "--network", source.network]
    await program.run(*words, str(context), timeout_s=source.timeout_s)


async def _build_by_engine(engine: Engine, tag: str, context: Path, source: Build) -> None:
    with tempfile.TemporaryFile(dir=context.parent) as archive:
        await asyncio.to_thread(archive_context, context, archive)
        try:
            await _post(engine, archive, tag, source, {"memory": str(_BUILD_MEMORY_BYTES), "memswap": "-1"})
        except DockerFailed as failed:
            if not _REFUSES.search(str(failed)):
                raise
        else:
            return
        # BuildKit asks a client for passwords, also for none; what is there it takes as it is.
        for name in _bases((context / "Dockerfile").read_text("utf-8", "replace")):
            if await _inspect(engine, name) is None:
                await _pull(engine, name)
        await _post(engine, archive, tag, source, {"version": "2"})


async def _post(engine: Engine, archive: IO[bytes], tag: str, source: Build, more: dict[str, str]) -> None:
    archive.seek(0)
    params = {
        "t": tag, "labels": f'{{"{LABEL}": "app"}}', "networkmode": source.network, "rm": "1", "forcerm": "1", **more,
    }  # fmt: skip
    await engine.follow("build", params, body=archive, timeout_s=source.timeout_s)


def _bases(dockerfile: str) -> list[str]:
    """The images that a Dockerfile begins from, where they are named plainly."""
    found, stages = [], {"scratch"}
    for name, stage in _FROM.findall(dockerfile):
        if name.lower() not in stages:
            found.append(name)
        stages.add(stage.lower())
    return found


async def _named(engine: Engine, name: str) -> Image:
    try:
        if engine.program is not None:
            await engine.program.run("pull", "--quiet", name, timeout_s=_PULL_S, as_user=True)
        else:
            await _pull(engine, name)
    except DockerFailed as failed:
        hint = "check `target.container.image`; pull what is private, after `docker login`, before the gate"
        raise TargetError(f"target.container: no image {printable(name, 200)!r}: {failed}", hint=hint) from None
    image = await _inspect(engine, name)
    if image is None:
        raise TargetError(f"target.container: image {printable(name, 200)!r} is gone again", hint="see `docker info`")
    return image


async def _pull(engine: Engine, name: str) -> None:
    last = name.rpartition("/")[2]
    tag = {} if ":" in last or "@" in last else {"tag": "latest"}
    await engine.follow("images/create", {"fromImage": name, **tag}, timeout_s=_PULL_S)


async def _inspect(engine: Engine, name: str) -> Image | None:
    try:
        with refusals():
            told: dict[str, Any] = await engine.api.images.inspect(name)
    except DockerFailed:
        return None
    volumes = (told.get("Config") or {}).get("Volumes") or {}
    return Image(str(told["Id"]), tuple(sorted(volumes)), int(told.get("Size") or 0))
