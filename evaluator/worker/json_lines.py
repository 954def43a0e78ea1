"""A long-lived child process that answers questions: one JSON object a line in, one out.

The protocol, in full:

- A question is one line `{"id": 7, ...}` on the child's stdin, in UTF-8. The `id` is ours, new for every question.
- The answer is one line on its stdout: a JSON object with the same `id`. Nothing else may be written to stdout; logs
  go to stderr. Lines must be flushed.
- One question at a time; the child goes on until stdin ends.

The id is required because without it a program that once prints a line too many would answer every later case with the
answer to the case before, and nothing would look wrong. So a line that comes unasked, has another id or is no JSON
fails the question, and the process is killed and started afresh at the next one. An exit between two questions fails
the next one too: let it pass, and whether it shows would hang on who was faster.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluator.records import FailureKind, JsonValue
from evaluator.sandbox import Cage
from evaluator.worker.child import start_child
from evaluator.worker.failure import WorkerFailure, parse_json, printable
from evaluator.worker.program import Program, Start

START_POLL_S = 0.002
CLOSE_GRACE_S = 1.0
EXIT_GRACE_S = 0.5


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer and how long it took."""

    value: dict[str, JsonValue]
    """The child's answer, without its `id`."""
    latency_s: float
    """Seconds from the question's first byte to the answer's last. The first question after a start counts from when
    the child began to read, so that starting up is nobody's latency."""
    asked_at: float
    """When that time began, by the worker's clock."""


class JsonLinesWorker:
    """A child process that answers one question at a time, started again by itself after it failed.

    Args:
        argv: The program and its arguments; no shell.
        cwd: Its working directory.
        env: Its whole environment; see `child_environment`.
        start_timeout_s: How long it may take from its start until it reads the first question.
        call_timeout_s: How long it may take for one answer; then it is killed.
        max_line_bytes: The longest answer.
        clock: Seconds, for latencies.
        cage: What it may reach; None for all that we may.
        start: Starts it: as a process of ours unless it runs somewhere else.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        start_timeout_s: float,
        call_timeout_s: float,
        max_line_bytes: int = 4_000_000,
        clock: Callable[[], float] = time.perf_counter,
        cage: Cage | None = None,
        start: Start = start_child,
    ) -> None:
        """Only store the arguments; see the class."""
        self._start = start
        self._argv = tuple(argv)
        self._cwd = cwd
        self._env = dict(env)
        self._start_timeout_s = start_timeout_s
        self._call_timeout_s = call_timeout_s
        self._max_line_bytes = max_line_bytes
        self._clock = clock
        self._cage = cage
        self._lock = asyncio.Lock()
        self._running: _Running | None = None
        self._count = 0

    async def start(self) -> None:
        """Start the process if it does not run.

        Raises:
            WorkerFailure: CRASH, if the program cannot be started at all.
        """
        async with self._lock:
            await self._ensure_started()

    async def ask(self, message: JsonValue) -> JsonValue:
        """Ask one question and give the answer, an object without its `id`.

        Args:
            message: An object, to which our `id` is added (its own `id` is replaced); any other value is sent as
                `{"id": ..., "input": value}`.

        Raises:
            WorkerFailure: CRASH, HANG or INVALID_ANSWER; the next question starts the process afresh.
        """
        return dict((await self.ask_timed(message)).value)

    async def ask_timed(self, message: JsonValue) -> Answered:
        """Ask one question as `ask` does, and tell the child's own time as well."""
        async with self._lock:
            running = await self._ensure_started()
            answered = False
            try:
                result = await self._exchange(running, message)
                answered = True
                return result
            finally:  # after a failure, a time-out or a cancellation the pipes are out of step
                if not answered:
                    await self._discard(0)

    def is_reading(self) -> bool:
        """Tell whether the process has begun to read questions: what it did before was starting up."""
        running = self._running
        return running is not None and (not running.fresh or running.child.has_read())

    async def discard(self) -> None:
        """Kill the process; the next question starts it afresh."""
        async with self._lock:
            await self._discard(0)

    async def close(self) -> None:
        """Let the process end: close its stdin, wait, SIGTERM, SIGKILL; none of its descendants is left running."""
        async with self._lock:
            await self._discard(CLOSE_GRACE_S)

    async def _ensure_started(self) -> "_Running":
        if self._running is None:
            child = await self._start(
                self._argv, cwd=self._cwd, env=self._env, max_line_bytes=self._max_line_bytes, cage=self._cage
            )
            self._running = _Running(child, _Lines(child.stdout, self._max_line_bytes, self._clock))
        return self._running

    async def _discard(self, grace_s: float) -> None:
        running, self._running = self._running, None
        if running is None:
            return
        running.lines.stop()
        if grace_s == 0:
            running.child.kill()
        await asyncio.shield(running.child.stop(grace_s))

    async def _exchange(self, running: "_Running", message: JsonValue) -> Answered:
        child = running.child
        self._count += 1
        fields = message if isinstance(message, dict) else {"input": message}
        question = json.dumps({**fields, "id": self._count}, ensure_ascii=False, allow_nan=False)
        reply = running.lines.expect()
        writing = asyncio.create_task(child.write(question.encode("utf-8", "replace") + b"\n"))
        try:
            asked_at = await self._wait_until_read(child, reply) if running.fresh else self._clock()
            running.fresh = False
            watched: set[asyncio.Future[object]] = {reply, child.exit_code}  # type: ignore[arg-type]
            done, _ = await asyncio.wait(watched, timeout=self._call_timeout_s, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                message_text = f"no answer within {self._call_timeout_s:g} s (is stdout flushed?){child.last_words()}"
                raise WorkerFailure(FailureKind.HANG, message_text)
            if not reply.done():  # it has ended, but its last line may still be in the pipe
                await asyncio.wait({reply}, timeout=EXIT_GRACE_S)
            if not reply.done():
                raise await self._why_no_line(child)
            line = reply.result()
            if line.problem:
                raise WorkerFailure(FailureKind.INVALID_ANSWER, line.problem)
            if line.data is None:
                raise await self._why_no_line(child)
            return Answered(self._read_answer(line.data), line.at - asked_at, asked_at)
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)

    async def _wait_until_read(self, child: Program, reply: "asyncio.Future[_Line]") -> float:
        """Wait until the child takes the first byte of its first question; give the moment just before."""
        deadline = self._clock() + self._start_timeout_s
        while True:
            before = self._clock()
            await asyncio.sleep(START_POLL_S)
            if child.has_read() or reply.done() or child.exit_code.done():
                return before
            if before > deadline:
                text = f"started, but read nothing from stdin within {self._start_timeout_s:g} s{child.last_words()}"
                raise WorkerFailure(FailureKind.HANG, text)

    async def _why_no_line(self, child: Program) -> WorkerFailure:
        await asyncio.wait({child.exit_code}, timeout=EXIT_GRACE_S)
        if child.exit_code.done():
            why = await child.describe_exit()
            if child.exit_code.result() == 0:
                why += "; a worker goes on reading questions until its stdin ends"
            return WorkerFailure(FailureKind.CRASH, why)
        return WorkerFailure(FailureKind.CRASH, f"closed its stdout without an answer{child.last_words()}")

    def _read_answer(self, line: bytes) -> dict[str, JsonValue]:
        shown = printable(line[:200].decode("utf-8", "backslashreplace"))
        try:
            value = parse_json(line)
        except ValueError as error:
            text = f"stdout must hold answers only, one JSON object a line (logs go to stderr): {error}, found {shown}"
            raise WorkerFailure(FailureKind.INVALID_ANSWER, text) from error
        if not isinstance(value, dict) or "id" not in value:
            text = f'an answer must be a JSON object with the "id" of the question, found {shown}'
            raise WorkerFailure(FailureKind.INVALID_ANSWER, text)
        found = value.pop("id")
        if type(found) is not int or found != self._count:
            text = f'the answer has "id" {printable(json.dumps(found), 80)}, the question had {self._count}'
            raise WorkerFailure(FailureKind.INVALID_ANSWER, text)
        return value


