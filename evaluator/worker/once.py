"""A program that is started for one question: the question on stdin, the whole of stdout is the answer."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluator.records import FailureKind
from evaluator.sandbox import Cage
from evaluator.worker.child import Child, start_child
from evaluator.worker.failure import WorkerFailure

READ_SIZE = 65_536
HELD_OPEN_S = 0.2


@dataclass(frozen=True, slots=True)
class Finished:
    """What a program wrote before it ended with exit code 0."""

    stdout: bytes
    latency_s: float
    """Seconds from its start, which counts, to its end."""


async def run_once(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdin: bytes,
    timeout_s: float,
    max_bytes: int = 4_000_000,
    clock: Callable[[], float] = time.perf_counter,
    cage: Cage | None = None,
) -> Finished:
    """Run a program to its end, in a cage if one is given; nothing of it is left running, whatever happens.

    Raises:
        WorkerFailure: CRASH if it cannot be started or ends with another code than 0, HANG past `timeout_s`,
            INVALID_ANSWER if it writes more than `max_bytes`.
    """
    started_at = clock()
    child = await start_child(argv, cwd=cwd, env=env, cage=cage)
    feeding = asyncio.create_task(_feed(child, stdin))
    reading = asyncio.create_task(_read_all(child, max_bytes))
    try:
        async with asyncio.timeout(timeout_s):
            await asyncio.wait({child.exit_code, reading}, return_when=asyncio.FIRST_COMPLETED)  # type: ignore[type-var]
            if reading.done():  # stdout was closed before the exit, or too much was written
                reading.result()
            await asyncio.wait({child.exit_code})
            latency_s = clock() - started_at
            if child.exit_code.result() != 0:
                raise WorkerFailure(FailureKind.CRASH, await child.describe_exit())
            await asyncio.wait({reading}, timeout=HELD_OPEN_S)
            if not reading.done():  # a descendant holds stdout open
                child.kill()
            return Finished(await reading, latency_s)
    except TimeoutError:
        text = f"did not end within {timeout_s:g} s{child.last_words()}"
        raise WorkerFailure(FailureKind.HANG, text) from None
    finally:
        feeding.cancel()
        reading.cancel()
        await asyncio.gather(feeding, reading, return_exceptions=True)
        await asyncio.shield(child.stop(0))


async def _feed(child: Child, stdin: bytes) -> None:
    try:
        await child.write(stdin)
    except BrokenPipeError:  # a program may ignore its input
        return
    finally:
        child.close_stdin()


async def _read_all(child: Child, max_bytes: int) -> bytes:
    chunks, size = [], 0
    while chunk := await child.stdout.read(READ_SIZE):
        chunks.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            raise WorkerFailure(FailureKind.INVALID_ANSWER, f"wrote more than {max_bytes} bytes to stdout")
    return b"".join(chunks)
