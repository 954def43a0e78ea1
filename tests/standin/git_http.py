"""A git server: real `git http-backend` behind HTTP with token authentication, LFS, and faults on demand.

Repositories are bare and lie at ROOT/owner/name.git. As a process of its own:

    python -m tests.standin.git_http --root DIR --port P --token T [--public owner/name] [--log FILE]
"""

import argparse
import base64
import json
import os
import re
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

LFS_TYPE = "application/vnd.git-lfs+json"
REPOSITORY = re.compile(r"/([\w.-]+/[\w.-]+?)(?:\.git)?/(info/refs|git-upload-pack|info/lfs/objects/.*)")


@dataclass
class Fault:
    """What the server does instead of answering."""

    kind: Literal["status", "redirect", "drop", "hang", "cut", "html"]
    """`cut` breaks the answer off after `bytes`; `drop` closes the connection without one."""
    times: int = 1
    """How often; -1 for ever."""
    path: str = ""
    """A regular expression that the path must match."""
    status: int = 503
    location: str = ""
    """Of a redirect; the path and query of the request are added."""
    seconds: float = 60.0
    """Of a hang."""
    bytes: int = 200


@dataclass(frozen=True)
class Seen:
    """A request."""

    host: str
    method: str
    path: str
    authorization: str
    protocol: str
    """The Git-Protocol header."""


