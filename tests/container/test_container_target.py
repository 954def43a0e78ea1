"""The `container` target with a real engine: metered, held in, nothing left; and the example in Node as it is."""

import asyncio
import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evaluator.errors import TargetError
from evaluator.records import Case, FailureKind
from evaluator.target.container import Build, Named
from evaluator.target.container.target import Allowed
from tests.container.contained import (
    ATTEMPTS,
    DOCKERFILE,
    JOINED,
    METERED,
    NODE_IMAGE,
    gate,
    own_address,
    started,
    told,
    volumes,
)
from tests.container.engine import ENGINE, ROOT, Engine
from tests.pipeline.commands import command, right
from tests.standin.threaded import running
from tests.wiring.process_apps import config, process_app


@pytest.fixture
def app(tmp_path: Path, node_image: str) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE, "utf-8")
    (folder / "app.py").write_text(ATTEMPTS, "utf-8")
    return folder


def test_a_change_of_an_app_in_a_container_is_gated_and_metered(
    tmp_path: Path, engine: Engine, node_image: str, clean: None
) -> None:
    text = config("{{container: {{build: .}}, provider: standin}}")
    files = {"app_dot_py": METERED, "Dockerfile": DOCKERFILE}
    thrice = METERED.replace('"output": ask(', '"output": [ask("a"), ask("b"), ask(')
    thrice = thrice.replace('question["input"])}', 'question["input"])][-1]}')
    with running(right) as server:
        repo = process_app(tmp_path / "app", server.url, text, base=files, head={"app_dot_py": thrice})
        said = gate(tmp_path, repo, engine)
        assert said.code == 0, (said.err, said.json["verdict"], json.dumps(said.json["cases"][0])[:3000])
    spend = said.json["spend"]
    asked = sum(charged.given for charged in server.log) + 2 * sum(charged.made for charged in server.log)
    assert spend["real_usd"] == pytest.approx(asked / 1e6), spend
    assert set(server.keys) == {"Bearer k-secret"}
    costs = {ref: sum(case[ref]["cost_usd"] for case in said.json["cases"]) for ref in ("base", "head")}
    assert costs["head"] > 2 * costs["base"] > 0
    assert any("listens on all addresses of the engine's machine" in note for note in said.json["notes"]), said.json[
        "notes"
    ]


def test_an_app_in_a_container_whose_key_is_missing_ends_the_run_with_its_name(
    tmp_path: Path, engine: Engine, node_image: str, clean: None
) -> None:
    text = config("{{container: {{build: .}}}}")
    files = {"app_dot_py": METERED, "Dockerfile": DOCKERFILE}
    with running(right) as server:
        repo = process_app(tmp_path / "app", server.url, text, base=files, head={"note_dot_txt": "nothing"})
        said = gate(tmp_path, repo, engine)
        assert server.log == []
    assert said.code == 2, said.out
    assert "the app asks 'openai', and the environment variable OPENAI_API_KEY is not set" in said.err


