"""What a Ray of our own on this machine keeps to itself, and that nothing of it stays.

Each attempt is made twice: by the app in its cage, where it must fail, and by us, where it must succeed.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.engines.ray.conftest import ROOT, Kept, below
from tests.engines.ray.test_ray_runs import WORKERS, gate, slowly, wait_for
from tests.pipeline.commands import command, right
from tests.standin.app import CONFIG, make_app
from tests.standin.threaded import running
from tests.wiring.process_apps import PYTHON, WORKER, config, process_app

KEY = "sk-canary-7f3a9c51e2"
PROBE = """
import glob, json, os, re, socket
def tried(what):
    try:
        return bool(what())
    except Exception:
        return False
def reached(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as connection:
        connection.settimeout(2)
        connection.connect(address)
        return True
def attack():
    lines = {}
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            lines[path] = open(path).read()
        except OSError:
            pass
    raylets = [(path, line) for path, line in lines.items() if "--raylet_socket_name=" in line]
    won = []
    for path, line in raylets:
        sockets = line.split("--raylet_socket_name=")[1].split("\\0")[0].rpartition("/")[0]
        folder = sockets.split("/ray/")[0]
        gcs = re.search(r"--gcs-address=[0-9.]+:([0-9]+)", line)[1]
        won += ["folder"] * tried(lambda: os.listdir(folder))
        won += ["token"] * tried(lambda: open(folder + "/token").read())
        won += ["logs"] * tried(lambda: os.listdir(sockets + "/../logs"))
        won += ["raylet socket"] * tried(lambda: reached(socket.AF_UNIX, sockets + "/raylet"))
        won += ["store socket"] * tried(lambda: reached(socket.AF_UNIX, sockets + "/plasma_store"))
        won += ["port"] * tried(lambda: reached(socket.AF_INET, ("127.0.0.1", int(gcs))))
        won += ["environment"] * tried(lambda: open(path.replace("cmdline", "environ")).read())
        won += ["memory"] * tried(lambda: open(path.replace("cmdline", "mem"), "rb"))
        won += ["descriptors"] * tried(lambda: os.listdir(path.replace("cmdline", "fd")))
    return {"seen": len(raylets), "won": sorted(set(won))}
"""
ALL = {
    "folder", "token", "logs", "raylet socket", "store socket", "port", "environment", "memory", "descriptors",
}  # fmt: skip
HIJACK = "import pathlib; pathlib.Path({path!r}).write_text('imported')\nraise ImportError('hijacked')\n"


@contextmanager
def gate_process(repo: Path, home: Path, cwd: Path) -> "Iterator[subprocess.Popen[str]]":
    """A gate with a Ray of its own, whose environment holds the key."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LLM_EVAL_GATE_HOME": str(home), "STANDIN_KEY": KEY}
    words = [sys.executable, "-P", "-m", "evaluator.cli.main", *gate(repo, "--engine", "ray")]
    process = subprocess.Popen(
        words, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def folder_of(processes: dict[int, str]) -> Path:
    """The private folder of the Ray that runs below a gate."""
    (line,) = [name for name in processes.values() if "--raylet_socket_name=" in name]
    return Path(line.split("--raylet_socket_name=")[1].split("/ray/")[0])


def gone(pids: Iterable[int], seconds: float) -> list[int]:
    """Those of some processes that are there after a while."""
    until = time.monotonic() + seconds
    while True:
        left = []
        for pid in pids:
            with suppress(OSError):
                if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
                    left.append(pid)
        if not left or time.monotonic() > until:
            return left
        time.sleep(0.1)


def holds_key(path: Path) -> bool:
    with suppress(OSError):
        return KEY.encode() in path.read_bytes()
    return False


def listening(pids: Iterable[int]) -> set[str]:
    """Addresses, as the kernel writes them, on which processes listen."""
    inodes = set()
    for pid in pids:
        with suppress(OSError):
            for link in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    inodes.add(str(link.readlink()).removeprefix("socket:[").removesuffix("]"))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.add(fields[1].rpartition(":")[0])
    return found


def test_keys_sockets_and_files_are_nobody_elses(tmp_path: Path) -> None:
    text = config(f"{{{{provider: standin, command: {{{{run: [{PYTHON}, app.py]}}}}}}}}") + WORKERS
    hijacked, hostile = tmp_path / "hijacked", tmp_path / "hostile"
    hostile.mkdir()
    for name in ("aiohttp", "yaml", "numpy", "evaluator", "pydantic", "sitecustomize"):
        (hostile / f"{name}.py").write_text(HIJACK.format(path=str(hijacked)))
    uncaged_probe = tmp_path / "probe.py"
    uncaged_probe.write_text(PROBE + "print(json.dumps(attack()))")
    before = (
        "from probe import attack; print(json.dumps({'id': question['id'], 'output': json.dumps(attack())}), flush=True)"
        "; continue"
    )
    base = {"app_dot_py": WORKER.replace("{BEFORE}", ""), "probe_dot_py": PROBE}
    head = base | {"app_dot_py": WORKER.replace("{BEFORE}", before)}
    with running(slowly(right, 3.0)) as server:
        repo = process_app(tmp_path / "app", server.url, text, cases=4, base=base, head=head)
        with gate_process(repo, tmp_path / "home", hostile) as process:
            until = time.monotonic() + 90
            while len(server.requests) < 2:
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < until
                time.sleep(0.05)
            processes = below(process.pid)
            ours = {pid for pid, name in processes.items() if "launch.py" not in name and "app.py" not in name}
            folder = folder_of(processes)
            uncaged = subprocess.run(
                [sys.executable, "-I", str(uncaged_probe)],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            environments = {pid for pid in (process.pid, *processes) if holds_key(Path(f"/proc/{pid}/environ"))}
            lines = [name for name in processes.values() if KEY in name]
            files = [path for path in folder.rglob("*") if path.is_file() and holds_key(path)]
            links = [link for pid in ours for link in Path(f"/proc/{pid}/fd").iterdir()]
            shared = [link for link in links if "/dev/shm" in str(link.readlink())]
            kept = [link for link in shared if holds_key(link)]
            mode = folder.stat().st_mode & 0o777
            addresses = listening(ours)
            out, err = process.communicate(timeout=120)
    assert len([name for name in processes.values() if name.startswith("ray::Worker")]) == 2, processes
    assert environments == {process.pid}  # which shows that we could see it
    assert (lines, files, kept) == ([], [], [])
    assert len(shared) > 0
    assert mode == 0o700
    # Loopback, as an IPv4 address and as one mapped into IPv6.
    assert addresses == {"0100007F", "0000000000000000FFFF00000100007F"}
    assert not hijacked.exists()
    subprocess.run([sys.executable, "-c", "import yaml"], cwd=hostile, capture_output=True, check=False)
    assert hijacked.exists()
    assert set(server.keys) == {f"Bearer {KEY}"}
    found = json.loads(uncaged.stdout)
    assert (found["seen"] > 0, set(found["won"])) == (True, ALL)
    told = [case["head"]["text"] for case in json.loads(out)["cases"]]
    tries = [json.loads(text) for text in told]
    assert len(tries) == 4, err
    assert all(a["seen"] > 0 and a["won"] == [] for a in tries), tries
    assert not folder.exists()


def test_a_gate_that_is_told_to_end_leaves_nothing(tmp_path: Path) -> None:
    with running(slowly(right, 0.1)) as server:
        repo = make_app(tmp_path / "app", server.url, config=CONFIG + WORKERS)
        with gate_process(repo, tmp_path / "home", tmp_path) as process:
            wait_for(server, 6)
            processes = below(process.pid)
            folder = folder_of(processes)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=60)
            took = time.monotonic() - began
    assert process.returncode == 3
    assert "Traceback" not in err, err
    assert gone(processes, 10) == []
    assert not folder.exists()
    assert took < 30


def test_a_killed_gate_leaves_no_process_and_loses_no_answer(tmp_path: Path, kept: Kept) -> None:
    with running(slowly(right, 0.03)) as server:
        repo = make_app(tmp_path / "app", server.url, config=CONFIG + WORKERS)
        with gate_process(repo, tmp_path / "home", tmp_path) as process:
            wait_for(server, 30)
            processes = below(process.pid)
            folder = folder_of(processes)
            process.kill()
            process.communicate()
            left = gone(processes, 30)
        assert left == [], {pid: processes[pid] for pid in left}
        assert not folder.exists()
        said = kept.command(tmp_path / "home", *gate(repo, "--engine", "ray"))
        alone = command(tmp_path / "alone", *gate(repo))
    assert said.code == alone.code == 0, said.err
    asked = [str(body["messages"]) for body in server.requests]
    # 80 questions in each run; two workers with two places and one unit waiting, two calls each.
    assert len(asked) - 160 <= 12


def test_what_the_workers_of_a_killed_gate_may_have_asked_counts_against_the_cap(tmp_path: Path, kept: Kept) -> None:
    """None of it was told by any worker: no answer came before the kills."""
    answers = threading.Event()

    async def held(body: Any, number: int) -> str:
        while not answers.is_set():
            await asyncio.sleep(0.02)
        return right(body)

    with running(held) as server:
        repo = make_app(tmp_path / "app", server.url, config=CONFIG + WORKERS + "budget: {{max_calls: 84}}\n")
        for times in (1, 2):
            with gate_process(repo, tmp_path / "home", tmp_path) as process:
                until = time.monotonic() + 60
                while len(server.requests) < 4 * times:
                    assert time.monotonic() < until
                    time.sleep(0.01)
                processes = below(process.pid)
                process.kill()
                process.communicate()
                assert gone(processes, 30) == []
        answers.set()
        said = kept.command(tmp_path / "home", *gate(repo, "--engine", "ray"))
    assert said.code == 3, "an undisturbed run needs eighty, and eight are lost"
    assert "the run was killed with up to" in said.err
    assert len(server.requests) <= 84
