"""Hands on what comes in at a socket to another one, a thread a connection, until it is told to end."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

CHUNK = 65_536

Change = Callable[[bytes], bytes]
"""What is handed on of what was received."""


def as_it_is(data: bytes) -> bytes:
    """Change nothing."""
    return data


@contextmanager
def forwarded(
    listener: socket.socket, connect: Callable[[], socket.socket], *, asked: Change = as_it_is
) -> Iterator[None]:
    """Serve connections for as long as the block lasts; those that are open then are heard to their end.

    Args:
        listener: Where they come in.
        connect: Makes a connection to where they lead.
        asked: Changes what comes in, piece by piece as it is received.
    """
    serving = threading.Thread(target=_serve, args=(listener, connect, asked), daemon=True)
    serving.start()
    yield
    # A thread that waits in accept() is not woken by a close.
    listener.shutdown(socket.SHUT_RDWR)
    serving.join(10)


def _serve(listener: socket.socket, connect: Callable[[], socket.socket], asked: Change) -> None:
    talks: list[threading.Thread] = []
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            break
        talks.append(threading.Thread(target=_talk, args=(client, connect, asked), daemon=True))
        talks[-1].start()
    for talk in talks:
        talk.join(10)


def _talk(client: socket.socket, connect: Callable[[], socket.socket], asked: Change) -> None:
    with client, connect() as server:
        answering = threading.Thread(target=_pump, args=(server, client, as_it_is), daemon=True)
        answering.start()
        _pump(client, server, asked)
        answering.join()


def _pump(source: socket.socket, target: socket.socket, change: Change) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            target.sendall(change(data))
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
