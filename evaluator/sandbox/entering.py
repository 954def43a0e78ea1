"""Into the cage, mechanism by mechanism; the launcher's main part.

It parts in two: the child becomes the program, the parent stays above it (`keeper.py`). Anything that fails ends it: no
program starts in half a cage. What the kernel lacks is another matter: it is left out, and `--probe` in place of the
program tells it. Imports the standard library and the small files beside it only.
"""

import os
import signal
import sys

TYPE_CHECKING = False  # `typing` itself would take a fifth of the start
if TYPE_CHECKING:
    from typing import Any

APP_PREFIX = "LLM_EVAL_GATE_APP_"
"""Stands before the names of the program's own environment variables, which the launcher itself must not obey."""
MECHANISMS = (
    "descriptors", "hidden", "keeper", "parent-death", "disk", "process-count", "rlimits", "oom", "identity",
    "capabilities", "no-new-privileges", "landlock-files", "landlock-network", "landlock-scopes", "seccomp", "loopback",
)  # fmt: skip
"""What is applied, by the names that the rules use."""
PROBE = "--probe"
CANNOT_CAGE, CANNOT_START = 125, 126
LISTENER_SINCE = (5, 14)
"""The first kernel that makes and answers in one step; before, a signal in between would lose a descriptor."""


def launch(rules: "dict[str, Any]", argv: "list[str]") -> int:
    """Part into keeper and program; give the keeper's exit code if the program did not start."""
    # All that is needed is imported here: inside the cage these files are out of reach.
    import _socket
    import warnings  # noqa: F401  # os.execvpe imports it

    from evaluator.sandbox import identity, kernel, landlock, rlimits, seccomp, syscalls  # noqa: F401
    from evaluator.sandbox.keeper import PARENT_GONE, Disk, keep, leave, repeat_exit

    on = set(rules["mechanisms"])
    if "descriptors" in on:
        os.closerange(3, 1 << 20)
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    above, us = os.getppid(), os.getpid()
    if "keeper" in on:
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    child = os.fork()
    if child == 0:
        ours.close()
        _become(rules, on, argv, us, theirs)
    theirs.close()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # meant for the program; we go when it goes
        signal.signal(number, signal.SIG_IGN)
    _forget_pipes()
    disk = Disk(rules["write"], rules["reserve"]) if "disk" in on else None
    identity.drop_capabilities(kept=identity.CAP_KILL if os.geteuid() == 0 else 0)
    if "hidden" in on:
        identity.hide_memory()
    if "parent-death" in on:
        signal.signal(PARENT_GONE, leave)
        identity.end_with_parent(above, PARENT_GONE)
    listener = _receive_descriptor(ours)
    counted = rules["processes"] if rules["uid"] is None and "process-count" in on else None
    repeat_exit(keep(child, listener, disk=disk, processes=counted, adopts="keeper" in on))
    return CANNOT_CAGE


def _become(rules: "dict[str, Any]", on: "set[str]", argv: "list[str]", keeper: int, channel: "Any") -> None:
    """Apply everything and start the program; never comes back."""
    try:
        lacking, listener = _enter(rules, on, keeper)
        _send_descriptor(channel, listener)
        channel.close()
    except BaseException as error:
        _say(f"sandbox: cannot be set up: {error!r}")
        os._exit(CANNOT_CAGE)
    try:
        if argv == [PROBE]:
            os.write(1, " ".join(lacking).encode())
            os._exit(0)
        environment = {
            name.removeprefix(APP_PREFIX): value for name, value in os.environ.items() if name.startswith(APP_PREFIX)
        }
        if rules["uid"] is not None:  # nobody in /etc/passwd; programs that ask who they are look here first
            environment = {"USER": "app", "LOGNAME": "app", **environment}
        environment |= {name: value for name, value in os.environ.items() if name == rules["mark"]}
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.execvpe(argv[0], argv, environment)  # noqa: S606  # no shell is what is wanted
    except OSError as error:
        closed = isinstance(error, PermissionError)
        how = "; base's config opens what is outside of the checkout: `sandbox: {read: [...]}`" if closed else ""
        _say(f"cannot start {argv[0][:200]!a} in the sandbox: {error.strerror}{how}")
        os._exit(CANNOT_START)


