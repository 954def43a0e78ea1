"""An app that speaks JSON Lines: one container as a worker's program.

When it reads its first question cannot be seen from outside, so the first answer of a container has no latency: it
would count the app's start.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from evaluator.records import Case, FailureKind, Output
from evaluator.sandbox import Cage
from evaluator.target.answer_record import read_answer
from evaluator.target.container.attached import Attached, start_attached
from evaluator.target.container.box import Box
from evaluator.target.container.engine import Engine
from evaluator.target.workers import question_of
from evaluator.worker import JsonLinesWorker, WorkerFailure


class LinesContainer:
    """One container, made again after it failed.

    Args:
        engine: Where.
        box: What it may do.
        run: Arguments in place of the image's CMD.
        env: Its variables.
        name: Its name, to which a number is added.
        start_timeout_s: How much longer than another case the first one may take.
        case_timeout_s: How long one case may take.
        clock: Seconds, for latencies.
    """

    begun = None
    """That it has started up cannot be seen."""

    def __init__(
        self,
        engine: Engine,
        box: Box,
        run: Sequence[str],
        env: Mapping[str, str],
        name: str,
        *,
        start_timeout_s: float,
        case_timeout_s: float,
        clock: Callable[[], float],
    ) -> None:
        """Only store the arguments; see the class."""
        self._engine = engine
        self._box = box
        self._name = name
        self._case_timeout_s = case_timeout_s
        self._made = 0
        self._attached: Attached | None = None
        self._fresh = True
        self._worker = JsonLinesWorker(
            run, cwd=Path("/"), env=env, start_timeout_s=start_timeout_s,
            call_timeout_s=start_timeout_s + case_timeout_s, clock=clock, start=self._make,
        )  # fmt: skip
        self.start = self._worker.start
        self.discard = self._worker.discard
        self.close = self._worker.close

    async def answer(self, case: Case, repeat: int) -> tuple[Output, float | None]:
        """Ask one case; gives the output, and None: its latency is not told from a moment.

        Raises:
            WorkerFailure: CRASH, HANG or INVALID_ANSWER; the container is gone then.
        """
        await self._worker.start()
        fresh, self._fresh = self._fresh, False
        asking = asyncio.create_task(self._worker.ask_timed(question_of(case, repeat)))
        try:
            await asyncio.wait({asking}, timeout=None if fresh else self._case_timeout_s)
            if not asking.done():
                words = self._attached.last_words() if self._attached is not None else ""
                text = f"no answer within {self._case_timeout_s:g} s (is stdout flushed?){words}"
                raise WorkerFailure(FailureKind.HANG, text)
            answered = asking.result()
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        return read_answer(answered.value, None if fresh else answered.latency_s), None

    async def _make(
        self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], max_line_bytes: int, cage: Cage | None
    ) -> Attached:
        """Start a container as a worker's program; a directory and a cage are its own."""
        self._made += 1
        self._fresh = True
        name = f"{self._name}-{self._made}"
        self._attached = await start_attached(
            self._engine, self._box, name, run=argv, env=env, max_line_bytes=max_line_bytes
        )
        return self._attached
