"""Runs the action's container as GitHub's own runner does: the same mounts, variables and owners, by a plain `docker run`.

It is for what act does otherwise: a workspace at /github/workspace that belongs to another user, HOME at /github/home,
GITHUB_SHA and the events that act does not know.
"""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.container.engine import ROOT, Engine

RUNNER_UID = 1001
"""The user that GitHub's runner, and so the workspace, belongs to."""
COMMANDS = ("output", "env", "path", "state", "step_summary")
_VALUE = re.compile(r"^(?P<name>[\w-]+)(?:<<(?P<end>\S+)\n(?P<text>.*?)\n(?P=end)|=(?P<line>.*))$", re.M | re.S)


@dataclass(frozen=True)
class ContainerRun:
    """A container action that has ended."""

    exit_code: int
    log: str
    """Stdout, then stderr; as the runner would read it, nothing masked."""
    outputs: dict[str, str]
    summary: str
    workspace: Path
    started_at: float
    """When the client was told to start it, in seconds since the epoch."""


def run_container(
    engine: Engine,
    image: str,
    workspace: Path,
    *,
    event: str,
    payload: Mapping[str, Any],
    environ: Mapping[str, str],
    inputs: Mapping[str, str] | None = None,
    network: str = "host",
) -> ContainerRun:
    """Run the action once.

    Args:
        engine: Where it runs.
        image: The action's image.
        workspace: Mounted at /github/workspace; handed over to the runner's user before.
        event: Name of the event.
        payload: The event's payload.
        environ: What the event, the repository and the step's `env:` add to the environment.
        inputs: The step's `with:`; defaults of action.yml are added, but for those that are expressions.
        network: Where it is put.
    """
    room = workspace.parent / f"{workspace.name}-runner"
    for name in ("home", "workflow", "file_commands", "temp"):
        (room / name).mkdir(parents=True, exist_ok=True)
    (room / "workflow" / "event.json").write_text(json.dumps(payload), "utf-8")
    for name in COMMANDS:
        (room / "file_commands" / name).write_text("", "utf-8")
    owned = {workspace: "/workspace", room: "/room"}
    engine.run(image, "-R", f"{RUNNER_UID}:{RUNNER_UID}", *owned.values(), entrypoint="chown", mounts=owned)
    given = {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": event,
        "GITHUB_EVENT_PATH": "/github/workflow/event.json",
        "GITHUB_WORKSPACE": "/github/workspace",
        "GITHUB_RUN_ID": "1",
        "GITHUB_RUN_ATTEMPT": "1",
        "GITHUB_JOB": "gate",
        "GITHUB_WORKFLOW": "LLM eval gate",
        "HOME": "/github/home",
        "RUNNER_TEMP": "/__w/_temp",
        **{f"GITHUB_{name.upper()}": f"/github/file_commands/{name}" for name in COMMANDS},
        **{f"INPUT_{name.upper()}": value for name, value in {**_defaults(), **(inputs or {})}.items()},
        **environ,
    }
    mounts = {
        workspace: "/github/workspace",
        room / "home": "/github/home",
        room / "workflow": "/github/workflow",
        room / "file_commands": "/github/file_commands",
        room / "temp": "/__w/_temp",
        Path(engine.host.removeprefix("unix://")): "/var/run/docker.sock",
    }
    started_at = time.time()
    done = engine.run(image, environ=given, mounts=mounts, directory="/github/workspace", network=network, check=False)
    written = (room / "file_commands" / "output").read_text("utf-8")
    outputs = {match["name"]: match["text"] or match["line"] or "" for match in _VALUE.finditer(written)}
    summary = (room / "file_commands" / "step_summary").read_text("utf-8")
    return ContainerRun(done.exit_code, done.stdout + done.stderr, outputs, summary, workspace, started_at)


def _defaults() -> dict[str, str]:
    described = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))["inputs"]
    values = {name: str(entry.get("default", "")) for name, entry in described.items()}
    return {name: "" if "${{" in value else value for name, value in values.items()}
