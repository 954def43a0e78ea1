"""One child process: its pipes, its exit and its certain end. What is said over the pipes is not this file's business.

The process leads a session of its own and carries a token in its environment, so that `stop` finds and kills all of its
descendants, also those that have left its process group. In a cage the launcher stays above the program and adopts its
orphans, so that its descendants are found by descent, whatever they do. Its stderr is always drained; only the end of
it is kept.
"""

import asyncio
import contextlib
import fcntl
import os
import secrets
import signal
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path

from evaluator.records import FailureKind
from evaluator.sandbox import Cage, confine, end_descendants, hide_our_memory, launch_environment
from evaluator.worker.failure import WorkerFailure, last_words, longer_tail, printable

TOKEN_NAME = "LLM_EVAL_GATE_CHILD"  # noqa: S105  # the name of a variable, no secret
EXIT_POLL_S = 0.02
DRAIN_S = 0.2
LAUNCHER_GRACE_S = 2.0


class Child:
    """A running process; made by `start_child`."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", stdin: int, token: str, name: str, *, caged: bool = False
    ) -> None:
        """Take over a started process; `start_child` attaches the pipes."""
        self.stdout = asyncio.StreamReader()
        self.exit_code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        """The exit code as `subprocess` gives it: negative is the number of a signal."""
        self._process = process
        self._stdin: int | None = stdin
        self._token = token
        self._name = name
        self._caged = caged
        self._written = 0
        self._stderr_tail = b""
        self._stderr_done = asyncio.Event()
        self._transports: list[asyncio.BaseTransport] = []
        self._watcher = asyncio.create_task(self._watch())

    async def write(self, data: bytes) -> None:
        """Write all of `data` to stdin, waiting while the pipe is full.

        Raises:
            BrokenPipeError: The child reads no more.
        """
        loop = asyncio.get_running_loop()
        rest = memoryview(data)
        while rest:
            if self._stdin is None:
                raise BrokenPipeError
            try:
                count = os.write(self._stdin, rest)
            except BlockingIOError:
                descriptor, free = self._stdin, asyncio.Event()
                loop.add_writer(descriptor, free.set)
                try:
                    await free.wait()
                finally:
                    loop.remove_writer(descriptor)
            else:
                self._written += count
                rest = rest[count:]

    def close_stdin(self) -> None:
        """Let the child see the end of its input."""
        if self._stdin is not None:
            os.close(self._stdin)
            self._stdin = None

    def has_read(self) -> bool:
        """Tell whether the child has taken anything from stdin yet: the sign that it has started up."""
        if self._stdin is None:
            return True
        unread = fcntl.ioctl(self._stdin, termios.FIONREAD, b"\0\0\0\0")
        return int.from_bytes(unread, sys.byteorder) < self._written

    async def describe_exit(self) -> str:
        """Say how the process ended and what it said last on stderr, in one line; call it after the exit only."""
        code = await self.exit_code
        with contextlib.suppress(TimeoutError):  # the last words may still be in the pipe
            await asyncio.wait_for(self._stderr_done.wait(), DRAIN_S)
        how = f"exited with code {code}" if code >= 0 else f"was killed by {_signal_name(-code)}"
        return f"{self._name} {how}{self.last_words()}"

    def last_words(self) -> str:
        """Give the end of stderr for a message; empty if there was none."""
        return last_words(self._stderr_tail)

    def kill(self) -> None:
        """Kill the process and all of its descendants at once; `stop` must still be awaited."""
        # In a cage the launcher itself buries what we kill, and then goes; there is nothing yet while it starts.
        kept = self._caged and self._process.returncode is None and end_descendants(self._process.pid)
        if not kept:
            self._signal(signal.SIGKILL)
        for pid in _pids_with_token(self._token):
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue

    async def stop(self, grace_s: float) -> None:
        """End the process: close stdin, wait, SIGTERM, wait, SIGKILL; nothing of it is left running afterwards.

        Args:
            grace_s: Seconds to wait after each of the two polite steps; 0 kills at once.
        """
        self.close_stdin()
        try:
            if grace_s > 0 and not await self._exits_within(grace_s):
                self._signal(signal.SIGTERM)
                await self._exits_within(grace_s)
        finally:
            ended = self.exit_code.done()
            self.kill()
            if self._caged:
                await self._exits_within(LAUNCHER_GRACE_S)
                self._signal(signal.SIGKILL)
            if not self.exit_code.done():  # not awaited: whoever watches for the exit may have been cancelled with us
                self.exit_code.set_result(self._process.wait())
            if not ended:  # the leader may have started something between the look at /proc and its end
                self.kill()
            for transport in self._transports:
                transport.close()

    async def attach(self, stdout: int, stderr: int, max_line_bytes: int) -> None:
        """Start reading both pipes; the descriptors are closed by `stop`."""
        loop = asyncio.get_running_loop()
        self.stdout = asyncio.StreamReader(limit=max_line_bytes)
        reader = self.stdout
        out, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(stdout, "rb", buffering=0)
        )
        err, _ = await loop.connect_read_pipe(lambda: _Tail(self), os.fdopen(stderr, "rb", buffering=0))
        self._transports = [out, err]

    def keep_stderr(self, data: bytes) -> None:
        """Add to the end of stderr."""
        self._stderr_tail = longer_tail(self._stderr_tail, data)

    async def drain(self) -> None:
        """Read stdout for nobody, so that the process never waits for us; its end belongs to its last words."""
        with contextlib.suppress(ValueError):
            while data := await self.stdout.read(65_536):
                self.keep_stderr(data)

    def stderr_closed(self) -> None:
        """Note that nobody writes to stderr any more."""
        self._stderr_done.set()

    async def _exits_within(self, seconds: float) -> bool:
        done, _ = await asyncio.wait({self.exit_code}, timeout=seconds)
        return bool(done)

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):  # macOS says PermissionError of a group of zombies
            return

    async def _watch(self) -> None:
        """Wait for the exit without a thread: by pidfd where the system has it, else by looking again and again."""
        try:
            descriptor = os.pidfd_open(self._process.pid)
        except (AttributeError, OSError):
            while self._process.poll() is None:
                await asyncio.sleep(EXIT_POLL_S)
        else:
            loop, ended = asyncio.get_running_loop(), asyncio.Event()
            loop.add_reader(descriptor, ended.set)
            try:
                await ended.wait()
            finally:
                loop.remove_reader(descriptor)
                os.close(descriptor)
        if not self.exit_code.done():
            self.exit_code.set_result(self._process.wait())


class _Tail(asyncio.Protocol):
    """Feeds stderr into its child's tail."""

    def __init__(self, child: Child) -> None:
        self._child = child

    def data_received(self, data: bytes) -> None:
        self._child.keep_stderr(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._child.stderr_closed()


async def start_child(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    max_line_bytes: int = 4_000_000,
    cage: Cage | None = None,
) -> Child:
    """Start a program, never through a shell.

    Args:
        argv: The program and its arguments; a relative program with a slash is looked up below `cwd`.
        cwd: Its working directory.
        env: Its whole environment; nothing of ours is added but a token.
        max_line_bytes: The longest line that may be read from its stdout.
        cage: What it may reach; None for all that we may. A program that is not there is then a failure of the first
            question only, for it is looked up inside.

    Raises:
        WorkerFailure: CRASH, if it cannot be started.
        SandboxError: The cage asks for what we may not do.
    """
    if not argv:
        raise WorkerFailure(FailureKind.CRASH, "cannot start an empty command")
    token = secrets.token_hex(16)
    started, passed = list(argv), dict(env)
    if cage is not None:
        hide_our_memory()
        started, passed = confine(argv, cage), launch_environment(env)
    stdin_read, stdin_write = os.pipe()
    os.set_blocking(stdin_write, False)
    pipes = [stdin_read, stdin_write, *os.pipe(), *os.pipe()]
    _, _, stdout_read, stdout_write, stderr_read, stderr_write = pipes
    try:
        process = subprocess.Popen(  # noqa: S603  # argv, no shell; asyncio's own start blocks no less
            started,
            cwd=cwd,
            env={**passed, TOKEN_NAME: token},
            stdin=stdin_read,
            stdout=stdout_write,
            stderr=stderr_write,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        for descriptor in pipes:
            os.close(descriptor)
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        where = f" in {printable(str(cwd))}" if not cwd.is_dir() else ""
        raise WorkerFailure(FailureKind.CRASH, f"cannot start {printable(argv[0])}{where}: {reason}") from error
    for descriptor in (stdin_read, stdout_write, stderr_write):
        os.close(descriptor)
    child = Child(process, stdin_write, token, printable(Path(argv[0]).name, 80), caged=cage is not None)
    try:
        await child.attach(stdout_read, stderr_read, max_line_bytes)
    except BaseException:
        child.kill()
        raise
    return child


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _pids_with_token(token: str) -> list[int]:
    """Find the living processes that carry `token` in their environment; empty where there is no /proc."""
    needle = f"{TOKEN_NAME}={token}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if needle in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:  # gone, or another user's
            continue
    return found
