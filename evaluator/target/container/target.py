"""The target itself: image, network, and as many containers as cases may be answered at once.

The app speaks the protocol of `worker/json_lines.py` on stdin and stdout, as a `command` target does. Its container is
made before, and `docker start --attach --interactive` stands for the program. The client cannot see when the app reads
its first question, so the first answer of a container has no latency: it would count the app's start.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from evaluator.errors import TargetError
from evaluator.records import Case, FailureKind, JsonValue, Output, Side
from evaluator.target.answer_record import read_answer
from evaluator.target.container.box import (
    DEFAULT_MEMORY_BYTES,
    DEFAULT_PROCESSES,
    DEFAULT_USER,
    LABEL,
    Box,
    create_words,
)
from evaluator.target.container.client import Docker, DockerFailed, find_docker
from evaluator.target.container.image import Build, Named, ready_image
from evaluator.target.container.network import Way, find_ourselves, internal_way, remove, shared_way
from evaluator.target.container.relay import relayed
from evaluator.target.interface import Target
from evaluator.target.metering import Meter, Metering
from evaluator.target.seats import Seats
from evaluator.target.workers import question_of
from evaluator.worker import JsonLinesWorker, WorkerFailure

_GONE_S = 15.0


@dataclass(frozen=True, slots=True)
class Allowed:
    """What base's config lets the containers do."""

    network: bool = False
    user: str = DEFAULT_USER
    memory_bytes: int = DEFAULT_MEMORY_BYTES
    processes: int = DEFAULT_PROCESSES


