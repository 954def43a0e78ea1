"""Runs git so that it reads and nothing else: no configuration of the user's, no hooks, no prompts, no network.

What git is asked for is in the files beside this one.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluator.errors import SourceError

TIMEOUT_S = 600.0
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

    def run(self, arguments: Sequence[str], *, stdin: bytes = b"") -> bytes:
        """Run a git command and give its stdout.

        Raises:
            GitFailed: It ended with another code than 0.
            SourceError: There is no git, or it did not end.
        """
        command = ["git", *SAFE, "-c", f"safe.directory={self.directory}", *arguments]
        try:
            done = subprocess.run(  # noqa: S603  # argv, no shell; user text only after --end-of-options
                command,
                cwd=self.directory,
                env=self._environment(),
                input=stdin,
                capture_output=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except FileNotFoundError as error:
            if not self.directory.is_dir():
                raise SourceError(f"{shown(str(self.directory))} is not a directory") from error
            hint = "install git (apt-get install git), or put it on the PATH"
            raise SourceError("git is not installed, and both refs are read with it", hint=hint) from error
        except subprocess.TimeoutExpired as error:
            raise SourceError(f"git {arguments[0]} did not end within {TIMEOUT_S:g} s") from error
        except (OSError, ValueError) as error:  # ValueError: a NUL byte in an argument
            raise SourceError(f"git {arguments[0]} could not be run: {error}") from error
        if done.returncode != 0:
            raise GitFailed(arguments, done.returncode, done.stderr.decode("utf-8", "backslashreplace"))
        return done.stdout

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
        }


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
