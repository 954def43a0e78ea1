"""Worker processes of a target, each with its own meter; used by the kinds of target that speak JSON Lines."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from evaluator.records import Case, JsonValue, Output, Side
from evaluator.sandbox import Cage
from evaluator.target.metering import Meter, Metering
from evaluator.target.seats import Seats
from evaluator.worker import JsonLinesWorker, WorkerFailure

Read = Callable[[dict[str, JsonValue], float | None], Output]
"""(a worker's answer, its latency in seconds) -> the output."""


class Workers:
    """As many processes as cases may be answered at once; arguments as for `CommandTarget`."""

    def __init__(
        self,
        side: Side,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        slots: int,
        start_timeout_s: float,
        case_timeout_s: float,
        metering: Metering | None = None,
        cage: Cage | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Make the workers without starting them; see the class."""

        def make(slot: int) -> tuple[JsonLinesWorker, Meter]:
            meter = Meter(metering, f"{side}-{slot}")
            worker = JsonLinesWorker(
                argv,
                cwd=cwd,
                env={**env, **meter.environment()},
                start_timeout_s=start_timeout_s,
                call_timeout_s=case_timeout_s,
                clock=clock,
                cage=cage,
            )
            return worker, meter

        self._seats = Seats(make, slots)

    async def start(self, greet: JsonValue = None) -> dict[str, JsonValue]:
        """Start all processes now rather than at their first case.

        Args:
            greet: A question that each must answer before it counts as started; None asks nothing.

        Returns:
            The first of their answers that tells of a mistake, under any key but `value`; else an empty one.

        Raises:
            WorkerFailure: One cannot be started; the others are closed again.
        """
        try:
            for worker, _ in self._seats.all:
                await worker.start()
            if greet is None:
                return {}
            answers = await asyncio.gather(*(worker.ask_timed(greet) for worker, _ in self._seats.all))
        except BaseException:
            await self.close()
            raise
        return next((answer.value for answer in answers if "value" not in answer.value), {})

    async def ask(self, case: Case, question: JsonValue, read: Read, *, repeat: int) -> Output:
        """Ask a free worker; the wait for it is not in the latency."""
        async with self._seats.take() as (worker, meter):
            asked_at: float | None = None
            # What a process asks before it reads its question belongs to its start, also after a crash.
            async with meter.case(case, repeat, begun=worker.is_reading, discard=worker.discard) as trace:
                try:
                    answered = await worker.ask_timed(question)
                    asked_at = answered.asked_at
                    output = read(answered.value, answered.latency_s)
                except WorkerFailure as failure:
                    output = Output(failure=failure.as_failure())
            return meter.add(output, trace, asked_at=asked_at)

    async def close(self) -> None:
        """Close all workers; none of their processes is left running."""
        await asyncio.gather(*(worker.close() for worker, _ in self._seats.all))


def question_of(case: Case, repeat: int) -> dict[str, JsonValue]:
    """What an app is told of a case: never what is expected."""
    question: dict[str, JsonValue] = {"case": case.id, "input": case.input, "repeat": repeat}
    if case.metadata:
        question["metadata"] = dict(case.metadata)
    return question
