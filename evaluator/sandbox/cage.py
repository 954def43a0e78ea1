"""What a cage is, and the command that starts a program in it.

The command starts `launch.py`, which takes the rules as JSON in its first argument: they are no secret, and a program
that is started with fewer of them shows in the process list. The app's environment is a secret; see
`launch_environment`.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evaluator.errors import EvalGateError
from evaluator.sandbox.entering import APP_PREFIX, MECHANISMS

MARK = "LLM_EVAL_GATE_CHILD"
"""The variable by which a worker's processes are found; the launcher and the program both carry it."""
LAUNCHER = Path(__file__).with_name("launch.py")

RUNNABLE = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/alternatives")
"""Programs and libraries of the system; they may be read and started."""

READABLE = (
    "/proc", "/sys/devices/system", "/sys/fs/cgroup", "/sys/kernel/mm/transparent_hugepage",
    *(f"/etc/{name}" for name in (
        "resolv.conf", "hosts", "host.conf", "hostname", "nsswitch.conf", "gai.conf", "protocols", "services",
        "passwd", "group", "localtime", "timezone", "locale.alias", "os-release", "debian_version", "mime.types",
        "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ssl", "pki", "ca-certificates", "ca-certificates.conf",
        "crypto-policies", "fonts", "terminfo", "inputrc", "bash.bashrc", "profile", "magic", "gitconfig",
        "java-11-openjdk", "java-17-openjdk", "java-21-openjdk", "java-25-openjdk", "python3", "python3.11",
        "python3.12", "python3.13", "python3.14",
    )),
)  # fmt: skip
"""What ordinary programs read of the system. Of /etc only this: the rest holds passwords, keys and tokens. /proc cannot
be cut down by path; what is secret in it the kernel guards with `ptrace` rights, which a caged program has not."""

DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
SHARED_MEMORY = "/dev/shm"  # noqa: S108  # the name by which the C library knows it


class SandboxError(EvalGateError):
    """The sandbox cannot be set up as it was asked for."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of the machine a caged program may take."""

    processes: int = 512
    """Processes and threads of the cage's user at once, over all its workers; with our own user: processes of one
    worker."""
    open_files: int = 4_096
    file_bytes: int = 1 << 30
    """The largest file."""
    memory_bytes: int | None = None
    """Private writable memory of each process; None for no limit. Not address space, of which Node and Java reserve
    more than any machine has."""
    reserved_disk_bytes: int = 1 << 30
    """What must be left on the disk: a program that leaves less is ended."""


@dataclass(frozen=True, slots=True)
class Cage:
    """What a program may reach; everything else is closed."""

    root: Path
    """The checkout of its ref: it may read, write and start what is in it."""
    home: Path
    """Its own folder for HOME and TMPDIR: the same rights."""
    read: tuple[Path, ...] = ()
    """Further files and folders that it may read and start, such as a virtual environment."""
    ports: tuple[int, ...] = ()
    """TCP ports on loopback that it may connect to: the gateway's door."""
    listen: tuple[int, ...] = ()
    """TCP ports on loopback that it may listen on, and connect to."""
    network: bool = False
    """Take the rules about network and sockets away."""
    uid: int | None = None
    """The user (and the group of the same number) that it becomes; needs root. None: the user that we are."""
    limits: Limits = field(default_factory=Limits)
    shared: bool = False
    """Let it use what is shared between all programs of a machine: /dev/shm, System V and POSIX message queues and
    memory, Unix sockets by path. Python's `multiprocessing` needs it."""


def confine(argv: Sequence[str], cage: Cage) -> list[str]:
    """Give the argv that puts itself into the cage and then becomes the program.

    To be started with the environment of `launch_environment`, in a session of its own.

    Args:
        argv: The program and its arguments; never a shell.
        cage: What it may reach.

    Raises:
        SandboxError: `cage.uid` is set and we are not root, or it is root's.
    """
    check_user(cage)
    return [sys.executable, "-I", "-S", str(LAUNCHER), json.dumps(rules_of(cage)), *argv]


def check_user(cage: Cage) -> None:
    """See that the cage's user is one that we can start programs as.

    Raises:
        SandboxError: It is not.
    """
    if cage.uid is not None and os.geteuid() != 0:
        raise SandboxError(
            f"only root can start a program as user {cage.uid}; we are user {os.geteuid()}",
            hint="leave the user out: the app then runs as ours, and docs/sandbox.md says what that does not hold",
        )
    if cage.uid is not None and not 0 < cage.uid < 65_534:
        raise SandboxError(f"expected a user id from 1 to 65533 for the sandbox, found {cage.uid}")


def rules_of(cage: Cage) -> dict[str, object]:
    """Write a cage down for the launcher: plain JSON values, all paths absolute.

    `mechanisms` names what is applied; the tests take single ones out to show that an attack then succeeds.
    """
    prefixes = {os.path.realpath(path) for path in (sys.prefix, sys.base_prefix)} - {"/"}
    writable = [str(cage.root.absolute()), str(cage.home.absolute())]
    mechanisms = [name for name in MECHANISMS if not (cage.network and name in ("landlock-network", "loopback"))]
    return {
        "mechanisms": mechanisms,
        "mark": MARK,
        "uid": cage.uid,
        "run": [*RUNNABLE, *sorted(prefixes), *(str(path.absolute()) for path in cage.read)],
        "read": list(READABLE),
        "write": writable,
        "share": [SHARED_MEMORY] if cage.shared else [],
        "device": list(DEVICES),
        "connect": [*cage.ports, *cage.listen],
        "listen": list(cage.listen),
        "network": cage.network,
        "shared": cage.shared,
        "processes": cage.limits.processes,
        "rlimits": {
            "NOFILE": cage.limits.open_files,
            "FSIZE": cage.limits.file_bytes,
            **({} if cage.limits.memory_bytes is None else {"DATA": cage.limits.memory_bytes}),
        },
        "reserve": cage.limits.reserved_disk_bytes,
    }


def launch_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Give the environment for `confine`'s argv, which hands `env` on to the program as it is.

    The launcher itself must not obey it: `LD_LIBRARY_PATH=` with an empty part makes the loader look in the working
    directory, which is the app's, at a moment when the launcher still has our rights.
    """
    return {f"{APP_PREFIX}{name}": value for name, value in env.items()}
