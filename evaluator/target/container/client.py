"""Docker's own command-line client, with a configuration that is empty: found, asked, its answers and refusals read.

The user's configuration holds registry passwords, and proxies that the client would hand to every container and build;
it is used for pulling a named image only.
"""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from evaluator.errors import TargetError
from evaluator.worker import printable

_CLIENT_NAMES = (
    "PATH", "HOME", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "DOCKER_API_VERSION", "DOCKER_BUILDKIT", "DOCKER_CERT_PATH",
    "DOCKER_HOST", "DOCKER_TLS", "DOCKER_TLS_VERIFY",
)  # fmt: skip
_USERS_NAMES = ("DOCKER_CONFIG", "DOCKER_CONTEXT")
_KEPT_BYTES = 64_000
_ANSWER_S = 60.0


class DockerFailed(Exception):
    """The client ended with an error; the message is one line, escaped."""


@dataclass(frozen=True, slots=True)
class Docker:
    """The client and the engine that it talks to."""

    program: str
    env: Mapping[str, str]
    """The client's environment, without the user's configuration."""
    users_env: Mapping[str, str]
    """The same with it."""
    folder: Path
    """Where it runs: an empty folder of our own."""
    version: int = 0
    """The engine's, its first number."""

    async def ask(
        self, *words: str, more: Mapping[str, str] | None = None, timeout_s: float = _ANSWER_S, as_user: bool = False
    ) -> str:
        """Run one command of the client and give the end of its stdout, stripped.

        Args:
            words: The command.
            more: Variables for containers to take over.
            timeout_s: How long it may take; then it is ended.
            as_user: With the user's configuration.

        Raises:
            DockerFailed: It ended with an error, or not in time.
        """
        env = {**(self.users_env if as_user else self.env), **(more or {})}
        code, out, err = await _run([self.program, *words], env, self.folder, timeout_s)
        if code is None:
            raise DockerFailed(f"`docker {words[0]}` did not end within {timeout_s:g} s: {_end_of(out, err)}")
        if code != 0:
            raise DockerFailed(_end_of(out, err) or f"`docker {words[0]}` ended with code {code}")
        return out.decode("utf-8", "replace").strip()

    async def last_words(self, container: str) -> str:
        """The end of what a container wrote to stderr, as a message's end."""
        _, _, err = await _run([self.program, "logs", "--tail", "20", container], self.env, self.folder, _ANSWER_S)
        said = printable(err.decode("utf-8", "backslashreplace"))
        return f"; its stderr ends: {said}" if said else "; it said nothing on stderr"


async def find_docker(environ: Mapping[str, str], folder: Path) -> Docker:
    """Find the client, and see that its engine answers.

    Args:
        environ: Our environment.
        folder: A private folder, made if it is not there; for nothing but an empty configuration.

    Raises:
        TargetError: There is no client, or no engine that answers.
    """
    program = shutil.which("docker", path=environ.get("PATH", os.defpath))
    if program is None:
        raise TargetError(
            "target.container: the Docker client, `docker`, is not on the path",
            hint="install it (Debian: docker-cli or docker.io). The gate's own image has none: on GitHub, run"
            " `llm-eval-gate action` on the runner itself, which has one",
        )
    config = folder / "config"
    config.mkdir(mode=0o700, parents=True, exist_ok=True)
    env = {name: environ[name] for name in _CLIENT_NAMES if name in environ}
    users_env = env | {name: environ[name] for name in _USERS_NAMES if name in environ}
    if "DOCKER_HOST" not in env:  # a context is the user's configuration too: only its address is taken
        words = [program, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
        code, out, _ = await _run(words, users_env, folder, _ANSWER_S)
        host = out.decode("utf-8", "replace").strip()
        if code == 0 and host:
            env["DOCKER_HOST"] = host
    docker = Docker(program, {**env, "DOCKER_CONFIG": str(config)}, {**users_env, **env}, folder)
    try:
        version = await docker.ask("version", "--format", "{{.Server.Version}}")
    except DockerFailed as failed:
        raise TargetError(
            f"target.container: no Docker Engine answers: {failed}",
            hint="start it, or set DOCKER_HOST to its address; in a container, its socket must be mounted"
            " (GitHub's runner does it for an action: /var/run/docker.sock)",
        ) from None
    first = version.partition(".")[0]
    return replace(docker, version=int(first) if first.isdecimal() else 0)


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
