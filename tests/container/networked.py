"""A door before the engine that lets act's builds reach the network: act has no option for it, and there is no bridge here."""

import re
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.container.forwarding import forwarded

BUILD = re.compile(rb"POST (/v[\d.]+)?/build\?")


@contextmanager
def networked(host: str) -> Iterator[str]:
    """Serve an engine at another address, where every build is given the host's network.

    Args:
        host: Address of the engine; a Unix socket.

    Yields:
        The other address.
    """
    assert host.startswith("unix://"), f"an engine at a Unix socket is needed, not {host}"
    with tempfile.TemporaryDirectory(prefix="gate-door-") as folder, socket.socket(socket.AF_UNIX) as listener:
        path = str(Path(folder) / "docker.sock")
        listener.bind(path)
        listener.listen(64)
        with forwarded(listener, lambda: _connected(host.removeprefix("unix://")), asked=_on_the_host):
            yield f"unix://{path}"


def _connected(engine: str) -> socket.socket:
    server = socket.socket(socket.AF_UNIX)
    server.connect(engine)
    return server


def _on_the_host(data: bytes) -> bytes:
    """A request's first line comes at the start of what is received."""
    match = BUILD.match(data)
    return data if match is None else match[0] + b"networkmode=host&" + data[match.end() :]