@dataclass
class GitServer:
    """A running server: what it holds, how it behaves, what it saw."""

    root: Path
    tokens: set[str] = field(default_factory=set)
    """With one of them everything may be read; without any token set, everything is public."""
    public: set[str] = field(default_factory=set)
    """`owner/name` that are read without a token."""
    hidden: set[str] = field(default_factory=set)
    """`owner/name` that no token may read: 404, as GitHub answers."""
    faults: list[Fault] = field(default_factory=list)
    newest_protocol: bool = True
    """False: an old server, that speaks version 0 and gives no commit by SHA."""
    lfs_storage: str = ""
    """Where LFS content is said to lie; this server itself if empty."""
    log: Path | None = None
    """Requests are written here too, one JSON object a line."""
    seen: list[Seen] = field(default_factory=list)
    url: str = ""
    released: threading.Event = field(default_factory=threading.Event)
    """Set at the end: hanging requests give up."""

    def repository(self, name: str) -> Path:
        """Where `owner/name` lies."""
        return self.root / f"{name}.git"

    def create(self, name: str, source: Path) -> Path:
        """Publish a repository's branches and tags as `owner/name`."""
        path = self.repository(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        _git(self.root, "clone", "--quiet", "--bare", "--no-hardlinks", str(source), str(path))
        return path

    def push(self, name: str, source: Path, *refspecs: str) -> None:
        """Take refs from a local repository, as a push (`+` forces) or as GitHub's own refs/pull/N/head and merge."""
        _git(self.repository(name), "fetch", "--quiet", "--update-head-ok", str(source), *refspecs)

    def prune(self, name: str) -> None:
        """Forget what no ref leads to."""
        _git(self.repository(name), "reflog", "expire", "--expire=now", "--all")
        _git(self.repository(name), "gc", "--quiet", "--prune=now")

    def add_lfs(self, oid: str, content: bytes) -> None:
        """Hold content for LFS."""
        (self.root / "lfs").mkdir(exist_ok=True)
        (self.root / "lfs" / oid).write_bytes(content)

    def take_fault(self, path: str) -> Fault | None:
        """Give the first fault that applies, and count it."""
        for fault in self.faults:
            if fault.times != 0 and re.search(fault.path, path):
                fault.times -= 1
                return fault
        return None

    def may_read(self, name: str, authorization: str) -> bool:
        """Tell whether a request with this header may read `owner/name`."""
        accepted = {"Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode() for token in self.tokens}
        return not self.tokens or authorization in accepted or (name in self.public and not authorization)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    git_server: GitServer

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Be quiet."""

    def _answer(self) -> None:
        server = self.git_server
        self._cut: int | None = None
        authorization = self.headers.get("Authorization", "")
        seen = Seen(
            self.headers.get("Host", ""),
            self.command,
            self.path,
            authorization,
            self.headers.get("Git-Protocol", ""),
        )
        server.seen.append(seen)
        if server.log is not None:
            with server.log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(asdict(seen)) + "\n")
        body = self._body()
        fault = server.take_fault(self.path)
        if fault is not None and fault.kind == "cut":
            self._cut = fault.bytes
        elif fault is not None and not self._misbehave(fault):
            return
        match = REPOSITORY.fullmatch(urlsplit(self.path).path)
        if match is None:
            self._send(404, b"Not Found")
        elif not server.may_read(match[1], authorization):
            self._send(401, b"Invalid username or token.", {"WWW-Authenticate": 'Basic realm="GitHub"'})
        elif match[1] in server.hidden or not server.repository(match[1]).is_dir():
            self._send(404, b"Repository not found.")
        elif match[2].startswith("info/lfs/"):
            self._lfs(match[1], match[2], body)
        else:
            self._backend(match[1], match[2], body)

    def _misbehave(self, fault: Fault) -> bool:
        """Do what the fault says; True if the request is to be answered all the same."""
        if fault.kind == "status":
            self._send(fault.status, b"fault on demand\n")
        elif fault.kind == "redirect":
            self._send(fault.status, b"", {"Location": fault.location + self.path})
        elif fault.kind == "html":
            self._send(200, b"<html>Sign in</html>", {"Content-Type": "text/html"})
        elif fault.kind == "drop":
            self.close_connection = True
            self.connection.close()
        elif self.git_server.released.wait(fault.seconds):
            self.close_connection = True
        else:
            return True
        return False

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _backend(self, name: str, service: str, body: bytes) -> None:
        server = self.git_server
        environ = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            # The server's repositories are its own, whoever made their folders.
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "PATH_INFO": f"/{name}.git/{service}",
            "QUERY_STRING": urlsplit(self.path).query,
            "REQUEST_METHOD": self.command,
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        if server.newest_protocol:
            environ["GIT_PROTOCOL"] = self.headers.get("Git-Protocol", "")
        done = subprocess.run(["git", "http-backend"], input=body, env=environ, capture_output=True, check=False)
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        status = int(headers.pop("Status", "200").split()[0])
        self._send(status, content, headers)

    def _lfs(self, name: str, service: str, body: bytes) -> None:
        server = self.git_server
        content = server.root / "lfs"
        if service == "info/lfs/objects/batch":
            asked = json.loads(body)["objects"]
            answers = [self._lfs_object(name, item, content / item["oid"]) for item in asked]
            document = json.dumps({"transfer": "basic", "objects": answers, "hash_algo": "sha256"})
            self._send(200, document.encode(), {"Content-Type": LFS_TYPE})
        elif (held := content / Path(service).name).is_file():
            self._send(200, held.read_bytes(), {"Content-Type": "application/octet-stream"})
        else:
            self._send(404, b"{}", {"Content-Type": LFS_TYPE})

    def _lfs_object(self, name: str, item: dict[str, Any], held: Path) -> dict[str, Any]:
        if not held.is_file():
            return {**item, "error": {"code": 404, "message": "Object does not exist"}}
        storage = self.git_server.lfs_storage or self.git_server.url
        href = f"{storage}/{name}.git/info/lfs/objects/{item['oid']}"
        return {**item, "actions": {"download": {"href": href, "expires_in": 600}}}

    def _send(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {"Content-Type": "text/plain", **(headers or {})}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: self._cut])
        if self._cut is not None:
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up is no news."""


def _git(directory: Path, *arguments: str) -> None:
    environ = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(["git", *arguments], cwd=directory, env=environ, check=True, capture_output=True)


@contextmanager
def git_http(
    root: Path,
    *,
    tokens: Sequence[str] = (),
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> Iterator[GitServer]:
    """Run a server for as long as the block lasts; over HTTPS if there is a certificate."""
    root.mkdir(parents=True, exist_ok=True)
    server = GitServer(root.resolve(), set(tokens))
    listener = _Server((host, port), type("Handler", (_Handler,), {"git_server": server}))
    if tls is not None:
        listener.socket = tls.wrap_socket(listener.socket, server_side=True, do_handshake_on_connect=False)
    server.url = f"{'http' if tls is None else 'https'}://{host}:{listener.server_address[1]}"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        listener.shutdown()
        listener.server_close()
        thread.join(10)


def main() -> None:
    """Serve until killed; the first line of stdout is the URL."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", action="append", default=[])
    parser.add_argument("--public", action="append", default=[], help="owner/name that is read without a token")
    parser.add_argument("--log", type=Path)
    given = parser.parse_args()
    with git_http(given.root, tokens=given.token, host=given.host, port=given.port) as server:
        server.public.update(given.public)
        server.log = given.log
        print(server.url, flush=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
