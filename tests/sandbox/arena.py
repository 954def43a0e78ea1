"""The place where attacks are tried: a gate with secrets, base's worker beside it, things to reach, and a world outside."""

import contextlib
import json
import os
import secrets
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
OF_A_CONTAINER = (
    "chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap", "net_bind_service", "net_raw",
    "sys_chroot", "mknod", "audit_write", "setfcap",
)  # fmt: skip
"""What root may do in a container that was started as a runner starts it; `ptrace` of other users is not in it."""
BASE_UID, HEAD_UID, ORDINARY_UID = 61_001, 61_002, 12_345
PRELUDE = """
import ctypes, errno, json, os, resource, signal, socket, struct, subprocess, sys, time
A = json.loads(os.environ["ARENA"])
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
def won(*_):
    print("WON", A["nonce"][::-1], flush=True)
def call(number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
def show(path):
    print(open(path, "rb").read(100_000), flush=True)
def tcp(host, port, family=socket.AF_INET, protocol=0):
    connection = socket.socket(family, socket.SOCK_STREAM, protocol)
    connection.settimeout(3)
    connection.connect((host, port))
    connection.sendall(A["nonce"].encode())
    return connection
print("TRIED", flush=True)
"""


@dataclass(frozen=True, slots=True)
class Attack:
    """Something that head's code tries."""

    name: str
    program: str
    """Python, after `PRELUDE`; it prints what it has stolen, or calls `won()`."""
    off: tuple[str, ...]
    """The defences without which it succeeds where the gate is root."""
    user: tuple[str, ...] | None = None
    """The same where the gate is an ordinary user; None where that user can do it in no case."""
    proof: "Callable[[Arena, dict[str, Any]], bool] | None" = None
    """Looks at the world for success; besides stolen secrets and `won()`, which always count."""
    needs: tuple[str, ...] = ()
    limits: dict[str, int] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    seconds: float = 20.0
    end: bool = True
    """Wait for its end before it is stopped."""


class Arena:
    """A running gate and all that surrounds it."""

    def __init__(self, place: Path, gate: "subprocess.Popen[str]", facts: dict[str, Any], heard: list[bytes]) -> None:
        self.place, self.gate, self.facts, self.heard = place, gate, facts, heard
        self.secrets: list[str] = facts.pop("secrets")
        self.has: set[str] = facts.pop("has")
        self.owner: int = facts.pop("owner")

    def run(self, attack: Attack, off: tuple[str, ...]) -> tuple[bool, dict[str, Any]]:
        """Let the attack happen; tell whether it succeeded."""
        self.heard.clear()
        nonce = secrets.token_hex(8)
        request = {
            "program": PRELUDE + attack.program + f"\n# {nonce}", "off": off, "limits": attack.limits, "mark": nonce,
            "arena": {**self.facts, "nonce": nonce}, "seconds": attack.seconds, "end": attack.end,
            "env": {name: value.format(**self.facts) for name, value in attack.env.items()},
        }  # fmt: skip
        assert self.gate.stdin is not None
        assert self.gate.stdout is not None
        self.gate.stdin.write(json.dumps(request) + "\n")
        self.gate.stdin.flush()
        if not select.select([self.gate.stdout], [], [], PATIENCE_S)[0]:
            self.gate.kill()
            raise AssertionError(f"the gate did not survive {attack.name!r}")
        answer: dict[str, Any] = json.loads(self.gate.stdout.readline())
        stolen = [secret for secret in self.secrets if secret in answer["out"]]
        heard = [word for word in self.heard if nonce.encode() in word]
        told = nonce[::-1] in answer["out"]
        proved = attack.proof is not None and attack.proof(self, answer)
        return bool(stolen or heard or told or proved), answer


def python_for_others() -> str | None:
    """A Python that any user can start; None if there is none."""
    for name in (os.path.realpath(sys.executable), "/usr/local/bin/python3", "/usr/bin/python3"):
        path = Path(name)
        if path.exists() and all(above.stat().st_mode & 0o001 for above in path.resolve().parents):
            asked = subprocess.run(
                [name, "-I", "-c", "import ctypes, sys; print(sys.version_info >= (3, 11))"],
                capture_output=True,
                text=True,
                check=False,
            )
            if asked.stdout == "True\n":
                return name
    return None


