"""One server process of an `http` target: a free port, readiness, certain end."""

import asyncio
import secrets
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import aiohttp

from evaluator.records import FailureKind
from evaluator.sandbox import Cage
from evaluator.target.exchange import why_not_ready
from evaluator.target.listening import listens_here
from evaluator.worker import WorkerFailure
from evaluator.worker.child import Child, start_child

HOSTS = ("127.0.0.1", "[::1]")
"""Where a server may listen: some take `localhost` for the one, some for the other."""
READY_POLL_S = 0.02
CLOSE_GRACE_S = 1.0
SERVER_NAME = "LLM_EVAL_GATE_SERVER"
"""Variable by whose value a server's processes are known."""
TRIES = 3
"""Ports that are tried: another program may take a free port before the server does."""


class Server:
    """A server that is started when it is needed, and again after it failed; one request at a time.

    Args:
        argv: The program and its arguments; `{port}` in them stands for the port.
        cwd: The ref's checkout.
        env: Its environment but for the port.
        port_env: The variable that tells it its port.
        ready: Path that answers 2xx once it is ready; None if listening is enough.
        start_timeout_s: How long it may take until it is ready.
        session: For its readiness.
        cage: What it may reach; the port to listen on is added. None for no cage.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        port_env: str,
        ready: str | None,
        start_timeout_s: float,
        session: Callable[[], aiohttp.ClientSession],
        cage: Cage | None = None,
    ) -> None:
        """Only store the arguments; see the class."""
        self._argv = tuple(argv)
        self._cwd = cwd
        self._env = dict(env)
        self._port_env = port_env
        self._ready = ready
        self._start_timeout_s = start_timeout_s
        self._session = session
        self._cage = cage
        self._child: Child | None = None
        self._drain: asyncio.Task[None] | None = None
        self._mark = ""
        self._url = ""

    def is_ready(self) -> bool:
        """Whether the process of now has been ready: what it did before was starting up."""
        return bool(self._url)

    async def url(self) -> str:
        """Where it listens; started and ready.

        Raises:
            WorkerFailure: CRASH or HANG; the next call tries again.
        """
        if self._child is not None and self._child.exit_code.done():
            # An exit between two cases: nobody waits for an answer, so it is only started again.
            await self.stop(0)
        if self._child is None:
            await self._start_up()
        return self._url

    async def why(self) -> str | None:
        """How the process ended, or None if it runs on."""
        if self._child is None:
            return None
        await asyncio.wait({self._child.exit_code}, timeout=0.2)
        return await self._child.describe_exit() if self._child.exit_code.done() else None

    def last_words(self) -> str:
        """The end of what it wrote, for a message."""
        return self._child.last_words() if self._child is not None else ""

    async def stop(self, grace_s: float = CLOSE_GRACE_S) -> None:
        """End the process and all of its descendants."""
        child, self._child, self._url = self._child, None, ""
        drain, self._drain = self._drain, None
        if child is not None:
            if grace_s == 0:
                child.kill()
            await asyncio.shield(child.stop(grace_s))
        if drain is not None:
            drain.cancel()
            await asyncio.gather(drain, return_exceptions=True)

    async def _start_up(self) -> None:
        deadline = time.monotonic() + self._start_timeout_s
        for left in reversed(range(TRIES)):
            port, mark = free_port(), secrets.token_hex(16)
            argv = [part.replace("{port}", str(port)) for part in self._argv]
            env = {**self._env, self._port_env: str(port), SERVER_NAME: mark}
            cage = None if self._cage is None else replace(self._cage, listen=(*self._cage.listen, port))
            self._child = await start_child(argv, cwd=self._cwd, env=env, cage=cage)
            self._drain = asyncio.create_task(self._child.drain())
            self._mark = f"{SERVER_NAME}={mark}"
            try:
                self._url = await self._until_ready(self._child, port, deadline)
            except BaseException as error:
                taken = isinstance(error, _PortTaken)
                await self.stop(0)
                if taken and left:
                    continue
                raise
            return

    async def _until_ready(self, child: Child, port: int, deadline: float) -> str:
        said = "it listens nowhere"
        while True:
            if child.exit_code.done():
                why = await child.describe_exit()
                kind = _PortTaken if "address already in use" in why.lower() else WorkerFailure
                raise kind(FailureKind.CRASH, f"ended before it was ready: {why}")
            for host in HOSTS:
                found = await self._is_ready(host, port)
                if found is None:
                    return f"http://{host}:{port}"
                said = found or said
            if time.monotonic() > deadline:
                text = f"was not ready within {self._start_timeout_s:g} s ({said}){child.last_words()}"
                raise WorkerFailure(FailureKind.HANG, text)
            await asyncio.sleep(READY_POLL_S)

    async def _is_ready(self, host: str, port: int) -> str | None:
        """None if it is; else what it says, empty if nobody listens."""
        family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
        if not await asyncio.to_thread(_listens, family, host.strip("[]"), port):
            return ""
        if await asyncio.to_thread(listens_here, port, self._mark) is False:
            raise _PortTaken(FailureKind.CRASH, f"another process took port {port}")
        return await why_not_ready(self._session(), f"http://{host}:{port}", self._ready)


class _PortTaken(WorkerFailure):
    """Somebody else has the port, so another one is tried."""


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(family: socket.AddressFamily, host: str, port: int) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((host, port)) == 0