@dataclass(slots=True)
class _Running:
    """The process of now; `fresh` until it has begun to read its first question."""

    child: Program
    lines: "_Lines"
    fresh: bool = True


@dataclass(frozen=True, slots=True)
class _Line:
    """A line as it arrived, or why there is none: `data` None with an empty `problem` is the end of stdout."""

    data: bytes | None
    at: float
    problem: str = ""


class _Lines:
    """Reads a child's stdout line by line; keeps the first line that nobody asked for, and then stops reading."""

    def __init__(self, stdout: asyncio.StreamReader, limit: int, clock: Callable[[], float]) -> None:
        self._stdout = stdout
        self._limit = limit
        self._clock = clock
        self._waiting: asyncio.Future[_Line] | None = None
        self._early: _Line | None = None
        self._task = asyncio.create_task(self._pump())

    def expect(self) -> "asyncio.Future[_Line]":
        """Give the next line; at once, as a problem, if one has come unasked."""
        self._waiting = asyncio.get_running_loop().create_future()
        if self._early is not None:
            line = self._early
            if line.data is not None:
                shown = printable(line.data[:200].decode("utf-8", "backslashreplace"))
                line = _Line(None, line.at, f"wrote to stdout without being asked (logs go to stderr): {shown}")
            self._waiting.set_result(line)
        return self._waiting

    def stop(self) -> None:
        self._task.cancel()

    async def _pump(self) -> None:
        while True:
            line = await self._next_line()
            if line.data is not None and not line.data.strip():
                continue
            if self._waiting is not None and not self._waiting.done():
                self._waiting.set_result(line)
                if line.data is not None:
                    continue
            self._early = line
            return

    async def _next_line(self) -> _Line:
        try:
            return _Line(await self._stdout.readuntil(b"\n"), self._clock())
        except asyncio.IncompleteReadError as error:
            return _Line(error.partial or None, self._clock())
        except asyncio.LimitOverrunError:
            return _Line(None, self._clock(), f"wrote a line of more than {self._limit} bytes")
