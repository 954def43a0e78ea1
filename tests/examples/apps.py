"""Copies of the examples, as a user would have them: in a folder or a git repository of their own; nothing of ours."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.examples.minds import EXAMPLES
from tests.examples.scripted_provider import Provider
from tests.standin.app import git

NAMES = ("rag-python", "agent-node", "shell-curl")
_ALL_OF_RAG = "import app, json, sys\nfor line in sys.stdin: print(json.dumps(app.answer(json.loads(line)['input'])))"


@dataclass(frozen=True)
class Replied:
    """What an app answered to one case."""

    text: str
    tools: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()


def copied(example: str, into: Path, change: str | None = None) -> Path:
    """Copy an example, with one of its changes made."""
    folder = into / f"{example}-{change or 'base'}"
    shutil.copytree(EXAMPLES / example, folder)
    if change is not None:
        subprocess.run(["git", "apply", f"changes/{change}.patch"], cwd=folder, check=True, env=_environment())
    return folder


def repository(example: str, into: Path, *, config: str = "") -> Path:
    """A repository with the example on `main`, and each of its changes on a branch of its own.

    Args:
        example: Name of the example.
        into: Where the repository is made.
        config: Text to add to the example's config.
    """
    repo = into / example
    shutil.copytree(EXAMPLES / example, repo)
    with (repo / "llm-eval-gate.yml").open("a", encoding="utf-8") as file:
        file.write(config)
    git(repo, "init", "--quiet", "--initial-branch=main")
    for change in (None, "harmless", "regression"):
        if change is not None:
            git(repo, "switch", "--quiet", "--create", change, "main")
            git(repo, "apply", f"changes/{change}.patch")
        git(repo, "add", "--all")
        git(repo, "commit", "--quiet", "--message", change or "the app")
    return repo


def ask(folder: Path, example: str, rows: list[dict[str, Any]], provider: Provider) -> list[Replied]:
    """Ask an app as it is, without a gate in between."""
    environment = _environment(OPENAI_BASE_URL=provider.url, OPENAI_API_KEY="sk-example")
    lines = [json.dumps({"id": number, "input": row["input"]}) for number, row in enumerate(rows)]
    if example == "shell-curl":
        return [Replied(_run(["./label.sh"], folder, environment, line)) for line in lines]
    command = ["node", "agent.mjs"] if example == "agent-node" else [sys.executable, "-c", _ALL_OF_RAG]
    said = [json.loads(line) for line in _run(command, folder, environment, "\n".join(lines)).splitlines()]
    return [
        Replied(
            one.get("output", ""),
            tuple(call["name"] for call in one.get("tool_calls", ())),
            tuple(one.get("contexts", ())),
        )
        for one in said
    ]


def _run(command: list[str], folder: Path, environment: dict[str, str], text: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environment, input=text, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _environment(**more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", **more}
