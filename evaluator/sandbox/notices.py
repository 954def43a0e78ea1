"""What this kernel and this user cannot hold, in sentences for people; found by trying."""

import subprocess
import sys
from pathlib import Path

from evaluator.sandbox.cage import Cage, SandboxError, confine
from evaluator.sandbox.entering import PROBE

PROBE_TIMEOUT_S = 20.0

SENTENCES = {
    "landlock": "files: this kernel has no Landlock (Linux 5.13 and later, enabled), so the app can read whatever its"
    " user can",
    "truncation": "files: this kernel's Landlock cannot keep the app from emptying files that its user may write"
    " (Linux 6.2 and later can)",
    "ports": "network: this kernel's Landlock has no rules for TCP (Linux 6.7 and later), so the app can connect to"
    " any port of this machine's loopback",
    "scopes": "signals: this kernel's Landlock has no scopes (Linux 6.12 and later), so the app can signal other"
    " processes of its user and reach abstract Unix sockets",
    "loopback": "network: sockets cannot be bound to loopback here (Linux 5.14 and later, and no other listener for"
    " system calls), so the app can connect to the gateway's port number on any host",
    "seccomp": "system calls: no filter for this machine's architecture (x86_64 and aarch64 have one)",
    "user": "user: the app runs as the user who runs the gate (only root can give it another one), so it may change"
    " modes of that user's files, and processes are counted by the launcher",
    "root": "user: the app runs as root, though without its capabilities; name another user",
}


def not_held(cage: Cage) -> tuple[str, ...]:
    """Say what of a cage this kernel and this user cannot hold: one sentence each, empty if all holds.

    A launcher is started for it, which enters the cage and reports.

    Raises:
        SandboxError: The cage cannot be entered at all.
    """
    if not sys.platform.startswith("linux"):
        return (f"there is no sandbox on {sys.platform}: the app can do whatever its user can",)
    try:
        done = subprocess.run(  # noqa: S603  # our own launcher
            confine([PROBE], cage), env={}, cwd="/", stdin=subprocess.DEVNULL, capture_output=True,
            timeout=PROBE_TIMEOUT_S, check=False, start_new_session=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise SandboxError(f"the sandbox's launcher cannot be started: {error}") from error
    if done.returncode != 0:
        raise SandboxError(
            f"the sandbox cannot be set up: {done.stderr.decode('utf-8', 'replace').strip()[-500:]}",
            hint="see docs/sandbox.md for what it needs",
        )
    return tuple(SENTENCES[code] for code in done.stdout.decode().split()) + _unreachable(cage)


def _unreachable(cage: Cage) -> tuple[str, ...]:
    """Name what the cage opens and the user cannot get to, for a folder above it is closed: a Python in /root."""
    if cage.uid is None:
        return ()
    wanted = dict.fromkeys(path.resolve() for path in (Path(sys.base_prefix), *cage.read))
    return tuple(
        f"user {cage.uid} of the sandbox cannot get to {path}: a folder above it is closed to others"
        for path in wanted
        if any(not above.stat().st_mode & 0o001 for above in path.parents)
    )
