"""Runs git so that it reads and nothing else: no configuration of the user's, no hooks, no prompts, no network.

What git is asked for is in the files beside this one; the network is opened by `fetch.py` alone.
"""

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from evaluator.errors import ExitCode, SourceError

TIMEOUT_S = 600.0
GRACE_S = 2.0
"""For git to remove its lock files after it was told to end."""
CHUNK = 1 << 16
PASSED_ON = ("PATH", "HOME", "XDG_CONFIG_HOME", "GIT_TEST_ASSUME_DIFFERENT_OWNER")
"""Names of the environment that git may see; the last is git's own switch for testing the check of ownership."""

SAFE = (
    # A repository's own configuration may name programs; none of them is run.
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.untrackedCache=false"),
    *("-c", "core.pager=cat"),
    *("-c", "diff.external="),
    *("-c", "log.showSignature=false"),
    *("-c", "i18n.logOutputEncoding=UTF-8"),
    *("-c", "protocol.allow=never"),
    *("-c", "advice.detachedHead=false"),
)


@dataclass(frozen=True, slots=True)
class Git:
    """Git in one directory."""

    directory: Path
    """Where it runs; resolved, and trusted whoever owns it, for the user named it."""
    environ: Mapping[str, str]
    """Our environment; only `PASSED_ON` of it reaches git."""
    user_config: bool = False
    """Read the user's own configuration too; for commands that only print it."""
    settings: tuple[str, ...] = ()
    """Further `name=value` settings, after `SAFE`; others can see them, so nothing secret."""
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Further environment of the git process; may be secret."""
    timeout_s: float = TIMEOUT_S

    def run(self, arguments: Sequence[str], *, stdin: bytes = b"") -> bytes:
        """Run a git command and give its stdout.

        Raises:
            GitFailed: It ended with another code than 0.
            GitTimedOut: It did not end; it and its children were stopped.
            SourceError: There is no git, or it cannot be run.
        """
        with self._process(arguments, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                stdout, stderr = process.communicate(stdin, timeout=self.timeout_s)
            except subprocess.TimeoutExpired as error:
                raise GitTimedOut(arguments, self.timeout_s) from error
        if process.returncode != 0:
            raise GitFailed(arguments, process.returncode, _decoded(stderr))
        return stdout

    def stream(self, arguments: Sequence[str]) -> Generator[bytes, None, None]:
        """Give NUL-terminated items of a git command's stdout one by one; closing the generator stops git.

        Raises:
            GitFailed: It ended with another code than 0.
            GitTimedOut: It did not end.
            SourceError: There is no git, or it cannot be run.
        """
        late = threading.Event()
        with tempfile.TemporaryFile() as stderr:
            with self._process(arguments, stdin=subprocess.DEVNULL, stderr=stderr) as process:
                timer = threading.Timer(self.timeout_s, _stop_late, [process, late])
                timer.start()
                try:
                    yield from _items(process)
                    process.wait()
                finally:
                    timer.cancel()
            if late.is_set():
                raise GitTimedOut(arguments, self.timeout_s)
            if process.returncode != 0:
                stderr.seek(0)
                raise GitFailed(arguments, process.returncode, _decoded(stderr.read()))

    def text(self, arguments: Sequence[str], *, stdin: bytes = b"") -> str:
        """Run a git command and give its stdout as text without the last line break."""
        return self.run(arguments, stdin=stdin).decode("utf-8", "backslashreplace").removesuffix("\n")

    def items(self, arguments: Sequence[str]) -> list[bytes]:
        """Run a git command whose stdout is NUL-terminated items."""
        return self.run(arguments).split(b"\0")[:-1]

    def _environment(self) -> dict[str, str]:
        passed = {name: self.environ[name] for name in PASSED_ON if name in self.environ}
        ours = {} if self.user_config else {"GIT_CONFIG_GLOBAL": os.devnull}
        return {
            "PATH": os.defpath,
            **passed,
            **ours,
            "LC_ALL": "C",  # its messages are looked at
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_TERMINAL_PROMPT": "0",
            **self.variables,
        }

    @contextmanager
    def _process(
        self, arguments: Sequence[str], *, stdin: int, stderr: int | IO[bytes]
    ) -> Generator["subprocess.Popen[bytes]", None, None]:
        """Start git; whatever ends the block, nothing of it goes on running after it."""
        settings = [word for setting in self.settings for word in ("-c", setting)]
        command = ["git", *SAFE, "-c", f"safe.directory={self.directory}", *settings, *arguments]
        try:
            process = subprocess.Popen(  # noqa: S603  # argv, no shell; user text only after --end-of-options
                command,
                cwd=self.directory,
                env=self._environment(),
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,  # its children, which hold the connection, are stopped with it
            )
        except FileNotFoundError as error:
            if not self.directory.is_dir():
                raise SourceError(f"{shown(str(self.directory))} is not a directory") from error
            hint = "install git (apt-get install git), or put it on the PATH"
            raise SourceError("git is not installed, and both refs are read with it", hint=hint) from error
        except (OSError, ValueError) as error:  # ValueError: a NUL byte in an argument
            raise SourceError(f"git {arguments[0]} could not be run: {error}") from error
        with process:
            try:
                yield process
            finally:
                _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.returncode is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
            # A child may outlive git for a moment; the group is ended whole.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            return


def _stop_late(process: "subprocess.Popen[bytes]", late: threading.Event) -> None:
    late.set()
    process.kill()


def _items(process: "subprocess.Popen[bytes]") -> Generator[bytes, None, None]:
    rest = b""
    while process.stdout is not None and (chunk := os.read(process.stdout.fileno(), CHUNK)):
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "backslashreplace")


class GitTimedOut(SourceError):
    """A git command that did not end in its time.

    Args:
        arguments: The command.
        seconds: The time it had.
    """

    exit_code = ExitCode.INFRASTRUCTURE

    def __init__(self, arguments: Sequence[str], seconds: float) -> None:
        """Name the command, without its arguments."""
        super().__init__(f"git {arguments[0]} did not end within {seconds:g} s")


class GitFailed(Exception):
    """A git command that ended with another code than 0; its caller knows what that means to the user.

    Args:
        arguments: The command.
        code: Its exit code.
        stderr: What it said.
    """

    def __init__(self, arguments: Sequence[str], code: int, stderr: str) -> None:
        """Store the three; see the class."""
        super().__init__(f"git {arguments[0]} ended with code {code}: {stderr}")
        self.code = code
        self.stderr = stderr

    def as_error(self, what: str) -> SourceError:
        """Make an error for a failure that nobody foresaw: what was wanted, and git's own last words."""
        last = self.stderr.strip().splitlines()[-3:]
        return SourceError(f"{what}: git said: {shown(' | '.join(last))}")


def shown(text: str, limit: int = 300) -> str:
    """Make a name of the user's or of a pull request safe to stand in a message: one line, no control characters."""
    safe = "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)
    return safe if len(safe) <= limit else safe[: limit - 3] + "..."
