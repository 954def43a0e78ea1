"""The Docker Engine's API over its socket: found, asked, its refusals read. What aiodocker lacks is asked here.

Nothing of the user's configuration is read: it holds registry passwords, and proxies that a client would hand to every
container and build. Only where the engine is may come from it, as Docker's own client would find it.
"""

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import aiodocker
import aiohttp

from evaluator.errors import TargetError
from evaluator.target.container.client import DockerFailed, DockerProgram, find_program
from evaluator.worker import printable

SOCKET = "unix:///var/run/docker.sock"
"""Where it listens unless DOCKER_HOST or the user's context says otherwise, and where GitHub's runner mounts it."""
_ANSWER_S = 60.0
_CHUNK = 1 << 20
_LONGEST_LINE = 4_000_000


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine that answers; made by `open_engine`."""

    api: aiodocker.Docker
    version: int
    """Of Docker, its first number."""
    program: DockerProgram | None
    """Docker's command-line client, where there is one: it builds with BuildKit, and pulls with the user's logins."""

    @contextlib.asynccontextmanager
    async def ask(
        self,
        method: str,
        path: str,
        params: Mapping[str, str],
        *,
        body: IO[bytes] | None = None,
        timeout_s: float | None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask what aiodocker has no function for, or none with what is needed; gives the answer once its head is there.

        Args:
            method: Of the request.
            path: Below the API's version.
            params: In the query.
            body: A tar archive.
            timeout_s: How long all may take; None for any time.

        Raises:
            DockerFailed: The engine refuses, or not in time.
        """
        url = f"{self.api.docker_host}/{self.api.api_version}/{path}"
        headers = {"Content-Type": "application/x-tar"} if body is not None else {}
        data = None if body is None else _chunks(body)
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        with refusals(f"it did not end within {timeout_s} s"):
            async with self.api.session.request(
                method, url, params=params, data=data, headers=headers, timeout=timeout
            ) as response:
                if response.status >= 400:
                    raise DockerFailed(printable(_message(await response.text())))
                yield response

    async def follow(
        self, path: str, params: Mapping[str, str], *, body: IO[bytes] | None = None, timeout_s: float
    ) -> str:
        """Post what takes long, and give the end of what the engine tells of it.

        Raises:
            DockerFailed: It fails, or does not end in time; the engine gives it up then.
        """
        told, rest = "", b""
        async with self.ask("POST", path, params, body=body, timeout_s=timeout_s) as response:
            async for data in response.content.iter_any():
                *lines, rest = (rest + data).split(b"\n")
                if len(rest) > _LONGEST_LINE:
                    raise DockerFailed("the engine's answer has a line that does not end")
                for line in filter(None, lines):
                    step = _object(line)
                    told = (told + str(step.get("stream", "")))[-4_000:]
                    if "error" in step or "errorDetail" in step:
                        raise DockerFailed(printable(f"{told}\n{_failure(step)}", 1_500))
        return told

    async def close(self) -> None:
        """End all connections."""
        await self.api.close()
        if self.api.connector is not None:
            await self.api.connector.close()


@contextlib.contextmanager
def refusals(late: str = "the engine did not answer in time") -> Iterator[None]:
    """Turn all that may come of asking an engine into one error.

    Args:
        late: What is said where the time is over.

    Raises:
        DockerFailed: Something did.
    """
    try:
        yield
    except aiodocker.DockerError as error:
        raise DockerFailed(printable(str(error.message), 1_500)) from None
    except TimeoutError:
        raise DockerFailed(late) from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise DockerFailed(printable(str(error) or type(error).__name__, 1_500)) from None


async def open_engine(environ: Mapping[str, str], folder: Path) -> Engine:
    """Find the engine, and see that it answers.

    Args:
        environ: Our environment.
        folder: A private folder for the command-line client, made if it is not there.

    Raises:
        TargetError: There is none that answers.
    """
    program = await find_program(environ, folder)
    address = environ.get("DOCKER_HOST") or (program.host if program is not None else None) or SOCKET
    engine = None
    try:
        with refusals():
            url, connector = _connector(address, environ)
            # An address of its own, for aiodocker would look into the environment and the user's files for another.
            api = aiodocker.Docker(url, connector=connector, timeout=aiohttp.ClientTimeout(total=_ANSWER_S))
            engine = Engine(api, 0, program)
            first = str((await api.version())["Version"]).partition(".")[0]
    except DockerFailed as failed:
        if engine is not None:
            await engine.close()
        raise TargetError(
            f"target.container: no Docker Engine answers at {printable(address, 200)}: {failed}",
            hint="start it, or set DOCKER_HOST to its address; in a container, its socket must be mounted"
            f" (GitHub's runner does it for an action: {SOCKET.removeprefix('unix://')})",
        ) from None
    return Engine(api, int(first) if first.isdecimal() else 0, program)


def _connector(address: str, environ: Mapping[str, str]) -> tuple[str, aiohttp.BaseConnector]:
    """The base of URLs, and what connects.

    Raises:
        ValueError: The address is of a kind that we do not know.
        OSError: A certificate cannot be read.
    """
    scheme, _, rest = address.partition("://")
    if scheme == "unix":
        return "http://localhost", aiohttp.UnixConnector(rest)
    if scheme not in ("tcp", "http", "https"):
        raise ValueError("its address must begin with unix:// or tcp://")
    if scheme != "https" and not environ.get("DOCKER_TLS_VERIFY"):
        return f"http://{rest}", aiohttp.TCPConnector()
    certificates = Path(environ.get("DOCKER_CERT_PATH") or Path(environ.get("HOME", "/")) / ".docker")
    trust = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    trust.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
    return f"https://{rest}", aiohttp.TCPConnector(ssl=trust)


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    while data := await asyncio.to_thread(file.read, _CHUNK):
        yield data


def _object(line: bytes) -> dict[str, Any]:
    """One line of the engine's answer; one that is none is an error, as it may have hidden one."""
    found = json.loads(line)
    return found if isinstance(found, dict) else {"error": "the engine's answer cannot be read"}


def _message(text: str) -> str:
    """What a refusal says."""
    try:
        found = json.loads(text)
    except ValueError:
        return text[:1_000]
    return str(found.get("message", text)) if isinstance(found, dict) else text[:1_000]


def _failure(step: Mapping[str, Any]) -> str:
    detail = step.get("errorDetail")
    return str((detail.get("message") if isinstance(detail, dict) else None) or step.get("error"))
