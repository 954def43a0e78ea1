"""What an honest app needs works in the cage: the door by name, several languages, its own files, threads, children."""

import http.server
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from evaluator.sandbox import Cage, Limits, confine, launch_environment, prepare
from tests.sandbox.arena import HEAD_UID, bound

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="cages are Linux's")


class Door(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "7")
        self.end_headers()
        self.wfile.write(b"welcome")

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture(scope="module")
def door() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def cage(door: int) -> Iterator[Cage]:
    with tempfile.TemporaryDirectory(prefix="cage-", dir="/tmp") as folder:
        place = Path(folder)
        (place / "root").mkdir()
        uid = HEAD_UID if os.geteuid() == 0 else None
        made = Cage(root=place / "root", home=place / "home", ports=(door,), uid=uid)
        prepare(made)
        yield made


def run(cage: Cage, *argv: str) -> "subprocess.CompletedProcess[str]":
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(cage.home), "TMPDIR": str(cage.home)}
    return subprocess.run(
        confine(argv, cage), cwd=cage.root, env=launch_environment(env), capture_output=True, text=True, timeout=60,
        start_new_session=True, check=False,
    )  # fmt: skip


def said(cage: Cage, *argv: str) -> str:
    done = run(cage, *argv)
    assert done.returncode == 0, done.stderr
    return done.stdout


PYTHON = {
    "the door by name": "import urllib.request; print(urllib.request.urlopen('http://localhost:{port}/').read().decode())",
    "the door by asyncio": "import asyncio\nasync def go():\n    r, w = await asyncio.open_connection('localhost', {port})\n    w.write(b'GET / HTTP/1.0\\r\\n\\r\\n'); print((await r.read())[-7:].decode())\nasyncio.run(go())",
    "temporary files": "import tempfile; f = tempfile.TemporaryFile(); f.write(b'x'); print('welcome')",
    "its checkout": "import os; os.mkdir('d'); open('d/f', 'w').write('welcome'); os.rename('d/f', 'g'); print(open('g').read())",
    "children": "import subprocess; print(subprocess.run('echo welcome', shell=True, capture_output=True, text=True).stdout)",
    "threads": "import threading; t = threading.Thread(target=lambda: print('welcome')); t.start(); t.join()",
    "who it is": "import getpass; print(getpass.getuser() and 'welcome')",
    "random numbers": "import os, secrets; secrets.token_hex(); open('/dev/urandom', 'rb').read(1); print('welcome')",
    "its own /proc": "import os; open('/proc/self/maps').read(); open('/proc/meminfo').read(); os.cpu_count(); print('welcome')",
    "certificates": "import ssl; ssl.create_default_context(); print('welcome')",
    "a pair of sockets": "import socket; a, b = socket.socketpair(); a.send(b'welcome'); print(b.recv(9).decode())",
    "stdout by name": "open('/dev/stdout', 'w').write('welcome')",
}


@pytest.mark.parametrize("program", PYTHON.values(), ids=PYTHON.keys())
def test_python(cage: Cage, door: int, python: str, program: str) -> None:
    assert said(cage, python, "-c", program.replace("{port}", str(door))).strip() == "welcome"


def test_the_shell_and_curl(cage: Cage, door: int) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    for host in ("localhost", "127.0.0.1"):
        assert said(cage, "bash", "-c", f"cat <(curl -sS http://{host}:{door}/)") == "welcome"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_node(cage: Cage, door: int, host: str) -> None:
    if shutil.which("node") is None:
        pytest.skip("no node")
    program = f"fetch('http://{host}:{door}/').then(r => r.text()).then(t => console.log(t))"
    assert said(cage, "node", "-e", program) == "welcome\n"


def test_java(cage: Cage, door: int) -> None:
    if shutil.which("java") is None:
        pytest.skip("no java")
    (cage.root / "App.java").write_text(
        "public class App { public static void main(String[] a) throws Exception { System.out.println(new String("
        f'new java.net.URL("http://localhost:{door}/").openStream().readAllBytes())); }} }}'
    )
    assert said(cage, "java", "App.java") == "welcome\n"


def test_a_server_is_reached_on_the_port_that_it_may_listen_on(cage: Cage, python: str) -> None:
    reserved = bound(__import__("socket").SOCK_STREAM)
    port = reserved.getsockname()[1]
    reserved.close()
    program = f"import socket; s = socket.socket(); s.bind(('127.0.0.1', {port})); s.listen(); s.accept()[0].sendall(b'welcome')"
    env = launch_environment({"PATH": "/usr/bin:/bin"})
    argv = confine([python, "-c", program], replace(cage, listen=(port,)))
    with subprocess.Popen(argv, cwd=cage.root, env=env, start_new_session=True) as server:
        socket = __import__("socket")
        for _ in range(200):
            try:
                with socket.create_connection(("127.0.0.1", port)) as connection:
                    assert connection.recv(10) == b"welcome"
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        assert server.wait(20) == 0


def test_multiprocessing_where_sharing_is_allowed(cage: Cage, python: str) -> None:
    program = "import multiprocessing as m\nwith m.get_context('fork').Pool(2) as p: print(sum(p.map(abs, range(4))))"
    assert said(replace(cage, shared=True), python, "-c", program) == "6\n"
    assert run(cage, python, "-c", program).returncode != 0


def test_the_network_where_it_is_allowed(cage: Cage, python: str) -> None:
    program = "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); socket.socket(type=socket.SOCK_DGRAM); print(1)"
    assert said(replace(cage, network=True), python, "-c", program) == "1\n"


def test_a_program_ends_as_it_would_outside(cage: Cage) -> None:
    assert run(cage, "sh", "-c", "exit 7").returncode == 7
    assert run(cage, "sh", "-c", "kill -11 $$").returncode == -11
    assert run(cage, "sh", "-c", "kill -9 $$").returncode == -9
    missing = run(cage, "no-such-program")
    assert missing.returncode == 126
    assert "cannot start 'no-such-program' in the sandbox" in missing.stderr
    assert "sandbox: {read: [...]}" not in missing.stderr


def test_a_program_that_is_closed_is_told_with_how_it_is_opened(cage: Cage, tmp_path: Path) -> None:
    program = tmp_path / "tool"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    closed = run(cage, str(program))
    assert closed.returncode == 126
    assert closed.stderr.strip().endswith(
        "Permission denied; base's config opens what is outside of the checkout: `sandbox: {read: [...]}`"
    )


def test_a_cage_that_cannot_be_entered_starts_nothing(cage: Cage) -> None:
    done = run(replace(cage, limits=Limits(open_files=-5)), "echo", "started")
    assert done.returncode == 125
    assert done.stdout == ""
    assert "sandbox: cannot be set up" in done.stderr


def test_a_start_takes_milliseconds(cage: Cage) -> None:
    def seconds() -> float:
        started = time.perf_counter()
        run(cage, "/bin/true")
        return time.perf_counter() - started

    assert min(seconds() for _ in range(10)) < 0.25  # 0.03 on an idle machine
