"""Small apps in containers, and how tests start and ask them; used by `test_container_target.py`."""

import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from evaluator.records import Case
from evaluator.target.container import Build, ContainerTarget, Named
from tests.container.engine import Engine
from tests.pipeline.commands import Said, command
from tests.wiring.process_apps import WORKER

NODE_IMAGE = "node:22-slim"
"""Stands for the official image, which the example names; it has Python too, for the other apps here."""
RUNTIMES = """\
FROM {base}
RUN apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    nodejs python3 >/dev/null && useradd --uid 1000 node
"""
DOCKERFILE = f'FROM {NODE_IMAGE}\nCOPY . /app\nWORKDIR /app\nCMD ["python3", "app.py"]\n'
NO_MORE = {"note_dot_txt": "a change that changes nothing"}
METERED = WORKER.replace("{BEFORE}", "")
ATTEMPTS = r"""
import json, os, socket, subprocess, sys

def reach(host, port, udp=False):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        if udp:
            probe.sendto(b"\0\0\1\0\0\1\0\0\0\0\0\0\7example\3com\0\0\1\0\1", (host, port))
            return bool(probe.recv(10))
        probe.connect((host, port))
        return True

def write(path):
    with open(path, "w") as file:
        file.write("x")
    return True

def ids():
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return {key: status[key].split() for key in ("Uid", "Gid", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp")}

def attempt(do, *arguments):
    try:
        return do(*arguments)
    except Exception as error:
        return type(error).__name__ + ": " + str(error)

for line in sys.stdin:
    question = json.loads(line)
    name, *arguments = question["input"]
    todo = {"reach": reach, "write": write, "ids": ids, "env": lambda: dict(os.environ), "exists": os.path.exists,
            "name": lambda host: socket.gethostbyname(host), "write_much": lambda path, size: os.posix_fallocate(os.open(path, os.O_CREAT | os.O_WRONLY), 0, size) or True,
            "exit": lambda code: (print("boom", file=sys.stderr, flush=True), os._exit(code)),
            "hang": lambda: (print("zzz", file=sys.stderr, flush=True), __import__("time").sleep(600)),
            "get": lambda url: __import__("urllib.request").request.urlopen(url, timeout=5).read().decode(),
            "babble": lambda: print("hello"), "mounts": lambda: open("/proc/self/mounts").read(), "fork": lambda: [os.fork() or __import__("signal").pause() for _ in range(60)] and True,
            "eat": lambda size: len(b"x" * size), "echo": lambda value: value}[name]
    print(json.dumps({"id": question["id"], "output": {"is": attempt(todo, *arguments)}}), flush=True)
"""

JOINED = """
import asyncio, contextlib, json, os, sys
from pathlib import Path
from aiohttp import web
from evaluator.records import Case
from evaluator.target.container import Build, ContainerTarget
from evaluator.target.metering import Metering, _Nothing

class Slot:
    outside = _Nothing()
    def __init__(self, name): pass
    def environment(self): return {"OPENAI_BASE_URL": f"http://127.0.0.1:{port}/v1", "NO_PROXY": "127.0.0.1"}
    def case(self, *words): return contextlib.nullcontext(_Nothing())

def route():
    return [line.split()[:3] for line in open("/proc/net/route") if line.split()[1] == "00000000"]

async def main():
    global port
    async def handle(request): return web.Response(text=request.headers["Host"])
    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    found = {"door": f"127.0.0.1:{port}", "route_before": route()}
    target = ContainerTarget("head", Build(Path(sys.argv[1])), env={}, slots=1, start_timeout_s=10, case_timeout_s=20,
                             environ=dict(os.environ), scratch=Path(sys.argv[2]) / "scratch", metering=Metering(Slot), door_port=port)
    async def told(*question):
        output = await target.answer(Case(id="c", input=list(question)))
        return output.data["is"]
    try:
        await target.start()
        env = await told("env")
        url = env["OPENAI_BASE_URL"]
        found["asked"] = await told("get", url)
        host = url.split("/")[2].split(":")[0]
        found["addresses"] = env["NO_PROXY"].split(",").count(host)
        found["beside"] = str(await told("reach", host, port))
        found["route_during"] = route()
    finally:
        await target.close()
    found["route_after"] = route()
    print(json.dumps(found))

asyncio.run(main())
"""


def left(engine: Engine) -> list[str]:
    containers = engine.docker("ps", "--all", "--quiet", "--filter", "label=llm-eval-gate").stdout.split()
    networks = engine.docker("network", "ls", "--quiet", "--filter", "label=llm-eval-gate").stdout.split()
    return containers + networks + volumes(engine)


def volumes(engine: Engine) -> list[str]:
    """The volumes that are there, but for the one that the workflow runner keeps on the engine that other tests share."""
    return [name for name in engine.docker("volume", "ls", "--quiet").stdout.split() if name != "act-toolcache"]


def gate(tmp_path: Path, repo: Path, engine: Engine) -> Said:
    words = ("gate", "--repo", str(repo), "--json")
    return command(tmp_path / "home", *words, cwd=None, DOCKER_HOST=engine.host, DOCKER_BUILDKIT="0")


@contextlib.asynccontextmanager
async def started(
    engine: Engine, source: Build | Named, scratch: Path, *, path: str = "/nowhere", **more: Any
) -> AsyncIterator[ContainerTarget]:
    """A target without Docker's client, as in the action's image, unless `path` leads to it."""
    options = {"env": {}, "slots": 1, "start_timeout_s": 10.0, "case_timeout_s": 20.0, **more}
    environ = {"PATH": path, "DOCKER_HOST": engine.host, "DOCKER_BUILDKIT": "0", "OPENAI_API_KEY": "sk-real"}
    target = ContainerTarget("head", source, environ=environ, scratch=scratch / "scratch", **options)
    try:
        await target.start()
        yield target
    finally:
        await target.close()


async def told(target: ContainerTarget, *question: Any) -> Any:
    output = await target.answer(Case(id="c", input=list(question)))
    assert output.failure is None, output.failure
    assert isinstance(output.data, dict)
    return output.data["is"]


def own_address() -> str:
    """This machine's own address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