class ContainerTarget(Target):
    """An app in containers, at one ref.

    Args:
        side: Which ref it is of.
        source: Its image.
        run: Arguments in place of the image's CMD.
        env: Variables that the config hands on, beside the meter's.
        slots: How many cases may be answered at once: as many containers.
        start_timeout_s: How much longer than another case the first one of a container may take.
        case_timeout_s: How long one case may take; then its container is removed.
        environ: Our environment, for the Docker client.
        scratch: A private folder of the run.
        allowed: What the containers may do.
        metering: How its model calls are metered; None if they are not.
        door_port: The gateway's port; None without one.
        clock: Seconds, for latencies.
    """

    def __init__(
        self,
        side: Side,
        source: Build | Named,
        *,
        run: tuple[str, ...] = (),
        env: Mapping[str, str],
        slots: int,
        start_timeout_s: float,
        case_timeout_s: float,
        environ: Mapping[str, str],
        scratch: Path,
        allowed: Allowed | None = None,
        metering: Metering | None = None,
        door_port: int | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Only store the arguments; see the class."""
        self.side = side
        self._source = source
        self._run = run
        self._env = dict(env)
        self._slots = slots
        self._start_timeout_s = start_timeout_s
        self._case_timeout_s = case_timeout_s
        self._environ = environ
        self._scratch = scratch
        self._allowed = allowed or Allowed()
        self._metering = metering
        self._door_port = door_port
        self._clock = clock
        self._label = secrets.token_hex(8)
        self._docker: Docker | None = None
        self._way: Way | None = None
        self._network = f"llm-eval-gate-{side}-{self._label}"
        self._seats: Seats[tuple[_Container, Meter]] | None = None
        self._joining: str | None = None

    async def start(self) -> None:
        """Get the image, the network and all containers.

        Raises:
            TargetError: One of them cannot be had; nothing of them is left.
        """
        try:
            await self._start()
        except BaseException:
            await asyncio.shield(self.close())
            raise

    async def close(self) -> None:
        """Remove all containers and the network."""
        if self._docker is None:
            return
        if self._seats is not None:
            await asyncio.gather(*(container.close() for container, _ in self._seats.all))
        await _remove_all(self._docker, self._label)
        if self._way is not None and self._way.relay is not None:
            await self._way.relay.close()
        if not self._allowed.network:
            await remove(self._docker, self._network, self._joining)
        self._docker = None

    async def answer(self, case: Case, *, repeat: int = 0) -> Output:
        """Ask a free container; a crash, a hang or a wrong answer is the output's failure."""
        if self._seats is None:
            raise RuntimeError("the target is asked before it was started")
        question = question_of(case, repeat)
        async with self._seats.take() as (container, meter):
            async with meter.case(case, repeat) as trace:
                try:
                    value, latency_s = await container.ask(question)
                    output = read_answer(value, latency_s)
                except WorkerFailure as failure:
                    output = Output(failure=failure.as_failure())
            return meter.add(output, trace)

    def notes(self) -> tuple[str, ...]:
        """What is not held here."""
        return self._way.notes if self._way is not None else ()

    async def _start(self) -> None:
        docker = self._docker = await find_docker(self._environ, self._scratch / f"docker-{self.side}")
        ourselves = await find_ourselves(docker)
        # The network first: where there can be none, nothing need be built to find out.
        if self._allowed.network:
            self._way = shared_way(ourselves, self.side)
        else:
            self._joining = ourselves
            self._way = await internal_way(
                docker, ourselves, name=self._network, label=self._label, side=self.side, door=self._door_port
            )
        way = self._way
        image = await ready_image(
            docker, self._source, side=self.side, copy=self._scratch / f"context-{self.side}-{self._label}",
            network="host" if self._allowed.network else None,
        )  # fmt: skip
        box = Box(
            image.id, self._run, self._label, way.network, user=self._allowed.user, volumes=image.volumes,
            memory_bytes=self._allowed.memory_bytes, processes=self._allowed.processes,
        )  # fmt: skip
        metering = self._metering
        if metering is not None and way.relay is not None and self._door_port is not None:
            metering = relayed(metering, way.relay, self._door_port)

        def make(slot: int) -> tuple[_Container, Meter]:
            meter = Meter(metering, f"{self.side}-{slot}")
            env = {**self._env, **meter.environment()}
            container = _Container(
                docker, box, env, f"llm-eval-gate-{self.side}-{slot}-{self._label}",
                start_timeout_s=self._start_timeout_s, case_timeout_s=self._case_timeout_s, clock=self._clock,
            )  # fmt: skip
            return container, meter

        self._seats = Seats(make, self._slots)
        try:
            for container, _ in self._seats.all:
                await container.start()
        except WorkerFailure as failure:
            raise TargetError(f"target.container: {failure.message}, at {self.side}") from failure


class _Container:
    """One container, made again after it failed."""

    def __init__(
        self,
        docker: Docker,
        box: Box,
        env: Mapping[str, str],
        name: str,
        *,
        start_timeout_s: float,
        case_timeout_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._docker = docker
        self._box = box
        self._env = env
        self._name = name
        self._start_timeout_s = start_timeout_s
        self._case_timeout_s = case_timeout_s
        self._clock = clock
        self._made = 0
        self._worker: JsonLinesWorker | None = None
        self._fresh = True

    async def start(self) -> JsonLinesWorker:
        """Make and start it if there is none.

        Raises:
            WorkerFailure: The engine refuses.
        """
        if self._worker is not None:
            return self._worker
        self._made += 1
        words = create_words(self._box, self._called, list(self._env))
        try:
            await self._docker.ask(*words, more=self._env)
        except DockerFailed as failed:
            raise WorkerFailure(FailureKind.CRASH, f"no container can be made: {failed}") from None
        worker = JsonLinesWorker(
            [self._docker.program, "start", "--attach", "--interactive", self._called],
            cwd=self._docker.folder,
            env=self._docker.env,
            start_timeout_s=self._start_timeout_s,
            call_timeout_s=self._start_timeout_s + self._case_timeout_s,
            clock=self._clock,
        )
        await worker.start()
        self._worker, self._fresh = worker, True
        return worker

    async def ask(self, question: JsonValue) -> tuple[dict[str, JsonValue], float | None]:
        """Ask one question; gives the answer, and how long it took if that is known.

        Raises:
            WorkerFailure: CRASH, HANG or INVALID_ANSWER; the container is gone then.
        """
        worker = await self.start()
        fresh, self._fresh = self._fresh, False
        asking = asyncio.create_task(worker.ask_timed(question))
        answered = False
        try:
            await asyncio.wait({asking}, timeout=None if fresh else self._case_timeout_s)
            if not asking.done():
                words = await self._docker.last_words(self._called)
                text = f"no answer within {self._case_timeout_s:g} s (is stdout flushed?){words}"
                raise WorkerFailure(FailureKind.HANG, text)
            result = asking.result()
            answered = True
        except WorkerFailure as failure:
            program = Path(self._docker.program).name
            told = failure.message.replace(f"{program} exited", "the container exited", 1)
            told = told.replace("exited with code 137", "was killed (code 137: most often, out of `sandbox.memory`)", 1)
            raise WorkerFailure(failure.kind, told) from None
        finally:
            if not answered:
                asking.cancel()
                await asyncio.shield(self._discard(asking))
        return result.value, None if fresh else result.latency_s

    async def close(self) -> None:
        """Let the app end by itself for a moment, then remove it."""
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.close()
            await _remove(self._docker, self._called)

    @property
    def _called(self) -> str:
        return f"{self._name}-{self._made}"

    async def _discard(self, asking: "asyncio.Task[object]") -> None:
        worker, self._worker = self._worker, None
        await _remove(self._docker, self._called)
        await asyncio.gather(asking, return_exceptions=True)
        if worker is not None:
            await worker.close()


async def _remove(docker: Docker, name: str) -> None:
    with suppress(DockerFailed):  # gone already, or the engine is about to: `_remove_all` waits for that
        await docker.ask("rm", "--force", "--volumes", name)


async def _remove_all(docker: Docker, label: str) -> None:
    """Remove all containers of a label, and wait until they are gone."""
    deadline = time.monotonic() + _GONE_S
    while time.monotonic() < deadline:
        try:
            names = (await docker.ask("ps", "--all", "--quiet", "--filter", f"label={LABEL}={label}")).split()
        except DockerFailed:
            return  # no engine any more
        if not names:
            return
        for name in names:
            await _remove(docker, name)
        await asyncio.sleep(0.05)
