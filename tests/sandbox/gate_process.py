"""A gate for the attacks: a process with keys in its environment and memory that runs head's programs in a cage.

A script, started by `arena.py` as root or as an ordinary user; one JSON object a line in, one out. It uses the house's
own `start_child`; `off` in a request names what is left out for it. Beside the launcher's mechanisms these are
`environment` (the app gets our own), `loader` (its variables reach the launcher), `pipes` (our descriptors are
inherited), `hidden` (our memory is open to our user) and `ownership` (the checkout is wholly the app's).
"""

import asyncio
import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from evaluator.sandbox import Cage, Limits, confine, launch_environment, prepare
from evaluator.sandbox.kernel import PR_SET_DUMPABLE, prctl
from evaluator.worker import child, child_environment
from evaluator.worker.child import start_child

ALARMS: list[int] = []
BASE = """
import ctypes, os, signal, sys, time
caught = []
signal.signal(signal.SIGUSR1, lambda *_: (caught.append(1), open(os.environ["HOME"] + "/signalled", "w").close()))
buffer = ctypes.create_string_buffer(os.environ["BASE_SECRET"].encode())
print(os.getpid(), ctypes.addressof(buffer), flush=True)
while True:
    time.sleep(1)
"""


class Gate:
    """What a gate holds, and two cages."""

    def __init__(self, place: Path, uids: tuple[int | None, int | None], ports: dict[str, int]) -> None:
        self.place, self.uids, self.ports = place, uids, ports
        self.secret = ctypes.create_string_buffer(os.environ["OPENAI_API_KEY"].encode())
        self.open_file = os.open(place / "gatehome" / ".ssh" / "id", os.O_RDONLY)
        os.set_inheritable(self.open_file, True)
        self.base: Any = None

    def cage(self, side: str, **limits: Any) -> Cage:
        index = ("base", "head").index(side)
        scratch = self.place / "scratch"
        return Cage(
            root=scratch / "sources" / side, home=scratch / f"home-{side}", ports=(self.ports["door"],),
            read=(self.place / "usr",),
            uid=self.uids[index], limits=replace(Limits(processes=64, open_files=256), **limits),
        )  # fmt: skip

    async def start_base(self) -> dict[str, int]:
        cage = self.cage("base")
        prepare(cage)
        (cage.home / "notes").write_text(os.environ["BASE_SECRET"])
        env = child_environment(os.environ, home=cage.home, names=["BASE_SECRET"])
        self.base = await start_child([sys.executable, "-c", BASE], cwd=cage.root, env=env, cage=cage)
        pid, address = (await self.base.stdout.readline()).split()
        return {"base": int(pid), "base_address": int(address)}

    async def attack(self, request: dict[str, Any]) -> dict[str, Any]:
        off = set(request["off"])
        cage = self.cage("head", **request.get("limits", {}))
        shutil.rmtree(cage.home, ignore_errors=True)
        shutil.rmtree(cage.root)
        (cage.root / ".git").mkdir(parents=True)
        (cage.root / ".git" / "config").write_text("[core]")
        prepare(cage)
        if "ownership" in off and cage.uid:
            os.chown(cage.root, cage.uid, cage.uid)
            cage.root.chmod(0o700)
        env = child_environment(os.environ, home=cage.home, extra={"ARENA": json.dumps(request["arena"])})
        if "environment" in off:
            env = {**os.environ, **env}
        env |= request.get("env", {})
        child.confine = lambda argv, cage: without(confine(argv, cage), off)  # type: ignore[attr-defined]
        child.launch_environment = (  # type: ignore[attr-defined]
            (lambda env: {**launch_environment(env), **env}) if "loader" in off else launch_environment
        )
        prctl(PR_SET_DUMPABLE, 1 if "hidden" in off else 0)
        ALARMS.clear()
        if "pipes" in off:
            return self.inherited(request, cage, env)
        started = await start_child([sys.executable, "-c", request["program"]], cwd=cage.root, env=env, cage=cage)
        out = bytearray()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(request["seconds"]):
                while chunk := await started.stdout.read(65_536):
                    out += chunk
        if request["end"]:
            await asyncio.wait({started.exit_code}, timeout=request["seconds"])
        await started.stop(0)
        words = await started.describe_exit()
        await asyncio.sleep(0.05)
        return {
            "out": out.decode("utf-8", "replace"),
            "exit": words,
            "signals": len(ALARMS),
            "alive": alive(request["mark"]),
        }

    def inherited(self, request: dict[str, Any], cage: Cage, env: dict[str, str]) -> dict[str, Any]:
        argv = child.confine([sys.executable, "-c", request["program"]], cage)  # type: ignore[attr-defined]
        done = subprocess.run(
            argv, cwd=cage.root, env=launch_environment(env), close_fds=False, capture_output=True, timeout=20,
            start_new_session=True, check=False,
        )  # fmt: skip
        return {"out": done.stdout.decode(), "exit": done.stderr.decode()[-500:], "signals": 0, "alive": []}


def without(argv: list[str], off: set[str]) -> list[str]:
    """Take mechanisms out of the launcher's rules."""
    rules = json.loads(argv[4])
    rules["mechanisms"] = [name for name in rules["mechanisms"] if name not in off]
    return [*argv[:4], json.dumps(rules), *argv[5:]]


def alive(mark: str) -> list[int]:
    """Processes with a mark in their command line that have not ended; they are ended now."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (entry / "cmdline").read_bytes() and int(entry.name) != os.getpid():
                found.append(int(entry.name))
                os.kill(int(entry.name), signal.SIGKILL)
        except OSError:
            continue
    return found


async def main() -> None:
    spec = json.loads(sys.argv[1])
    os.umask(0o022)
    signal.signal(signal.SIGUSR1, lambda *_: ALARMS.append(1))
    gate = Gate(Path(spec["place"]), tuple(spec["uids"]), spec["ports"])
    facts = {"gate": os.getpid(), "gate_address": ctypes.addressof(gate.secret), "gate_file": gate.open_file}
    facts |= await gate.start_base()
    print(json.dumps(facts), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        started = time.monotonic()
        try:
            answer = await gate.attack(json.loads(line))
        except Exception as error:  # told to the test
            answer = {"out": "", "exit": f"gate: {error!r}", "signals": 0, "alive": []}
        answer["seconds"] = time.monotonic() - started
        print(json.dumps(answer), flush=True)
    await gate.base.stop(0)


if __name__ == "__main__":
    asyncio.run(main())
