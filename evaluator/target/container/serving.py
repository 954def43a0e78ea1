"""An app that listens: one container as a server, ready or not; `exchange.py` asks it."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from evaluator.records import Case, FailureKind, Output
from evaluator.target.container.attached import Attached, start_attached
from evaluator.target.container.box import Box
from evaluator.target.container.client import DockerFailed
from evaluator.target.container.engine import Engine
from evaluator.target.exchange import PROBE_S, Asking, Exchange, why_not_ready
from evaluator.target.server import CLOSE_GRACE_S, READY_POLL_S, free_port
from evaluator.worker import WorkerFailure

_LINE = 1 << 16


@dataclass(frozen=True, slots=True)
class Listening:
    """How a container is a server."""

    exchange: Exchange
    """How it is asked."""
    port: int = 8080
    """Where it listens; in a network that it shares with us, it is told a free one instead."""
    port_env: str = "PORT"
    """The variable that tells it."""
    ready: str | None = None
    """Path that answers 2xx once it is ready; None if listening is enough."""


class ServingContainer:
    """A server in a container, started again after it failed.

    Args:
        engine: Where.
        box: What it may do.
        listening: How it is a server.
        run: Arguments in place of the image's CMD.
        env: Its variables but for the port.
        name: Its name, to which a number is added.
        start_timeout_s: How long it may take until it is ready.
        clock: Seconds, for latencies.
    """

    def __init__(
        self,
        engine: Engine,
        box: Box,
        listening: Listening,
        run: Sequence[str],
        env: Mapping[str, str],
        name: str,
        *,
        start_timeout_s: float,
        clock: Callable[[], float],
    ) -> None:
        """Only store the arguments; see the class."""
        self._engine = engine
        self._box = box
        self._listening = listening
        self._run = run
        self._env = env
        self._name = name
        self._start_timeout_s = start_timeout_s
        self._asking = Asking(listening.exchange, key="target.container.http", clock=clock)
        self._made = 0
        self._attached: Attached | None = None
        self._draining: asyncio.Task[None] | None = None
        self._url = ""
        self.discard = partial(self.stop, 0.0)

    async def start(self) -> None:
        """Start it, and wait until it is ready.

        Raises:
            WorkerFailure: CRASH or HANG.
        """
        await self.url()

    async def answer(self, case: Case, repeat: int) -> tuple[Output, float | None]:
        """Ask one case; gives the output, and when it was asked.

        Raises:
            WorkerFailure: CRASH, HANG or INVALID_ANSWER; the container is gone then.
        """
        return await self._asking.ask(self, case, repeat)

    def begun(self) -> bool:
        """Whether it has been ready: what it did before was starting up."""
        return bool(self._url)

    async def url(self) -> str:
        """Where it listens; started and ready; see `exchange.Asked`."""
        if self._attached is not None and self._attached.exit_code.done():
            await self.stop(0)  # an exit between two cases: nobody waits for an answer
        if self._attached is None:
            try:
                self._url = await self._start_up()
            except BaseException:
                await asyncio.shield(self.stop(0))
                raise
        return self._url

    async def why(self) -> str | None:
        """How it ended, or None if it runs on."""
        if self._attached is None:
            return None
        await asyncio.wait({self._attached.exit_code}, timeout=0.2)
        return await self._attached.describe_exit() if self._attached.exit_code.done() else None

    def last_words(self) -> str:
        """The end of what it wrote, for a message."""
        return self._attached.last_words() if self._attached is not None else ""

    async def stop(self, grace_s: float = CLOSE_GRACE_S) -> None:
        """Remove the container."""
        attached, self._attached, self._url = self._attached, None, ""
        draining, self._draining = self._draining, None
        if attached is not None:
            await asyncio.shield(attached.stop(grace_s))
        if draining is not None:
            draining.cancel()
            await asyncio.gather(draining, return_exceptions=True)

    async def close(self) -> None:
        """Remove the container and end all connections: a server need not notice that its stdin ends."""
        await self.stop(0)
        await self._asking.close()

    async def _start_up(self) -> str:
        deadline = time.monotonic() + self._start_timeout_s
        self._made += 1
        port = self._listening.port if self._box.is_apart else free_port()
        attached = self._attached = await start_attached(
            self._engine, self._box, f"{self._name}-{self._made}",
            run=self._run, env={**self._env, self._listening.port_env: str(port)}, max_line_bytes=_LINE,
        )  # fmt: skip
        self._draining = asyncio.create_task(attached.drain())
        host = "127.0.0.1"
        if self._box.is_apart:
            try:
                host = await attached.address(self._box.network)
            except DockerFailed as failed:
                raise WorkerFailure(FailureKind.CRASH, f"the container has no address: {failed}") from None
        while True:
            if attached.exit_code.done():
                why = await attached.describe_exit()
                raise WorkerFailure(FailureKind.CRASH, f"ended before it was ready: {why}")
            said = await self._not_ready(host, port)
            if said is None:
                return f"http://{host}:{port}"
            if time.monotonic() > deadline and not attached.exit_code.done():
                text = f"was not ready within {self._start_timeout_s:g} s ({said}){attached.last_words()}"
                raise WorkerFailure(FailureKind.HANG, text)
            await asyncio.sleep(READY_POLL_S)

    async def _not_ready(self, host: str, port: int) -> str | None:
        """Why it is not ready yet; None if it is."""
        try:
            async with asyncio.timeout(PROBE_S):
                _, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError):
            return f"it does not listen on port {port} of all its addresses"
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return await why_not_ready(self._asking.session(), f"http://{host}:{port}", self._listening.ready)
