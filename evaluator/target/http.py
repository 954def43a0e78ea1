"""The `http` target: the app as a server that is started in the ref's checkout; one request a case.

A server has one token at the gateway's door, and what it asks meanwhile belongs to the case that it answers. So each
process answers one case at a time; `servers: N` starts as many processes a ref, and answers as many cases at once.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from evaluator.errors import TargetError
from evaluator.records import Case, Output, Side
from evaluator.sandbox import Cage
from evaluator.target.command import require_program
from evaluator.target.exchange import Asking, Exchange
from evaluator.target.interface import Target
from evaluator.target.metering import Meter, Metering
from evaluator.target.seats import Seats
from evaluator.target.server import Server
from evaluator.worker import WorkerFailure


class HttpTarget(Target):
    """A server at one ref.

    Its latency is from the request to the answer's last byte; starting the server never counts.

    Args:
        side: Which ref it is of.
        argv: The program and its arguments; `{port}` in them stands for the port.
        cwd: The ref's checkout.
        env: The server's whole environment but for its port and its meter's: `worker.child_environment`.
        exchange: How a case is asked.
        port_env: The variable that tells the server its port.
        ready: Path that answers 2xx once it is ready; None if listening is enough.
        servers: How many processes, each of which answers one case at a time.
        start_timeout_s: How long it may take until it is ready.
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
        exchange: Exchange,
        port_env: str = "PORT",
        ready: str | None = None,
        servers: int = 1,
        start_timeout_s: float = 60.0,
        metering: Metering | None = None,
        cage: Cage | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Only store the arguments; see the class."""
        self.side = side
        self._argv = tuple(argv)
        self._cwd = cwd
        self._env = dict(env)
        self._caged = cage is not None
        self._asking = Asking(exchange, key="target.http", clock=clock)

        def make(slot: int) -> tuple[Server, Meter]:
            meter = Meter(metering, f"{side}-{slot}")
            server = Server(
                argv,
                cwd=cwd,
                env={**env, **meter.environment()},
                port_env=port_env,
                ready=ready,
                start_timeout_s=start_timeout_s,
                session=self._asking.session,
                cage=cage,
            )
            return server, meter

        self._seats = Seats(make, servers)

    async def start(self) -> None:
        """Start all servers and wait until they are ready.

        Raises:
            TargetError: One cannot be started, ends, or is not ready in time.
        """
        require_program("target.http.run", self._argv, self._cwd, self._env, self.side)
        try:
            async with asyncio.TaskGroup() as group:
                for server, _ in self._seats.all:
                    group.create_task(server.url())
        except BaseExceptionGroup as errors:
            first = errors.exceptions[0]
            if not isinstance(first, WorkerFailure):
                raise first from None
            hint = "the server must listen on 127.0.0.1, on the port that it is told, see `target.http.port_env`"
            hint += "; in the sandbox all other ports are closed to it" if self._caged else ""
            raise TargetError(f"target.http: the server {first.message}, at {self.side}", hint=hint) from None

    async def close(self) -> None:
        """End all servers."""
        await asyncio.gather(*(server.stop() for server, _ in self._seats.all))
        await self._asking.close()

    async def answer(self, case: Case, *, repeat: int = 0) -> Output:
        """Ask the server; an error status, a crash, a hang or a wrong answer is the output's failure."""
        async with self._seats.take() as (server, meter):
            asked_at: float | None = None
            # What a server asks before it is ready belongs to its start, also after a crash.
            async with meter.case(case, repeat, begun=server.is_ready, discard=partial(server.stop, 0)) as trace:
                try:
                    output, asked_at = await self._asking.ask(server, case, repeat)
                except WorkerFailure as failure:
                    output = Output(failure=failure.as_failure())
            return meter.add(output, trace, asked_at=asked_at)
