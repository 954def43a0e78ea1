"""Serves a stand-in over HTTP on 127.0.0.1, a thread for every connection."""

import contextlib
import json
import secrets
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.standin.github.standin import Dropped, GitHub


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, github: GitHub, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.github = github
        self.open: set[socket.socket] = set()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A failure of the stand-in itself must fail the test."""
        import traceback

        self.github.violations.append(f"the stand-in failed: {traceback.format_exc()}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "github.com"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1  # The answer leaves in one piece.
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.open.add(self.connection)

    def finish(self) -> None:
        with contextlib.suppress(OSError):
            super().finish()
        self.server.open.discard(self.connection)

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.github.handle(self.command, self.path, headers, raw)
        if isinstance(answer, Dropped):
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        is_json = answer.kind == "application/json"
        body = b"" if answer.body is None else (json.dumps(answer.body) if is_json else str(answer.body)).encode()
        with contextlib.suppress(ConnectionError):  # A client that gave up waiting.
            self.send_response(answer.status)
            if answer.status != 204:
                self.send_header("Content-Type", f"{answer.kind}; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("X-GitHub-Media-Type", "github.v3; format=json")
            self.send_header("X-GitHub-Request-Id", secrets.token_hex(8).upper())
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _answer

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: `GitHub.requests` is the log."""


@contextlib.contextmanager
def running_github(github: GitHub | None = None, *, port: int = 0, prefix: str = "") -> Iterator[GitHub]:
    """Serve a stand-in for as long as the block lasts; `prefix="/api/v3"` makes it a GitHub Enterprise."""
    github = github or GitHub()
    github.prefix = prefix or github.prefix
    server = _Server(github, port)
    root = f"http://127.0.0.1:{server.server_address[1]}"
    github.url = root + github.prefix
    if github.prefix:
        github.web_url = root
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield github
    finally:
        server.shutdown()
        thread.join(10)
        for connection in list(server.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        server.server_close()