def _enter(rules: "dict[str, Any]", on: "set[str]", keeper: int) -> "tuple[list[str], int]":
    """Apply all mechanisms to this process; give what the kernel lacks and the listener for sockets."""
    from evaluator.sandbox import identity, landlock, rlimits

    uid = rules["uid"]
    version, ruleset = landlock.abi(), -1
    files, scopes = "landlock-files" in on, "landlock-scopes" in on
    network = "landlock-network" in on
    lacking = [
        *(["landlock"] if files and version < 1 else []),
        *(["truncation"] if files and 1 <= version < 3 else []),
        *(["ports"] if network and version < 4 else []),
        *(["scopes"] if scopes and version < 6 else []),
        *(["user"] if uid is None else []),
        *(["root"] if uid is None and os.geteuid() == 0 else []),
    ]
    if version:  # opened while we still may: a virtual environment may lie where the user cannot look it up
        ruleset = landlock.new_ruleset(version, files=files, network=network, scopes=scopes)
    if ruleset >= 0 and files:
        for kind, rights in (
            ("run", landlock.RUN), ("read", landlock.READ), ("write", landlock.WRITE), ("share", landlock.SHARE),
            ("device", landlock.DEVICE),
        ):  # fmt: skip
            landlock.allow_paths(ruleset, version, rules[kind], rights)
    if ruleset >= 0 and network and version >= 4:
        landlock.allow_ports(ruleset, rules["connect"], landlock.CONNECT_TCP)
        landlock.allow_ports(ruleset, rules["listen"], landlock.BIND_TCP)
    if "oom" in on:
        rlimits.be_killed_first()
    if "rlimits" in on:
        counted = {} if uid is None else {"NPROC": rules["processes"]}  # our own user has other processes too
        rlimits.limit({**rlimits.ALWAYS, **rules["rlimits"], **counted})
    if uid is not None and "identity" in on:
        identity.become(uid)
    if "capabilities" in on:
        identity.drop_capabilities()
    if "no-new-privileges" in on:
        identity.gain_no_privileges()
    if "parent-death" in on:
        identity.end_with_parent(keeper)
    if ruleset >= 0:
        landlock.restrict(ruleset)
    if "seccomp" not in on:
        return lacking, -1
    return _filter(rules, "loopback" in on, lacking)


def _filter(rules: "dict[str, Any]", wanted: bool, lacking: "list[str]") -> "tuple[list[str], int]":
    from evaluator.sandbox import seccomp, syscalls

    machine = os.uname().machine
    if machine not in syscalls.AUDIT_ARCH or sys.maxsize < 1 << 32:
        return [*lacking, "seccomp", *(["loopback"] if wanted else [])], -1

    def put(loopback: bool) -> int:
        steps = seccomp.program(
            machine,
            network=rules["network"],
            shared=rules["shared"],
            listening=bool(rules["listen"]),
            loopback=loopback,
        )
        return seccomp.install(steps, machine, listener=loopback)

    if wanted and _release() >= LISTENER_SINCE:
        try:
            return lacking, put(True)
        except OSError:  # a container engine's own filter listens already, or lets nobody listen
            pass
    return [*lacking, *(["loopback"] if wanted else [])], put(False)


def _release() -> "tuple[int, ...]":
    numbers = os.uname().release.split("-")[0].split(".")[:2]
    return tuple(int(number) if number.isdigit() else 0 for number in numbers)


def _send_descriptor(channel: "Any", descriptor: int) -> None:
    import _socket

    if descriptor < 0:
        channel.sendmsg([b"-"])
        return
    carried = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, descriptor.to_bytes(4, sys.byteorder))]
    channel.sendmsg([b"+"], carried)
    os.close(descriptor)


def _receive_descriptor(channel: "Any") -> int:
    import _socket

    _, carried, _, _ = channel.recvmsg(1, _socket.CMSG_SPACE(4))
    channel.close()
    return int.from_bytes(carried[0][2][:4], sys.byteorder) if carried else -1


def _forget_pipes() -> None:
    """Let go of the program's stdin and stdout, so that their end is seen when the program closes them."""
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)


def _say(text: str) -> None:
    os.write(2, text.encode("utf-8", "backslashreplace") + b"\n")
