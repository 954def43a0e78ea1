"""Sets up one ref: an environment of its own, the commands in it, and what is kept for the next run."""

import asyncio
import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from evaluator.errors import TargetError
from evaluator.sandbox import Cage
from evaluator.setup.command import run_command
from evaluator.setup.inputs import lock_inputs
from evaluator.setup.request import Ready, SetupRequest, venv_environment
from evaluator.setup.venv import find_kept, hand_over, keep, key_of
from evaluator.worker import WorkerFailure, printable, run_once

MakeCage = Callable[[Path, Path], Cage | None]
"""(folder to work in, HOME) -> the cage of the commands, prepared; None for no cage."""
VENV_TIMEOUT_S = 300.0
_OUR_OWN = {"PATH", "HOME", "TMPDIR", "PYTHONUNBUFFERED", "PYTHONIOENCODING"}
"""Variables on which no environment hangs."""
_TELL = "import sys, platform; print(sys.version, sys.base_prefix, platform.platform(), platform.libc_ver())"


async def set_up(request: SetupRequest, make_cage: MakeCage = lambda root, home: None) -> Ready:
    """Make a ref ready: find its environment, or make one and run the commands in it.

    An environment is kept from run to run where it can hang on lock files alone, see `inputs.py`. Whoever gets a kept
    one gets it as its own: nothing writable is shared between refs.

    Args:
        request: What is to be done.
        make_cage: Makes the cage that the commands run in: they are the ref's own code.

    Raises:
        TargetError: A command fails; the text names the ref.
        InfrastructureError: Nothing can be written.
    """
    inputs = await asyncio.to_thread(lock_inputs, request.commands, request.root)
    if inputs is None:
        venv, told = await _make(request, request.root, make_cage)
        return Ready(venv, kept=False, notes=told)
    settings = {name: value for name, value in request.env.items() if name not in _OUR_OWN}
    key = key_of(request.commands, inputs, await _about(request), settings)
    own = request.folder / "kept-venv"
    if await asyncio.to_thread(_take_kept, request.kept, key, own, link=request.other_user):
        return Ready(own, kept=True)
    folder = request.folder / "inputs"
    _write_inputs(inputs, folder)
    venv, told = await _make(request, folder, make_cage)
    if not told:
        await asyncio.to_thread(keep, venv, request.kept, key)
    return Ready(venv, kept=False, notes=told)


def _take_kept(kept: Path, key: str, own: Path, *, link: bool) -> bool:
    """Hand a kept environment over; False if there is none, or it goes at this moment."""
    found = find_kept(kept, key)
    if found is None:
        return False
    try:
        hand_over(found, own, link=link)
    except OSError:
        shutil.rmtree(own, ignore_errors=True)
        return False
    return True


async def _make(request: SetupRequest, cwd: Path, make_cage: MakeCage) -> tuple[Path, tuple[str, ...]]:
    """Make the environment and run the commands; gives it, with what people should be told.

    `uv sync` makes the environment anew where .python-version asks for another Python than ours. That Python may lie
    where the app cannot reach it, or in a folder that goes with the run.
    """
    until = time.monotonic() + request.timeout_s
    home = request.folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    venv = home / "venv"
    await _make_venv(request, venv)
    interpreter = os.path.realpath(venv / "bin" / "python")
    cage = make_cage(cwd, home)
    env = {**request.env, **venv_environment(venv, request.env.get("PATH", os.defpath))}
    # `python -m pip` must not find a pip.py of the checkout.
    env |= {"HOME": str(home), "TMPDIR": str(home), "PYTHONSAFEPATH": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    for command in request.commands:
        left = max(1.0, until - time.monotonic())
        await run_command(command, cwd=cwd, env=env, timeout_s=left, side=request.side, cage=cage)
    if os.path.realpath(venv / "bin" / "python") == interpreter:
        return venv, ()
    told = f"{request.side}: the commands of `setup:` put another Python in place of {printable(interpreter, 200)}"
    return venv, (f"{told}, so nothing is kept; name it under `setup: {{python: ...}}`",)


async def _make_venv(request: SetupRequest, venv: Path) -> None:
    """Make an empty environment, with uv where that is there: 30 ms instead of seconds.

    pip is put into it only where a command asks for it; it comes with Python, not from an index.
    """
    wants_pip = any(_calls_pip(command) for command in request.commands)
    uv = shutil.which("uv", path=request.env.get("PATH"))
    standard = [request.interpreter, "-I", "-m", "venv", *([] if wants_pip else ["--without-pip"]), str(venv)]
    fast = [uv or "", "venv", "--quiet", "--no-project", "--no-config", "--python", request.interpreter, str(venv)]
    ways = [fast, standard] if uv is not None and not wants_pip else [standard]
    said = ""
    for way in ways:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(venv)
        try:
            env = {**request.env, "UV_PYTHON_DOWNLOADS": "never"}
            await run_once(way, cwd=request.folder, env=env, stdin=b"", timeout_s=VENV_TIMEOUT_S)
        except WorkerFailure as failure:
            said = failure.message
        else:
            return
    raise TargetError(
        f"setup failed at {request.side}: {printable(request.interpreter, 200)} can make no environment: {said}",
        hint="name another interpreter under `setup: {python: ...}`; Debian has `venv` in the package python3-venv",
    )


def _calls_pip(command: Sequence[str]) -> bool:
    names = [PurePosixPath(word).name for word in command[:3]]
    return names[0].startswith("pip") or names[1:3] == ["-m", "pip"] or (names[0] != "uv" and "pip" in command)


async def _about(request: SetupRequest) -> str:
    """What tells the interpreter and the platform from others.

    Raises:
        TargetError: It is not there.
    """
    if request.interpreter == sys.executable:
        import platform

        return f"{sys.version} {sys.base_prefix} {platform.platform()} {platform.libc_ver()}"
    try:
        argv = [request.interpreter, "-I", "-c", _TELL]
        found = await run_once(argv, cwd=request.folder, env=request.env, stdin=b"", timeout_s=60)
    except WorkerFailure as failure:
        hint = "name an interpreter of this machine under `setup: {python: ...}`"
        raise TargetError(f"setup: {printable(request.interpreter, 200)}: {failure.message}", hint=hint) from None
    return found.stdout.decode("utf-8", "replace").strip()


def _write_inputs(inputs: Mapping[str, bytes], folder: Path) -> None:
    for name, text in inputs.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    folder.mkdir(parents=True, exist_ok=True)
