"""Fills a case into a prompt's templates, in a process of its own.

A template comes from a pull request. Jinja2's sandbox keeps it from our objects, but not from looping for ever or
filling the memory, and sandboxes have had holes; so it is rendered where there are no keys, within limits of time and
memory.
"""

import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from evaluator.errors import TargetError
from evaluator.records import Failure, FailureKind, JsonValue
from evaluator.worker import JsonLinesWorker, WorkerFailure, printable

CHILD_SCRIPT = Path(__file__).with_name("render_child.py")
START_TIMEOUT_S = 60.0
RENDER_TIMEOUT_S = 5.0


class Renderer:
    """Renders the templates of one prompt, one case at a time.

    Args:
        templates: Jinja2 texts.
        timeout_s: How long one case may take.
    """

    def __init__(self, templates: Sequence[str], *, timeout_s: float = RENDER_TIMEOUT_S) -> None:
        """Only make the worker; see the class."""
        self._templates = list(templates)
        self._worker = JsonLinesWorker(
            [sys.executable, "-I", str(CHILD_SCRIPT), _folder_of("jinja2"), _folder_of("markupsafe")],
            cwd=Path("/"),
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
            start_timeout_s=START_TIMEOUT_S,
            call_timeout_s=timeout_s,
            max_line_bytes=16_000_000,
        )

    async def start(self) -> None:
        """Start the process.

        Raises:
            TargetError: The process cannot be started.
        """
        try:
            await self._worker.start()
        except WorkerFailure as failure:
            raise TargetError(f"prompts cannot be rendered: {failure.message}") from failure

    async def render(self, variables: dict[str, JsonValue]) -> tuple[str, ...] | Failure:
        """Render all templates; a failure of kind RENDER says what is missing or wrong."""
        try:
            # The templates go along each time, for the process may be a new one; it compiles them once.
            answer = await self._worker.ask({"templates": list(self._templates), "variables": variables})
        except WorkerFailure as failure:
            return Failure(FailureKind.RENDER, f"the prompt could not be rendered: {failure.message}")
        return _read(answer)

    async def close(self) -> None:
        """End the process."""
        await self._worker.close()


def variables_of(value: JsonValue) -> dict[str, JsonValue]:
    """What a template may read of a case: `input`, and the keys of an input that is an object (these win)."""
    return {"input": value, **value} if isinstance(value, dict) else {"input": value}


def _read(answer: JsonValue) -> tuple[str, ...] | Failure:
    fields = answer if isinstance(answer, dict) else {}
    texts = fields.get("texts")
    if isinstance(texts, list):
        return tuple(str(text) for text in texts)
    kind, message = str(fields.get("error")), printable(str(fields.get("message")), 500)
    if kind == "UndefinedError":
        return Failure(FailureKind.RENDER, f"the prompt needs a variable that the case's input has not: {message}")
    return Failure(FailureKind.RENDER, f"the prompt could not be rendered: {kind}: {message}")


def _folder_of(package: str) -> str:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise TargetError(f"{package} is not installed", hint="install llm-eval-gate again")
    return str(Path(spec.origin).parent.parent)
