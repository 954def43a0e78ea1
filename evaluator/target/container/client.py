"""Docker's own command-line client, where there is one: it can do two things that the engine's API alone cannot.

It builds as its user would (BuildKit with all that a Dockerfile may ask of it), and it pulls with the passwords that
the user has logged in with. It gets an empty configuration but for that pull: the user's holds those passwords, and
proxies that the client would hand to every build.
"""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from evaluator.worker import printable

_CLIENT_NAMES = (
    "PATH", "HOME", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "DOCKER_API_VERSION", "DOCKER_BUILDKIT", "DOCKER_CERT_PATH",
    "DOCKER_HOST", "DOCKER_TLS", "DOCKER_TLS_VERIFY",
)  # fmt: skip
_USERS_NAMES = ("DOCKER_CONFIG", "DOCKER_CONTEXT")
_KEPT_BYTES = 64_000
_ANSWER_S = 60.0


class DockerFailed(Exception):
    """The engine or the client refused; the message is one line, escaped."""


@dataclass(frozen=True, slots=True)
class DockerProgram:
    """The client; made by `find_program`."""

    path: str
    env: Mapping[str, str]
    """Its environment, without the user's configuration."""
    users_env: Mapping[str, str]
    """The same with it."""
    folder: Path
    """Where it runs: an empty folder of our own."""
    host: str | None
    """The engine's address as the user's configuration has it; None if it says nothing."""

    async def run(self, *words: str, timeout_s: float, as_user: bool = False) -> None:
        """Run one command of the client.

        Args:
            words: The command.
            timeout_s: How long it may take; then it is ended.
            as_user: With the user's configuration.

        Raises:
            DockerFailed: It ended with an error, or not in time.
        """
        env = self.users_env if as_user else self.env
        code, out, err = await _run([self.path, *words], env, self.folder, timeout_s)
        if code is None:
            raise DockerFailed(f"`docker {words[0]}` did not end within {timeout_s:g} s: {_end_of(out, err)}")
        if code != 0:
            raise DockerFailed(_end_of(out, err) or f"`docker {words[0]}` ended with code {code}")


async def find_program(environ: Mapping[str, str], folder: Path) -> DockerProgram | None:
    """Find the client; None where there is none.

    Args:
        environ: Our environment.
        folder: A private folder, made if it is not there; for nothing but an empty configuration.
    """
    path = shutil.which("docker", path=environ.get("PATH", os.defpath))
    if path is None:
        return None
    config = folder / "config"
    config.mkdir(mode=0o700, parents=True, exist_ok=True)
    env = {name: environ[name] for name in _CLIENT_NAMES if name in environ}
    users_env = env | {name: environ[name] for name in _USERS_NAMES if name in environ}
    program = DockerProgram(path, {**env, "DOCKER_CONFIG": str(config)}, users_env, folder, env.get("DOCKER_HOST"))
    if program.host is not None:
        return program
    # A context is the user's configuration too: only its address is taken.
    words = [path, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    code, out, _ = await _run(words, users_env, folder, _ANSWER_S)
    host = out.decode("utf-8", "replace").strip()
    if code != 0 or not host:
        return program
    return replace(
        program, host=host, env={**program.env, "DOCKER_HOST": host}, users_env={**users_env, "DOCKER_HOST": host}
    )


async def _run(
    argv: list[str], env: Mapping[str, str], folder: Path, timeout_s: float
) -> tuple[int | None, bytes, bytes]:
    """Run the client; gives exit code (None: ended by us) and the ends of stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        *argv, cwd=folder, env=env, start_new_session=True,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    if process.stdout is None or process.stderr is None:
        raise RuntimeError("a process without the pipes that were asked for")
    reading = asyncio.gather(_tail(process.stdout), _tail(process.stderr))
    late = False
    try:
        done, _ = await asyncio.wait({reading}, timeout=timeout_s)
        late = not done
    finally:
        if process.returncode is None and not reading.done():
            with contextlib.suppress(ProcessLookupError):  # its plug-ins too, which build
                os.killpg(process.pid, signal.SIGKILL)
        code = await asyncio.shield(process.wait())
        out, err = await asyncio.shield(reading)
    return (None if late else code), out, err


async def _tail(stream: asyncio.StreamReader) -> bytes:
    kept = b""
    while data := await stream.read(65_536):
        kept = (kept + data)[-_KEPT_BYTES:]
    return kept


def _end_of(out: bytes, err: bytes) -> str:
    """What a client that failed said last; the steps of a build are on stdout or stderr, by the builder."""
    said = b"\n".join(part[-4_000:] for part in (out, err) if part.strip())
    return printable(said.decode("utf-8", "backslashreplace"), 1_500)
