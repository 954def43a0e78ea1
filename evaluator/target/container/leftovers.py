"""What a gate leaves when it is killed, and how the next one on the same engine finds and removes it.

All that we make is labelled with who we are. What belongs to a gate that is certainly gone is removed; where that
cannot be known, as for a gate on another machine that shares the engine, it stays.

Source: proc(5), `/proc/PID/stat` (the 22nd field is when the process started) and `/proc/sys/kernel/random/boot_id`.
"""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiodocker import DockerError

from evaluator.target.container.attached import remove_container
from evaluator.target.container.box import LABEL
from evaluator.target.container.client import DockerFailed
from evaluator.target.container.engine import Engine, refusals
from evaluator.target.container.network import remove

GATE = f"{LABEL}.gate"
"""Label of containers and networks; its value is `our_mark`'s."""
_GONE_S = 15.0
_FIELDS = 5
_NOT_THERE = 404


def our_mark(container: str | None, proc: Path = Path("/proc")) -> str:
    """Who we are: container, the machine's start, PID namespace, PID and start; empty where it cannot be told."""
    try:
        boot = (proc / "sys/kernel/random/boot_id").read_text("ascii").strip()
        namespace = os.readlink(proc / "self/ns/pid")  # noqa: PTH115  # a string that is no path
        return ";".join([container or "", boot, namespace, str(os.getpid()), _started(proc / "self")])
    except OSError:
        return ""


async def sweep(engine: Engine, ours: str) -> None:
    """Remove what gates that are gone have left.

    Args:
        engine: The engine.
        ours: Our own mark.
    """
    with contextlib.suppress(DockerFailed), refusals():
        for container in await _containers(engine, GATE):
            if await _is_gone(engine, _mark(container), ours):
                await remove_container(engine.api.containers.container(str(container["Id"])))
        for network in await engine.api.networks.list(filters={"label": GATE}):
            if await _is_gone(engine, _mark(network), ours):
                await remove(engine, str(network["Id"]), ours.partition(";")[0] or None)


async def remove_all(engine: Engine, label: str) -> None:
    """Remove all containers of a run, and wait until they are gone."""
    deadline = time.monotonic() + _GONE_S
    with contextlib.suppress(DockerFailed), refusals():  # no engine any more
        while time.monotonic() < deadline:
            found = await _containers(engine, f"{LABEL}={label}")
            if not found:
                return
            for container in found:
                await remove_container(engine.api.containers.container(str(container["Id"])))
            await asyncio.sleep(0.05)


async def _containers(engine: Engine, label: str) -> list[dict[str, Any]]:
    listed = await engine.api.containers.list(all=1, filters=json.dumps({"label": [label]}))
    return [{"Id": container.id, "Labels": container["Labels"]} for container in listed]


def _mark(made: Mapping[str, Any]) -> str:
    return str((made.get("Labels") or {}).get(GATE, ""))


async def _is_gone(engine: Engine, mark: str, ours: str, proc: Path = Path("/proc")) -> bool:
    """Whether a gate is certainly gone."""
    theirs, mine = mark.split(";"), ours.split(";")
    if len(theirs) != _FIELDS or len(mine) != _FIELDS:
        return False
    container, *where, pid, started = theirs
    if where == mine[1:3]:
        return not pid.isdecimal() or _started(proc / pid) != started
    if not container or container == mine[0]:
        return False
    try:
        told = await engine.api.containers.container(container).show()
    except DockerError as error:
        return error.status == _NOT_THERE
    return not (told.get("State") or {}).get("Running", True)


def _started(process: Path) -> str:
    """When a process started, in ticks since the machine's start; empty if there is none."""
    try:
        return (process / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