def test_the_example_in_node_runs_as_it_is(tmp_path: Path, engine: Engine, node_image: str, clean: None) -> None:
    def answer(body: Any, number: int) -> str:
        return "12 euros"

    example = ROOT / "examples" / "agent-node"
    repo = tmp_path / "repo"
    shutil.copytree(example, repo)
    settings = (repo / "llm-eval-gate.yml").read_text("utf-8")
    with running(answer) as server:
        swapped = settings.replace("command: node agent.mjs ", "provider: standin\n  container: {build: .} ")
        swapped += f'providers: {{standin: {{base_url: "{server.url}", api_key_env: STANDIN_KEY}}}}\n'
        assert "container" in swapped
        (repo / "llm-eval-gate.yml").write_text(swapped, "utf-8")
        for git_words in (
            ["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "the agent"], ["switch", "-qc", "cheaper"],
            ["apply", "changes/harmless.patch"], ["commit", "-qam", "words"],
        ):  # fmt: skip
            identity = ["-c", "user.name=Test", "-c", "user.email=test@example.invalid"]
            subprocess.run(["git", *identity, *git_words], cwd=repo, check=True, capture_output=True)
        words = ("gate", "--repo", str(repo), "--json", "--base", "main")
        said = command(tmp_path / "home", *words, DOCKER_HOST=engine.host, DOCKER_BUILDKIT="0")
    assert said.code in (0, 1), said.err
    assert len(server.log) >= 44
    assert all(case[ref]["cost_usd"] > 0 for case in said.json["cases"] for ref in ("base", "head"))


async def test_what_a_container_may_and_what_it_sees(tmp_path: Path, engine: Engine, app: Path, clean: None) -> None:
    (app / ".git").mkdir()
    (app / ".git" / "config").write_text("token", "utf-8")
    (app / "secret.txt").write_text("x", "utf-8")
    (app / ".dockerignore").write_text("secret.txt\n", "utf-8")
    async with started(engine, Build(app), tmp_path, env={"SHOWN": "v"}) as target:
        ids = await told(target, "ids")
        assert ids["Uid"] == ids["Gid"] == ["65534"] * 4
        assert set(ids["CapEff"] + ids["CapBnd"]) == {"0000000000000000"}
        assert ids["NoNewPrivs"] == ["1"]
        assert ids["Seccomp"] == ["2"]
        env = await told(target, "env")
        assert env.pop("HOME") == "/tmp"
        assert env.pop("SHOWN") == "v"
        assert set(env) <= {"PATH", "HOSTNAME", "LC_CTYPE"} | {
            name for name in env if name.startswith(("PIP_", "SSL_", "REQUESTS_", "GIT_SSL"))
        }
        assert "sk-real" not in json.dumps(env)
        for path in ("/app/x", "/x", "/etc/x", "/root/x", "/var/tmp/x"):
            assert "Error" in await told(target, "write", path)
        assert await told(target, "write", "/tmp/x") is True
        assert "No space" in await told(target, "write_much", "/tmp/much", 3_000_000_000)
        for path in ("/app/.git", "/app/secret.txt", "/var/run/docker.sock", engine.host.removeprefix("unix://")):
            assert await told(target, "exists", path) is False
        assert await told(target, "exists", "/app/app.py") is True
        assert str(tmp_path) not in await told(target, "mounts")


async def test_volumes_of_an_image_are_memory(tmp_path: Path, engine: Engine, app: Path, clean: None) -> None:
    (app / "Dockerfile").write_text(f"{DOCKERFILE}VOLUME /data\n", "utf-8")
    async with started(engine, Build(app), tmp_path) as target:
        assert await told(target, "write", "/data/x") is True
        assert any(" /data tmpfs " in line for line in (await told(target, "mounts")).splitlines())
        assert volumes(engine) == []


async def test_the_only_way_out_is_the_gateway(tmp_path: Path, engine: Engine, app: Path, clean: None) -> None:
    outside = socket.create_server((own_address(), 0))
    loopback = socket.create_server(("127.0.0.1", 0))
    with outside, loopback:
        there, here = outside.getsockname()[:2], loopback.getsockname()[:2]
        async with started(engine, Build(app), tmp_path) as target:
            for place in (there, here, ("169.254.169.254", 80), ("192.0.2.53", 53)):
                assert "rror" in str(await told(target, "reach", *place)), place
            assert "rror" in str(await told(target, "reach", "127.0.0.11", 53, True))
            assert "rror" in str(await told(target, "name", "deb.debian.org"))
        # The same attempts succeed where base's config opens the network, so they are real.
        async with started(engine, Build(app), tmp_path, allowed=Allowed(network=True)) as target:
            for place in (there, here):
                assert await told(target, "reach", *place) is True
            assert any("share the gate's own network" in note for note in target.notes())


async def test_both_sides_are_in_networks_of_their_own(tmp_path: Path, engine: Engine, app: Path, clean: None) -> None:
    async with started(engine, Build(app), tmp_path), started(engine, Build(app), tmp_path):
        networks = engine.docker("network", "ls", "--quiet", "--filter", "label=llm-eval-gate").stdout.split()
        assert len(networks) == 2
        inspected = json.loads(engine.docker("network", "inspect", *networks).stdout)
        assert all(network["Internal"] and len(network["Containers"]) == 1 for network in inspected)


@pytest.mark.parametrize(
    ("question", "kind", "said"),
    [
        (("exit", 3), FailureKind.CRASH, "the container exited with code 3; its stderr ends: boom"),
        (("hang",), FailureKind.HANG, "no answer within 2 s (is stdout flushed?); its stderr ends: zzz"),
        (("babble",), FailureKind.INVALID_ANSWER, "hello"),
        (("eat", 900_000_000), FailureKind.CRASH, "sandbox.memory"),
    ],
    ids=["crash", "hang", "babble", "eat"],
)  # fmt: skip
async def test_a_container_that_fails_is_replaced(
    tmp_path: Path, engine: Engine, app: Path, clean: None, question: tuple[Any, ...], kind: FailureKind, said: str
) -> None:
    allowed = Allowed(memory_bytes=200_000_000)
    async with started(engine, Build(app), tmp_path, case_timeout_s=2.0, allowed=allowed) as target:
        first = await target.answer(Case(id="a", input=["echo", 1]))
        assert (first.data, first.latency_s) == ({"is": 1}, None)
        failed = await target.answer(Case(id="b", input=list(question)))
        assert failed.failure is not None
        assert failed.failure.kind is kind
        assert said in failed.failure.message
        assert engine.docker("ps", "--quiet", "--filter", "label=llm-eval-gate").stdout == ""
        assert await told(target, "echo", 2) == 2
        again = await target.answer(Case(id="d", input=["echo", 3]))
        assert again.latency_s is not None
        assert again.latency_s < 1


async def test_a_fork_bomb_stays_in_its_container(tmp_path: Path, engine: Engine, app: Path, clean: None) -> None:
    async with started(engine, Build(app), tmp_path, allowed=Allowed(processes=20)) as target:
        failed = await target.answer(Case(id="a", input=["fork"]))
        assert "temporarily unavailable" in str(failed.data), failed


async def test_a_cancelled_run_leaves_nothing(tmp_path: Path, engine: Engine, app: Path, clean: None) -> None:
    async def run() -> None:
        async with started(engine, Build(app), tmp_path, slots=2) as target:
            await target.answer(Case(id="a", input=["hang"]))

    task = asyncio.create_task(run())
    while not engine.docker("ps", "--quiet", "--filter", "label=llm-eval-gate").stdout:
        await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_build_that_fails_says_its_last_words(tmp_path: Path, engine: Engine, app: Path, clean: None) -> None:
    (app / "Dockerfile").write_text(f"FROM {NODE_IMAGE}\nRUN echo this-breaks && false\n", "utf-8")
    with pytest.raises(TargetError, match=r"cannot be built, at head: .*this-breaks"):
        async with started(engine, Build(app), tmp_path, allowed=Allowed(network=True)):
            pass


async def test_an_image_is_built_once_and_is_known_again(
    tmp_path: Path, engine: Engine, app: Path, clean: None
) -> None:
    def images() -> list[str]:
        return engine.docker("images", "--quiet", "--filter", "label=llm-eval-gate=app").stdout.split()

    (app / "app.py").write_text(f"{ATTEMPTS}\n# {tmp_path}\n", "utf-8")
    counts = [len(images())]
    for more in ("", "", "# a change\n"):
        with (app / "app.py").open("a", encoding="utf-8") as file:
            file.write(more)
        async with started(engine, Build(app), tmp_path):
            counts.append(len(images()))
    assert [count - counts[0] for count in counts] == [0, 1, 1, 2]


async def test_a_named_image_runs_with_arguments(tmp_path: Path, engine: Engine, node_image: str, clean: None) -> None:
    run = (
        "node",
        "-e",
        "require('readline').createInterface({input: process.stdin}).on('line', l => console.log(JSON.stringify({id: JSON.parse(l).id, output: 'n'})))",
    )
    async with started(engine, Named(node_image), tmp_path, run=run) as target:
        output = await target.answer(Case(id="a", input="q"))
    assert output.text == "n"


async def test_an_engine_without_networks_says_what_to_allow(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("e")
    limited = ("setpriv", "--bounding-set", "-net_admin")
    host = subprocess.run(
        [*limited, ENGINE, "start", str(folder)], check=True, capture_output=True, text=True
    ).stdout.strip()
    try:
        with pytest.raises(TargetError, match="no network whose only way out is the gateway") as raised:
            async with started(Engine(host), Named("any"), tmp_path):
                pass
        assert "sandbox: {network: allow}" in raised.value.hint
    finally:
        subprocess.run([ENGINE, "stop", str(folder)], check=True)


def test_in_a_container_of_its_own_the_gate_joins_the_network(
    tmp_path: Path, engine: Engine, node_image: str, app: Path, clean: None
) -> None:
    """As an action, which the runner puts in a bridge network: our own container is joined, and the relay listens there."""
    (tmp_path / "joined.py").write_text(JOINED, "utf-8")
    mounts = {Path(sys.base_prefix), Path(sys.prefix), ROOT, tmp_path, Path(engine.host.removeprefix("unix://"))}
    words = [word for path in sorted(mounts) if path != Path("/usr") for word in ("--volume", f"{path}:{path}")]
    words += ["--env", f"DOCKER_HOST={engine.host}", "--env", f"PYTHONPATH={ROOT}"]
    engine.docker("network", "create", "outer")
    try:
        done = engine.docker(
            "run", "--rm", "--network", "outer", *words, node_image,
            sys.executable, str(tmp_path / "joined.py"), str(app), str(tmp_path), check=False,
        )  # fmt: skip
    finally:
        engine.docker("network", "rm", "outer")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["asked"] == found["door"]
    assert "rror" in found["beside"]
    assert found["route_before"] == found["route_during"] == found["route_after"]
    assert found["addresses"] == 1
