"""Starts and stops embedded model servers: one process of one thread each, so `count` of them use `count` cores.

No requests are made here: the gateway talks to the addresses as to any other provider.
"""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

from evaluator.gateway.embedded.weights import (
    EmbeddedModelError,
    find_weights,
    require_server_package,
    verify_weights,
)

STARTUP_SECONDS: Final = 60.0
"""Time limit of a server's start; it takes about a second on a quiet machine."""
_CLOSE_SECONDS: Final = 5.0
_TAIL_BYTES: Final = 4096
_TAIL_LINES: Final = 8
# Enough to find shared libraries and to print; nothing of a key or a token is handed to the server.
_ENVIRONMENT_NAMES: Final = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")


@dataclass(slots=True)
class _Tail:
    """The last bytes that a server wrote to standard error."""

    kept: bytes = b""

    async def follow(self, stream: asyncio.StreamReader) -> None:
        """Read to the end, so that the server never waits for a reader; keep the last bytes."""
        while chunk := await stream.read(_TAIL_BYTES):
            self.kept = (self.kept + chunk)[-_TAIL_BYTES:]

    def lines(self) -> list[str]:
        """The last lines, with everything that is not printable escaped."""
        text = self.kept.decode("utf-8", "backslashreplace")
        lines = [line for line in text.splitlines() if line.strip()][-_TAIL_LINES:]
        return ["".join(c if c.isprintable() else ascii(c)[1:-1] for c in line) for line in lines]


@dataclass(slots=True)
class ServerProcess:
    """One running server; made by `start_server`."""

    process: asyncio.subprocess.Process
    reader: asyncio.Task[None]
    """Follows standard error for as long as the server lives."""
    base_url: str = ""
    """Ends in `/v1`; empty until the server is ready."""

    @property
    def pid(self) -> int:
        """Process id of the server."""
        return self.process.pid

    @property
    def running(self) -> bool:
        """False once the server has ended, whatever the reason."""
        return self.process.returncode is None

    async def close(self) -> None:
        """End the server and wait until it is gone; closing twice is no error."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self.process.wait()
        except TimeoutError:
            pass
        finally:
            # Also when we are cancelled while waiting: a server must not stay behind.
            if self.running:
                with contextlib.suppress(ProcessLookupError):
                    self.process.kill()
        await self.process.wait()
        await self.reader


async def start_server(
    weights: Path,
    *,
    startup_seconds: float = STARTUP_SECONDS,
    environment: Mapping[str, str] | None = None,
) -> ServerProcess:
    """Start one server and wait until it answers.

    Args:
        weights: The file of weights, used as it is; verify it first.
        startup_seconds: Time limit in seconds.
        environment: Environment from which a few harmless names are handed on; our own if None.

    Raises:
        EmbeddedModelError: The server ended before it was ready, or was not ready in time. Nothing stays behind.
    """
    root = Path(__file__).resolve().parents[3]
    ours = os.environ if environment is None else environment
    # -P: the working directory may be a checkout under test, and must not lend its code to the server.
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "evaluator.gateway.embedded.server", "--port", "0"),
        *("--weights", str(weights.resolve())),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={name: ours[name] for name in _ENVIRONMENT_NAMES if name in ours} | {"PYTHONPATH": str(root)},
        # Ctrl-C in a terminal reaches us alone; we then close the server in order.
        start_new_session=True,
    )
    # Both are there because both are pipes.
    stdout, stderr = cast(asyncio.StreamReader, process.stdout), cast(asyncio.StreamReader, process.stderr)
    tail = _Tail()
    server = ServerProcess(process, asyncio.create_task(tail.follow(stderr)))
    try:
        async with asyncio.timeout(startup_seconds):
            line = await stdout.readline()
    except TimeoutError:
        await server.close()
        raise _failed(f"was not ready within {startup_seconds:g} seconds", tail) from None
    except BaseException:
        await server.close()
        raise
    if not line:
        await server.close()
        raise _failed(f"ended while it started ({_ending(process.returncode)})", tail)
    server.base_url = str(json.loads(line)["base_url"])
    return server


def _ending(returncode: int | None) -> str:
    return f"signal {-returncode}" if returncode is not None and returncode < 0 else f"exit code {returncode}"


def _failed(what: str, tail: _Tail) -> EmbeddedModelError:
    last = "".join(f"\n  | {line}" for line in tail.lines())
    said = f"Its last words:{last}" if last else "It said nothing."
    hint = "it needs about 250 MB of free memory and an x86-64 or arm64 processor; a second try is worth it"
    if "libgomp" in said:  # the one system library that the wheel does not bring
        hint = "install GCC's OpenMP library: `apt-get install libgomp1` on Debian and Ubuntu"
    return EmbeddedModelError(f"the embedded model's server {what}. {said}", hint=hint)


@dataclass(slots=True)
class EmbeddedModel:
    """`count` servers of the embedded model, to be started and closed; not to be started twice at once."""

    count: int = 1
    """Number of servers, each a process that keeps one core busy while it answers (about 250 MB of memory each)."""
    weights: Path | None = None
    """A copy of the weights in place of the installed package's; its checksum must be the published one."""
    startup_seconds: float = STARTUP_SECONDS
    servers: list[ServerProcess] = field(default_factory=list)
    """The running servers, in the order of their addresses."""

    async def start(self) -> list[str]:
        """Start all servers, side by side.

        Returns:
            Their base URLs, each ending in `/v1`. A server answers one request at a time and queues the others.

        Raises:
            EmbeddedModelError: A package is missing, the weights are wrong, or a server failed; none is left running.
        """
        require_server_package()
        path = await asyncio.to_thread(lambda: verify_weights(find_weights(self.weights)))
        starts = [
            asyncio.create_task(start_server(path, startup_seconds=self.startup_seconds)) for _ in range(self.count)
        ]
        try:
            self.servers.extend(await asyncio.gather(*starts))
        except BaseException:
            for start in starts:
                start.cancel()
            ended = await asyncio.gather(*starts, return_exceptions=True)
            self.servers.extend(server for server in ended if isinstance(server, ServerProcess))
            await self.close()
            raise
        return [server.base_url for server in self.servers]

    async def close(self) -> None:
        """End all servers; closing twice is no error."""
        servers, self.servers = self.servers, []
        await asyncio.gather(*(server.close() for server in servers))


@contextlib.asynccontextmanager
async def embedded_servers(count: int = 1, *, weights: Path | None = None) -> AsyncIterator[list[str]]:
    """Run `count` servers for the length of a block.

    Args:
        count: Number of servers; see `EmbeddedModel`.
        weights: See `EmbeddedModel`.

    Yields:
        Their base URLs, each ending in `/v1`.

    Raises:
        EmbeddedModelError: See `EmbeddedModel.start`.
    """
    model = EmbeddedModel(count, weights)
    urls = await model.start()
    try:
        yield urls
    finally:
        await model.close()
