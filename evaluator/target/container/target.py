"""The target itself: image, network, and as many containers as cases may be answered at once.

The app speaks the protocol of `worker/json_lines.py` on stdin and stdout, as a `command` target does (`lines.py`), or
it listens, as an `http` target does (`serving.py`).
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from evaluator.errors import TargetError
from evaluator.records import Case, Output, Side
from evaluator.target.container.box import DEFAULT_MEMORY_BYTES, DEFAULT_PROCESSES, DEFAULT_USER, LABEL, Box
from evaluator.target.container.engine import Engine, open_engine
from evaluator.target.container.image import Build, Named, ready_image
from evaluator.target.container.leftovers import GATE, our_mark, remove_all, sweep
from evaluator.target.container.lines import LinesContainer
from evaluator.target.container.network import Way, find_ourselves, internal_way, remove, shared_way
from evaluator.target.container.relay import relayed
from evaluator.target.container.serving import Listening, ServingContainer
from evaluator.target.interface import Target
from evaluator.target.metering import Meter, Metering
from evaluator.target.seats import Seats
from evaluator.worker import WorkerFailure


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
        environ: Our environment: where the engine is.
        scratch: A private folder of the run.
        allowed: What the containers may do.
        listening: How they are servers; None for JSON Lines.
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
        listening: Listening | None = None,
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
        self._listening = listening
        self._metering = metering
        self._door_port = door_port
        self._clock = clock
        self._label = secrets.token_hex(8)
        self._engine: Engine | None = None
        self._way: Way | None = None
        self._network = f"llm-eval-gate-{side}-{self._label}"
        self._seats: Seats[tuple[LinesContainer | ServingContainer, Meter]] | None = None
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
        engine, self._engine = self._engine, None
        if engine is None:
            return
        try:
            if self._seats is not None:
                await asyncio.gather(*(container.close() for container, _ in self._seats.all))
            await remove_all(engine, self._label)
            if self._way is not None and self._way.relay is not None:
                await self._way.relay.close()
            if not self._allowed.network:
                await remove(engine, self._network, self._joining)
        finally:
            await engine.close()

    async def answer(self, case: Case, *, repeat: int = 0) -> Output:
        """Ask a free container; a crash, a hang or a wrong answer is the output's failure."""
        if self._seats is None:
            raise RuntimeError("the target is asked before it was started")
        async with self._seats.take() as (container, meter):
            asked_at: float | None = None
            begun, discard = container.begun, container.discard
            async with meter.case(case, repeat, begun=begun, discard=discard) as trace:
                try:
                    output, asked_at = await container.answer(case, repeat)
                except WorkerFailure as failure:
                    output = Output(failure=failure.as_failure())
            return meter.add(output, trace, asked_at=asked_at)

    def notes(self) -> tuple[str, ...]:
        """What is not held here."""
        return self._way.notes if self._way is not None else ()

    async def _start(self) -> None:
        engine = self._engine = await open_engine(self._environ, self._scratch / f"docker-{self.side}")
        ourselves = await find_ourselves(engine)
        mark = our_mark(ourselves)
        await sweep(engine, mark)
        labels = {LABEL: self._label, GATE: mark}
        # The network first: where there can be none, nothing need be built to find out.
        if self._allowed.network:
            self._way = shared_way(ourselves, self.side)
        else:
            self._joining = ourselves
            self._way = await internal_way(
                engine, ourselves, name=self._network, labels=labels, side=self.side, door=self._door_port
            )
        way = self._way
        copy = self._scratch / f"context-{self.side}-{self._label}"
        image = await ready_image(engine, self._source, side=self.side, copy=copy)
        box = Box(
            image.id, labels, way.network, user=self._allowed.user, volumes=image.volumes,
            memory_bytes=self._allowed.memory_bytes, processes=self._allowed.processes,
        )  # fmt: skip
        metering = self._metering
        if metering is not None and way.relay is not None and self._door_port is not None:
            metering = relayed(metering, way.relay, self._door_port)

        def make(slot: int) -> tuple[LinesContainer | ServingContainer, Meter]:
            meter = Meter(metering, f"{self.side}-{slot}")
            env = {**self._env, **meter.environment()}
            name = f"llm-eval-gate-{self.side}-{slot}-{self._label}"
            if self._listening is not None:
                serving = ServingContainer(
                    engine, box, self._listening, self._run, env, name,
                    start_timeout_s=self._start_timeout_s, clock=self._clock,
                )  # fmt: skip
                return serving, meter
            container = LinesContainer(
                engine, box, self._run, env, name,
                start_timeout_s=self._start_timeout_s, case_timeout_s=self._case_timeout_s, clock=self._clock,
            )  # fmt: skip
            return container, meter

        self._seats = Seats(make, self._slots)
        try:
            for container, _ in self._seats.all:
                await container.start()
        except WorkerFailure as failure:
            raise TargetError(f"target.container: {failure.message}, at {self.side}") from failure
