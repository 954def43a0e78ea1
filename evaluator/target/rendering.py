"""Fills a case into a prompt's templates, in a process of its own.

A template comes from a pull request. Jinja2's sandbox keeps it from our objects, but not from looping for ever or
filling the memory, and sandboxes have had holes; so it is rendered where there are no keys, within limits of time and
memory.
"""

import asyncio
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
_AT_ONCE = 32
"""Cases in one question: the way to the process and back costs many times what rendering does."""

_Waiting = tuple[dict[str, JsonValue], asyncio.Future[tuple[str, ...] | Failure]]


class Renderer:
    """Renders the templates of one prompt; cases that come while it is busy are rendered together.

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
        self._waiting: list[_Waiting] = []
        self._working: asyncio.Task[None] | None = None

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
        rendered: asyncio.Future[tuple[str, ...] | Failure] = asyncio.get_running_loop().create_future()
        self._waiting.append((variables, rendered))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        return await rendered

    async def close(self) -> None:
        """End the process."""
        if self._working is not None:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)
        for _, rendered in self._waiting:
            rendered.cancel()
        await self._worker.close()

    async def _work(self) -> None:
        """Render what is waiting until nothing is."""
        while self._waiting:
            batch, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
            batch = [(variables, rendered) for variables, rendered in batch if not rendered.done()]
            try:
                await self._render(batch)
            except BaseException as error:
                for _, rendered in batch:
                    if not rendered.done():
                        rendered.cancel() if isinstance(error, asyncio.CancelledError) else rendered.set_exception(
                            error
                        )
                raise

    async def _render(self, batch: Sequence[_Waiting]) -> None:
        if not batch:
            return
        try:
            # The templates go along each time, for the process may be a new one; it compiles them once.
            cases: list[JsonValue] = [variables for variables, _ in batch]
            said = await self._ask({"templates": list(self._templates), "cases": cases})
        except WorkerFailure as failure:
            if len(batch) > 1:  # whose fault it is shows when each is asked alone
                for one in batch:
                    await self._render([one])
                return
            said = [{"error": "", "message": failure.message}]
        for (_, rendered), answer in zip(batch, said, strict=True):
            if not rendered.done():
                rendered.set_result(_read(answer))

    async def _ask(self, question: dict[str, JsonValue]) -> list[JsonValue]:
        answer = await self._worker.ask(question)
        said = answer.get("cases") if isinstance(answer, dict) else None
        asked = question["cases"]
        if not isinstance(said, list) or not isinstance(asked, list) or len(said) != len(asked):
            raise WorkerFailure(FailureKind.INVALID_ANSWER, "not one answer for each case")
        return said


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
    what = f"{kind}: {message}" if kind else message
    return Failure(FailureKind.RENDER, f"the prompt could not be rendered: {what}")


def _folder_of(package: str) -> str:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise TargetError(f"{package} is not installed", hint="install llm-eval-gate again")
    return str(Path(spec.origin).parent.parent)
