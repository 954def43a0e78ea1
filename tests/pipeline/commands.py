"""Runs commands of ours in this process and keeps what they say."""

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluator.cli.main import main
from evaluator.cli.world import World


@dataclass(frozen=True)
class Said:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The result document, of a command with --json."""
        found: dict[str, Any] = json.loads(self.out)
        return found


def command(home: Path, *words: str, cwd: Path | None = None, **environ: str) -> Said:
    """Run one command."""
    out, err = io.StringIO(), io.StringIO()
    environment = {"PATH": "/usr/bin:/bin", "LLM_EVAL_GATE_HOME": str(home), "STANDIN_KEY": "k-secret", **environ}
    code = main(words, World(environment, cwd or home.parent, out, err))
    assert "Traceback" not in err.getvalue()
    return Said(code, out.getvalue(), err.getvalue())


def right(body: Any, number: int = 0) -> str:
    """The right answer of the test app, whatever the prompt."""
    return str(body["messages"][-1]["content"]).replace("질문", "답")


def worse_at_head(body: Any, number: int = 0) -> str:
    """Right with base's prompt; with head's wrong in every second case."""
    question = str(body["messages"][-1]["content"])
    if "other" in str(body["messages"][0]["content"]) and int(question.rsplit(maxsplit=1)[-1]) % 2:
        return "모르겠습니다"
    return right(body)