def listen(heard: list[bytes], connection: socket.socket) -> int:
    """Write down whatever arrives at a socket, in a thread, for as long as the tests run."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                if connection.type == socket.SOCK_DGRAM:
                    heard.append(connection.recv(65_536))
                    continue
                accepted, _ = connection.accept()
                accepted.settimeout(2)
                with contextlib.suppress(OSError), accepted:
                    heard.append(accepted.recv(65_536))

    threading.Thread(target=serve, daemon=True).start()
    return int(connection.getsockname()[1]) if connection.family == socket.AF_INET else 0


def bound(kind: int, family: int = socket.AF_INET, where: Any = ("127.0.0.1", 0)) -> socket.socket:
    made = socket.socket(family, kind)
    made.bind(where)
    if kind == socket.SOCK_STREAM:
        made.listen(50)
    return made


@contextlib.contextmanager
def arena(*, root: bool, contained: bool = False, outside: "Outside | None", python: str) -> Iterator[Arena]:
    """Build it, start the gate, take it down."""
    place = Path(tempfile.mkdtemp(prefix="arena-", dir="/tmp"))
    place.chmod(0o755)
    owner = 0 if root else ORDINARY_UID
    hidden = [secrets.token_hex(16) for _ in range(3)]
    heard: list[bytes] = [] if outside is None else outside.heard
    try:
        _furnish(place, hidden)
        shutil.copytree(
            ROOT / "evaluator", place / "code" / "evaluator", ignore=shutil.ignore_patterns("__pycache__", "*.json")
        )
        for path in place.rglob("*") if owner else []:
            os.chown(path, owner, owner, follow_symlinks=False)
        for name in ("cat", "root-only"):  # stays root's
            os.chown(place / "usr" / name, 0, 0)
        (place / "usr" / "cat").chmod(0o4755)
        abstract = f"\0arena-{secrets.token_hex(8)}"
        stream, datagram = (
            bound(socket.SOCK_STREAM, socket.AF_UNIX, str(place / "run" / "docker.sock")),
            bound(socket.SOCK_DGRAM, socket.AF_UNIX, str(place / "run" / "log")),
        )
        for name in ("docker.sock", "log"):
            (place / "run" / name).chmod(0o666)
        door = outside.door if outside else listen(heard, bound(socket.SOCK_STREAM))
        facts: dict[str, Any] = {
            "place": str(place), "door": door, "other": listen(heard, bound(socket.SOCK_STREAM)),
            "udp": listen(heard, bound(socket.SOCK_DGRAM)), "abstract": abstract,
            "outside": outside.address if outside else "", "secrets": hidden, "owner": owner,
            "has": {"outside"} if outside else set(),
        }  # fmt: skip
        for quiet in (stream, datagram, bound(socket.SOCK_STREAM, socket.AF_UNIX, abstract)):
            listen(heard, quiet)
        uids = (BASE_UID, HEAD_UID) if root else (None, None)
        spec = {"place": str(place), "uids": uids, "ports": {"door": door}}
        if contained:
            as_user = ["setpriv", f"--bounding-set=-all,{','.join(f'+{name}' for name in OF_A_CONTAINER)}"]
        else:
            as_user = (
                [] if root else ["setpriv", f"--reuid={owner}", f"--regid={owner}", "--clear-groups", "--inh-caps=-all"]
            )
        gate = subprocess.Popen(
            [*as_user, python, "-B", str(ROOT / "tests" / "sandbox" / "gate_process.py") if root else str(place / "code" / "gate_process.py"), json.dumps(spec)],
            env={
                "PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHONPATH": str(place / "code"), "HOME": str(place / "gatehome"),
                "OPENAI_API_KEY": hidden[0], "BASE_SECRET": hidden[1],
            },
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/",
        )  # fmt: skip
        try:
            assert gate.stdout is not None
            facts |= json.loads(gate.stdout.readline())
            yield Arena(place, gate, facts, heard)
        finally:
            assert gate.stdin is not None
            gate.stdin.close()
            assert gate.stdout is not None
            gate.stdout.close()
            try:
                gate.wait(10)
            except subprocess.TimeoutExpired:
                gate.kill()
                gate.wait()
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _furnish(place: Path, hidden: list[str]) -> None:
    """Put down what there is to steal: in closed folders, and, as on a runner, in open ones."""
    for folder, mode in (
        ("code", 0o755),
        ("gatehome", 0o700),
        ("scratch", 0o700),
        ("workspace", 0o755),
        ("run", 0o755),
        ("usr", 0o755),
        ("open", 0o777),
    ):
        (place / folder).mkdir()
        (place / folder).chmod(mode)
    shutil.copy(Path(__file__).with_name("gate_process.py"), place / "code")
    for name, text, mode in (
        ("gatehome/.ssh/id", hidden[2], 0o600), ("gatehome/.aws/credentials", hidden[2], 0o600),
        ("gatehome/.cache/journal.sqlite", hidden[2], 0o600), ("workspace/.git/config", hidden[2], 0o644),
        ("workspace/event.json", hidden[2], 0o644), ("open/output", "verdict=fail\n", 0o666),
        ("open/env", "", 0o666), ("open/summary", "", 0o666), ("open/journal", "kept", 0o666),
        ("usr/root-only", hidden[2], 0o600), ("scratch/venv-base/site.py", "pass", 0o644),
        ("scratch/sources/base/app.py", hidden[1], 0o644), ("scratch/sources/head/app.py", "pass", 0o644),
        ("scratch/sources/head/.git/config", "[core]\n", 0o644),
    ):  # fmt: skip
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
    shutil.copy("/bin/cat", place / "usr" / "cat")


@dataclass(slots=True)
class Outside:
    """Another machine: a network namespace with an address of its own that answers on the door's port and on 80."""

    address: str
    door: int
    heard: list[bytes]


