"""How a `container` target's image is built: by the engine without a client, by Docker's client, and what neither may."""

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from evaluator.errors import TargetError
from evaluator.target.container import Build
from tests.container.contained import ATTEMPTS, NODE_IMAGE, left, own_address, started, told
from tests.container.engine import Engine

CLIENT = "/usr/bin:/bin"
START = f"FROM {NODE_IMAGE}\nWORKDIR /app\nCOPY . .\n"
END = 'CMD ["python3", "app.py"]\n'
REACH = "RUN python3 -c \"import socket; socket.create_connection(('{host}', {port}), 3)\"\n"


@pytest.fixture
def app(tmp_path: Path, node_image: str) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    # Its own in every test, so that no image of another is found.
    (folder / "app.py").write_text(f"{ATTEMPTS}\n# {tmp_path}\n", "utf-8")
    return folder


def dockerfile(app: Path, steps: str, *, start: str = START) -> None:
    (app / "Dockerfile").write_text(start + steps + END, "utf-8")


async def test_the_engine_builds_what_only_buildkit_knows(tmp_path: Path, engine: Engine, app: Path) -> None:
    # Without the network: the plain build of the same engine refuses both.
    dockerfile(app, "RUN --mount=type=cache,target=/c echo made >/made\nCOPY --chmod=755 app.py /x.py\n")
    (app / "Dockerfile.dockerignore").write_text("", "utf-8")
    async with started(engine, Build(app), tmp_path) as target:
        assert await told(target, "exists", "/made") is True


@pytest.mark.parametrize("path", ["/nowhere", CLIENT], ids=["engine", "client"])
async def test_both_builders_leave_out_the_same(tmp_path: Path, engine: Engine, app: Path, path: str) -> None:
    (app / ".dockerignore").write_text("# no\nnode_modules\n**/*.log\n!keep.log\nsecret?\n", "utf-8")
    names = ("node_modules/x", "a/b.log", "keep.log", "a/keep.log", "secrets", "secret", "# no")
    for name in names:
        (app / name).parent.mkdir(exist_ok=True)
        (app / name).write_text(path, "utf-8")
    dockerfile(app, "")
    async with started(engine, Build(app), tmp_path, path=path) as target:
        there = [name for name in names if await told(target, "exists", f"/app/{name}")]
    assert there == ["keep.log", "secret", "# no"]


@pytest.mark.parametrize("path", ["/nowhere", CLIENT], ids=["engine", "client"])
async def test_steps_of_a_build_have_no_network_unless_base_says_so(
    tmp_path: Path, engine: Engine, app: Path, path: str
) -> None:
    with socket.create_server((own_address(), 0)) as server:
        host, port = server.getsockname()[:2]
        dockerfile(app, REACH.format(host=host, port=port))
        with pytest.raises(TargetError, match=r"cannot be built, at head: .*unreachable") as raised:
            async with started(engine, Build(app), tmp_path, path=path):
                pass
        assert "build_network: allow" in raised.value.hint
        async with started(engine, Build(app, network="host"), tmp_path, path=path) as target:
            assert await told(target, "echo", 1) == 1


@pytest.mark.parametrize("steps", ["RUN sleep 600\n", "RUN --mount=type=cache,target=/c sleep 600\n"], ids=["1", "2"])
async def test_a_build_that_takes_too_long_is_given_up(tmp_path: Path, engine: Engine, app: Path, steps: str) -> None:
    dockerfile(app, steps)
    with pytest.raises(TargetError, match=r"did not end within 3"):
        async with started(engine, Build(app, timeout_s=3.0), tmp_path):
            pass
    deadline = time.monotonic() + 20
    while running(engine) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert running(engine) == []
    assert left(engine) == []


def running(engine: Engine) -> list[str]:
    """Containers of builds, which carry no label of ours, and programs in BuildKit's."""
    containers = engine.docker("ps", "--quiet").stdout.split()
    return containers + [
        entry.name for entry in Path("/proc").glob("[0-9]*") if _command(entry) in (b"sleep\x00600\x00", b"sleep 600")
    ]


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


async def test_a_step_of_a_build_has_no_more_memory_than_it_may(tmp_path: Path, engine: Engine, app: Path) -> None:
    dockerfile(
        app,
        "RUN cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null >/limit || true\n",
    )
    async with started(engine, Build(app), tmp_path) as target:
        assert await told(target, "exists", "/limit") is True
    image = engine.docker("images", "--quiet", "--filter", "label=llm-eval-gate=app").stdout.split()[0]
    assert engine.run(image, "/limit", entrypoint="cat").stdout.split()[0] == "8000000000"


async def test_nothing_of_ours_reaches_a_build(tmp_path: Path, engine: Engine, app: Path) -> None:
    dockerfile(app, "ARG OPENAI_API_KEY\nARG HTTP_PROXY\nRUN env >/app/env.txt\n")
    async with started(engine, Build(app), tmp_path, env={"SHOWN": "v"}) as target:
        assert await told(target, "exists", "/app/env.txt") is True
    image = engine.docker("images", "--quiet", "--filter", "label=llm-eval-gate=app").stdout.split()[0]
    seen = engine.run(image, "/app/env.txt", entrypoint="cat").stdout
    assert "sk-real" not in seen
    assert "SHOWN" not in seen
    made: dict[str, Any] = json.loads(engine.docker("image", "inspect", image).stdout)[0]
    assert made["Config"]["Labels"]["llm-eval-gate"] == "app"
