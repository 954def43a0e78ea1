"""The `command` target: the app as a program in any language.

`worker`: a long-lived process per slot that speaks the protocol of `worker/json_lines.py`. A question is
`{"id": 7, "case": "refund-3", "input": ..., "repeat": 0, "metadata": {...}}` (`metadata` only if the case has some;
never `expected`), the answer `{"id": 7, "output": ...}` and what else `answer_record.py` lists.

`per_case`: the program is started for every case and reads the same object from stdin; all of its stdout is the answer:
plain text, or one JSON object of the same shape, whose `id` is not looked at.
"""

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from evaluator.errors import TargetError
from evaluator.records import Case, JsonValue, Output, Side
from evaluator.sandbox import Cage
from evaluator.target.answer_record import read_answer, read_plain
from evaluator.target.interface import Target
from evaluator.target.metering import Meter, Metering
from evaluator.target.seats import Seats
from evaluator.target.workers import Workers, question_of
from evaluator.worker import WorkerFailure, printable, run_once


class CommandTarget(Target):
    """A program at one ref.

    Its latency is the app's own time: from question to answer for a `worker`, whose start never counts; from start to
    end for `per_case`, where starting is part of the app.

    Args:
        side: Which ref it is of.
        argv: The program and its arguments; no shell.
        cwd: The ref's checkout.
        env: The program's whole environment but for its meter's: `worker.child_environment`, so never a provider's key.
        mode: See above.
        slots: How many cases may be answered at once: as many processes.
        start_timeout_s: How long a worker may take until it reads its first question.
        case_timeout_s: How long one case may take; then the process is killed.
        metering: How its model calls are metered; None if they are not.
        cage: What its processes may reach; None for no cage.
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
        metering: Metering | None = None,
        cage: Cage | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Only store the arguments; see the class."""
        self.side = side
        self._argv = tuple(argv)
        self._cwd = cwd
        self._env = dict(env)
        self._case_timeout_s = case_timeout_s
        self._clock = clock
        self._cage = cage
        self._meters = Seats(lambda slot: Meter(metering, f"{side}-{slot}"), slots) if mode == "per_case" else None
        self._workers = (
            Workers(
                side, self._argv, cwd=cwd, env=self._env, slots=slots, start_timeout_s=start_timeout_s,
                case_timeout_s=case_timeout_s, metering=metering, cage=cage, clock=clock,
            )
            if mode == "worker"
            else None
        )  # fmt: skip

    async def start(self) -> None:
        """Start all workers, so that no case waits for it; for `per_case` only look for the program.

        Raises:
            TargetError: The program is not there or cannot be started.
        """
        require_program("target.command", self._argv, self._cwd, self._env, self.side)
        if self._workers is not None:
            try:
                await self._workers.start()
            except WorkerFailure as failure:
                raise TargetError(f"target.command: {failure.message}, at {self.side}") from failure

    async def close(self) -> None:
        """End all processes."""
        if self._workers is not None:
            await self._workers.close()

    async def answer(self, case: Case, *, repeat: int = 0) -> Output:
        """Ask the program; a crash, a hang or a wrong answer is the output's failure."""
        question = question_of(case, repeat)
        if self._workers is not None:
            return await self._workers.ask(case, question, read_answer, repeat=repeat)
        if self._meters is None:
            raise RuntimeError("neither workers nor places for programs")
        async with self._meters.take() as meter:
            async with meter.case(case, repeat) as trace:
                output = await self._run(question, meter.environment())
            return meter.add(output, trace)

    async def _run(self, question: Mapping[str, JsonValue], environment: Mapping[str, str]) -> Output:
        try:
            finished = await run_once(
                self._argv,
                cwd=self._cwd,
                env={**self._env, **environment},
                stdin=json.dumps({"id": 1, **question}, ensure_ascii=False).encode("utf-8", "replace") + b"\n",
                timeout_s=self._case_timeout_s,
                clock=self._clock,
                cage=self._cage,
            )
        except WorkerFailure as failure:
            return Output(failure=failure.as_failure())
        return read_plain(finished.stdout, finished.latency_s)


def require_program(key: str, argv: Sequence[str], cwd: Path, env: Mapping[str, str], side: Side) -> None:
    """See that a target's program is there.

    Raises:
        TargetError: It is not, or not executable.
    """
    program = argv[0] if argv else ""
    path = str(cwd / program) if "/" in program else program
    if shutil.which(path, path=env.get("PATH")) is None:
        hint = f"check `{key}` in the config; install what it needs, and keep it executable (chmod +x)"
        found = f"the program {printable(program, 200)!r} is not there or not executable"
        raise TargetError(f"{key}: {found}, at {side}", hint=hint)
