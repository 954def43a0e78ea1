"""The `command` target: the app as a program in any language.

`worker`: a long-lived process per slot that speaks the protocol of `worker/json_lines.py`. A question is
`{"id": 7, "case": "refund-3", "input": ..., "repeat": 0, "metadata": {...}}` (`metadata` only if the case has some;
never `expected`), the answer `{"id": 7, "output": ...}` and what else `answer_record.py` lists.

`per_case`: the program is started for every case and reads the same object from stdin; all of its stdout is the answer:
plain text, or one JSON object of the same shape, whose `id` is not looked at.
"""

import asyncio
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from evaluator.errors import TargetError
from evaluator.records import Case, JsonValue, Output, Side
from evaluator.target.answer_record import read_answer, read_plain
from evaluator.target.interface import Target
from evaluator.worker import JsonLinesWorker, WorkerFailure, WorkerPool, printable, run_once


class CommandTarget(Target):
    """A program at one ref.

    Its latency is the app's own time: from question to answer for a `worker`, whose start never counts; from start to
    end for `per_case`, where starting is part of the app.

    Args:
        side: Which ref it is of.
        argv: The program and its arguments; no shell.
        cwd: The ref's checkout.
        env: The program's whole environment: `worker.child_environment`, so never a provider's key.
        mode: See above.
        slots: How many cases may be answered at once: as many processes.
        start_timeout_s: How long a worker may take until it reads its first question.
        case_timeout_s: How long one case may take; then the process is killed.
        clock: Seconds, for latencies.
    """

    def __init__(
        self,
        side: Side,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        mode: Literal["worker", "per_case"],
        slots: int,
        start_timeout_s: float,
        case_timeout_s: float,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Only store the arguments; see the class."""
        self.side = side
        self._argv = tuple(argv)
        self._cwd = cwd
        self._env = dict(env)
        self._mode = mode
        self._case_timeout_s = case_timeout_s
        self._clock = clock
        self._free = asyncio.Semaphore(slots)

        def make(_slot: int) -> JsonLinesWorker:
            return JsonLinesWorker(
                self._argv,
                cwd=cwd,
                env=self._env,
                start_timeout_s=start_timeout_s,
                call_timeout_s=case_timeout_s,
                clock=clock,
            )

        self._pool = WorkerPool(make, slots)

    async def start(self) -> None:
        """Start all workers, so that no case waits for it; for `per_case` only look for the program.

        Raises:
            TargetError: The program is not there or cannot be started.
        """
        program = self._argv[0] if self._argv else ""
        path = str(self._cwd / program) if "/" in program else program
        if shutil.which(path, path=self._env.get("PATH")) is None:
            hint = "check `target.command` in the config; install what it needs, and keep it executable (chmod +x)"
            found = f"the program {printable(program, 200)!r} is not there or not executable"
            raise TargetError(f"target.command: {found}, at {self.side}", hint=hint)
        if self._mode == "worker":
            try:
                await self._pool.start()
            except WorkerFailure as failure:
                raise TargetError(f"target.command: {failure.message}, at {self.side}") from failure

    async def close(self) -> None:
        """End all processes."""
        await self._pool.close()

    async def answer(self, case: Case, *, repeat: int = 0) -> Output:
        """Ask the program; a crash, a hang or a wrong answer is the output's failure."""
        question: dict[str, JsonValue] = {"case": case.id, "input": case.input, "repeat": repeat}
        if case.metadata:
            question["metadata"] = dict(case.metadata)
        try:
            if self._mode == "worker":
                answered = await self._pool.ask_timed(question)
                return read_answer(answered.value, answered.latency_s)
            async with self._free:
                finished = await run_once(
                    self._argv,
                    cwd=self._cwd,
                    env=self._env,
                    stdin=json.dumps({"id": 1, **question}, ensure_ascii=False).encode("utf-8", "replace") + b"\n",
                    timeout_s=self._case_timeout_s,
                    clock=self._clock,
                )
            return read_plain(finished.stdout, finished.latency_s)
        except WorkerFailure as failure:
            return Output(failure=failure.as_failure())
