"""A running container whose stdin, stdout and stderr we hold; for a worker it is a program like any other.

The engine attaches us before it starts the container, so that nothing of its output is missed; it keeps none of it.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence

from aiodocker.containers import DockerContainer
from aiodocker.stream import Stream

from evaluator.records import FailureKind
from evaluator.target.container.box import Box, description
from evaluator.target.container.client import DockerFailed
from evaluator.target.container.engine import Engine, refusals
from evaluator.worker import WorkerFailure, last_words, longer_tail

UNKNOWN = -1
"""The exit code of a container whose engine does not tell."""
_OUT_OF_MEMORY = 137
_STDERR = 2
_TOLD_S = 5.0


class Attached:
    """A running container; made by `start_attached`."""

    def __init__(self, engine: Engine, container: DockerContainer, stream: Stream, max_line_bytes: int) -> None:
        """Take over a container that is attached to, and not yet started."""
        self.stdout = asyncio.StreamReader(limit=max_line_bytes)
        self.exit_code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.id = str(container.id)
        self._container = container
        self._stream = stream
        self._stderr = b""
        self._valve = _Valve()
        self.stdout.set_transport(self._valve)
        self._waits = asyncio.Event()
        self._tasks = [asyncio.create_task(self._watch(engine)), asyncio.create_task(self._pump())]

    async def start(self) -> None:
        """Start it, once we are sure to be told of its end.

        Raises:
            DockerFailed: The engine refuses.
        """
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._waits.wait(), _TOLD_S)
        with refusals():
            await self._container.start()

    async def write(self, data: bytes) -> None:
        """Write to stdin; see `worker.program`."""
        await self._stream.write_in(data)

    def has_read(self) -> bool:
        """It cannot be seen from outside."""
        return True

    def last_words(self) -> str:
        """The end of stderr."""
        return last_words(self._stderr)

    async def describe_exit(self) -> str:
        """Say how it ended."""
        code = await self.exit_code
        how = f"exited with code {code}"
        if code == _OUT_OF_MEMORY:
            how = f"was killed (code {code}: most often, out of `sandbox.memory`)"
        elif code == UNKNOWN:
            how = "is gone, and the engine does not tell why"
        return f"the container {how}{self.last_words()}"

    async def drain(self) -> None:
        """Read its stdout to the end, for nobody: its end belongs to the last words."""
        while data := await self.stdout.read(65_536):
            self._stderr = longer_tail(self._stderr, data)

    async def address(self, network: str) -> str:
        """Its address in a network.

        Raises:
            DockerFailed: It has none.
        """
        with refusals():
            told = await self._container.show()
        found = str(((told.get("NetworkSettings") or {}).get("Networks") or {}).get(network, {}).get("IPAddress") or "")
        if not found:
            raise DockerFailed("it is not in its network")
        return found

    def kill(self) -> None:
        """Nothing can be done at once; `stop` does it."""

    async def stop(self, grace_s: float) -> None:
        """Let its stdin end, wait, remove it."""
        with contextlib.suppress(AssertionError):  # aiodocker's, where the engine has closed the stream before
            await self._stream.close()
        if grace_s > 0:
            await asyncio.wait({self.exit_code}, timeout=grace_s)
        await remove_container(self._container)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if not self.exit_code.done():
            self.exit_code.set_result(UNKNOWN)

    async def _watch(self, engine: Engine) -> None:
        code = UNKNOWN
        path, when = f"containers/{self.id}/wait", {"condition": "next-exit"}
        with contextlib.suppress(DockerFailed, KeyError, TypeError):
            async with engine.ask("POST", path, when, timeout_s=None) as response:
                self._waits.set()
                code = int((await response.json())["StatusCode"])
        self._waits.set()
        if not self.exit_code.done():
            self.exit_code.set_result(code)

    async def _pump(self) -> None:
        try:
            with contextlib.suppress(DockerFailed), refusals():
                while (message := await self._stream.read_out()) is not None:
                    if message.stream == _STDERR:
                        self._stderr = longer_tail(self._stderr, message.data)
                    else:
                        self.stdout.feed_data(message.data)
                        await self._valve.open.wait()
        finally:
            self.stdout.feed_eof()


class _Valve(asyncio.ReadTransport):
    """Lets a `StreamReader` hold up what fills it."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()

    def pause_reading(self) -> None:
        self.open.clear()

    def resume_reading(self) -> None:
        self.open.set()


async def start_attached(
    engine: Engine, box: Box, name: str, *, run: Sequence[str], env: Mapping[str, str], max_line_bytes: int
) -> Attached:
    """Make a container and start it.

    Args:
        engine: Where.
        box: What it may do.
        name: Its name; new.
        run: Arguments in place of the image's CMD; empty for that itself.
        env: Its variables.
        max_line_bytes: The longest line of its stdout.

    Raises:
        WorkerFailure: CRASH, where the engine refuses; nothing of it is left.
    """
    attached: Attached | None = None
    container: DockerContainer | None = None
    try:
        with refusals():
            container = await engine.api.containers.create(description(box, run, env), name=name)
            stream = container.attach(stdin=True, stdout=True, stderr=True)
            await stream.__aenter__()
        attached = Attached(engine, container, stream, max_line_bytes)
        await attached.start()
    except BaseException as error:
        if attached is not None:
            await asyncio.shield(attached.stop(0))
        elif container is not None:
            await asyncio.shield(remove_container(container))
        if isinstance(error, DockerFailed):
            raise WorkerFailure(FailureKind.CRASH, f"no container can be made: {error}") from None
        raise
    return attached


async def remove_container(container: DockerContainer) -> None:
    """Remove a container, running or not; one that is gone, or about to, is no error."""
    with contextlib.suppress(DockerFailed), refusals():
        await container.delete(force=True, v=True)