OTHER_MACHINE = """
import os, socket, sys, threading
def serve(s):
    while True:
        data = s.recv(65536) if s.type == socket.SOCK_DGRAM else s.accept()[0].recv(65536)
        os.write(1, data.hex().encode() + b"\\n")
for kind, port in ((socket.SOCK_STREAM, int(sys.argv[1])), (socket.SOCK_STREAM, 80), (socket.SOCK_DGRAM, 53)):
    s = socket.socket(socket.AF_INET, kind); s.bind(("0.0.0.0", port))
    if kind == socket.SOCK_STREAM: s.listen(50)
    threading.Thread(target=serve, args=(s,), daemon=True).start()
print("ready", flush=True); sys.stdin.read()
"""


@contextlib.contextmanager
def another_machine() -> Iterator[Outside | None]:
    """Start one; None where we may make neither namespaces nor devices."""
    heard: list[bytes] = []
    door = listen(heard, bound(socket.SOCK_STREAM))
    tag = secrets.token_hex(3)
    try:
        other = subprocess.Popen(
            ["unshare", "--net", sys.executable, "-c", OTHER_MACHINE, str(door)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
    except FileNotFoundError:
        yield None
        return
    assert other.stdout is not None and other.stdin is not None
    output = other.stdout
    try:
        third = secrets.randbelow(200) + 20
        steps = [
            f"ip link add a{tag} type veth peer name b{tag} netns {other.pid}",
            f"ip addr add 198.18.{third}.1/30 dev a{tag}", f"ip link set a{tag} up",
            f"nsenter -t {other.pid} -n ip addr add 198.18.{third}.2/30 dev b{tag}",
            f"nsenter -t {other.pid} -n ip link set b{tag} up",
        ]  # fmt: skip
        ready = output.readline() == b"ready\n" and all(
            subprocess.run(step.split(), capture_output=True, check=False).returncode == 0 for step in steps
        )

        def hear() -> None:
            for line in output:
                heard.append(bytes.fromhex(line.decode().strip()))

        if ready:
            threading.Thread(target=hear, daemon=True).start()
        yield Outside(f"198.18.{third}.2", door, heard) if ready else None
    finally:
        other.kill()
        other.wait()
        other.stdin.close()
        with contextlib.suppress(ValueError):  # the thread may be reading
            output.close()
