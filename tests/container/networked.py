"""A door before the engine that lets act's builds reach the network: act has no option for it, and there is no bridge here."""

import contextlib
import re
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BUILD = re.compile(rb"POST (/v[\d.]+)?/build\?")
CHUNK = 65_536


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
        serving = threading.Thread(target=_serve, args=(listener, host.removeprefix("unix://")), daemon=True)
        serving.start()
        yield f"unix://{path}"
        # A thread that waits in accept() is not woken by a close.
        listener.shutdown(socket.SHUT_RDWR)
        serving.join(10)


def _serve(listener: socket.socket, engine: str) -> None:
    talks: list[threading.Thread] = []
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            break
        talks.append(threading.Thread(target=_talk, args=(client, engine), daemon=True))
        talks[-1].start()
    for talk in talks:
        talk.join(10)


def _talk(client: socket.socket, engine: str) -> None:
    with client, socket.socket(socket.AF_UNIX) as server:
        server.connect(engine)
        answering = threading.Thread(target=_pump, args=(server, client), daemon=True)
        answering.start()
        _pump(client, server, asks=True)
        answering.join()


def _pump(source: socket.socket, target: socket.socket, *, asks: bool = False) -> None:
    """Hand bytes on until the end; a request's first line comes at the start of what is received."""
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            if asks and (match := BUILD.match(data)):
                data = match[0] + b"networkmode=host&" + data[match.end() :]
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
