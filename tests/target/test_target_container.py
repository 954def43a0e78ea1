"""The `container` target without an engine: what a container may do, its context, the relay, what is said where Docker is missing."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluator.errors import TargetError
from evaluator.target.container import Box, Build, ContainerTarget, description
from evaluator.target.container.context import copy_context
from evaluator.target.container.network import shared_way
from evaluator.target.container.relay import Relay, renamed

BOX = Box("sha256:abc", {"llm-eval-gate": "run-1"}, "our-network", volumes=("/data", "/tmp/"))
MUST = {
    "CapDrop": ["ALL"],
    "SecurityOpt": ["no-new-privileges"],
    "Privileged": False,
    "ReadonlyRootfs": True,
    "Tmpfs": {"/tmp": "rw,exec,nosuid,nodev,mode=1777,size=1000000000"},
    "Mounts": [{"Type": "tmpfs", "Target": "/data", "TmpfsOptions": {"SizeBytes": 1_000_000_000}}],
    "IpcMode": "private",
    "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}, {"Name": "nofile", "Soft": 4096, "Hard": 4096}],
    "PidsLimit": 512,
    "Memory": 2_000_000_000,
    "MemorySwap": 2_000_000_000,
    "NetworkMode": "our-network",
    "Dns": ["127.0.0.1"],
    "LogConfig": {"Type": "none"},
    "AutoRemove": True,
}


def test_every_container_is_held_and_nothing_opens_it() -> None:
    told = description(BOX, ("serve", "--fast"), {"OPENAI_API_KEY": "t"})
    assert told.pop("HostConfig") == MUST
    assert told["User"] == "65534:65534"
    assert told["Env"] == ["HOME=/tmp", "OPENAI_API_KEY=t"]
    assert told["Cmd"] == ["serve", "--fast"]
    assert told["Healthcheck"] == {"Test": ["NONE"]}
    assert told["Labels"] == {"llm-eval-gate": "run-1"}
    assert not {"Entrypoint", "Volumes", "ExposedPorts", "NetworkingConfig"} & set(told)


def test_an_images_own_command_stays_where_no_other_is_given() -> None:
    assert "Cmd" not in description(BOX, (), {})


def test_a_container_in_our_own_network_keeps_its_names() -> None:
    told = description(Box("sha256:abc", {}, "container:abc"), (), {})
    assert "Hostname" not in told
    assert "Dns" not in told["HostConfig"]


def test_an_open_network_is_ours_by_the_hosts_or_our_containers() -> None:
    assert shared_way(None, "head").network == "host"
    assert shared_way("f" * 64, "head").network == "container:" + "f" * 64
    assert shared_way(None, "head").notes


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    (folder / "src").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch\n", "utf-8")
    (folder / "src" / "a").write_text("1", "utf-8")
    (folder / "link").symlink_to("/etc")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("token", "utf-8")
    return folder


def test_a_context_is_copied_without_git_and_links_stay_links(tmp_path: Path, context: Path) -> None:
    os.mkfifo(context / "pipe")
    copy_context(context, tmp_path / "copy")
    found = sorted(str(path.relative_to(tmp_path / "copy")) for path in (tmp_path / "copy").rglob("*"))
    assert found == ["Dockerfile", "link", "src", "src/a"]
    assert (tmp_path / "copy" / "link").readlink() == Path("/etc")


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda folder: (folder / ".git" / "config").write_text("other", "utf-8"), True),
        (lambda folder: os.utime(folder / "src" / "a", (1, 1)), True),
        (lambda folder: (folder / "src" / "a").write_text("2", "utf-8"), False),
        (lambda folder: (folder / "src" / "a").chmod(0o755), False),
        (lambda folder: (folder / "src" / "a").rename(folder / "src" / "b"), False),
        (lambda folder: (folder / "empty").mkdir(), False),
        (lambda folder: ((folder / "link").unlink(), (folder / "link").symlink_to("/usr")), False),
    ],
    ids=["git", "time", "content", "mode", "name", "folder", "link"],
)
def test_an_images_name_hangs_on_what_a_build_sees(
    tmp_path: Path, context: Path, change: Callable[[Path], object], same: bool
) -> None:
    before = copy_context(context, tmp_path / "one")
    change(context)
    assert (copy_context(context, tmp_path / "two") == before) is same


@pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore", "Dockerfile.dockerignore"])
def test_what_the_client_reads_itself_is_no_link(tmp_path: Path, context: Path, name: str) -> None:
    (context / name).unlink(missing_ok=True)
    (context / name).symlink_to("/etc/shadow")
    with pytest.raises(TargetError, match="no plain file"):
        copy_context(context, tmp_path / "copy")


def test_a_folder_without_a_dockerfile_is_told(tmp_path: Path, context: Path) -> None:
    (context / "Dockerfile").unlink()
    with pytest.raises(TargetError, match="Dockerfile is not there"):
        copy_context(context, tmp_path / "copy")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["Host: 10.0.0.1:80"], ["Host: 127.0.0.1:9", "Connection: close"]),
        (["Connection: keep-alive", "HOST:10.0.0.1:80", "A: b"], ["Host: 127.0.0.1:9", "A: b", "Connection: close"]),
        (["Host: evil.example"], ["Host: evil.example", "Connection: close"]),
        (["Host: 10.0.0.1:80", "Connection: Upgrade"], ["Host: 127.0.0.1:9", "Connection: Upgrade"]),
    ],
)
def test_the_relay_says_the_doors_name_for_its_own_and_no_other(lines: list[str], expected: list[str]) -> None:
    head = "\r\n".join(["POST /v1/x HTTP/1.1", *lines, "", ""]).encode()
    assert renamed(head, "10.0.0.1:80", "127.0.0.1:9").decode().split("\r\n")[1:-2] == expected


async def test_the_relay_carries_bodies_both_ways_and_ends_with_the_app() -> None:
    gone = asyncio.Event()

    async def door(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Connection: close" in head
        if b"/wait" in head:
            assert await reader.read() == b""
            gone.set()
        else:
            body = await reader.readexactly(3_000_000)
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(door, "127.0.0.1", 0)
    relay = Relay("127.0.0.2", server.sockets[0].getsockname()[1])
    await relay.open()
    try:
        reader, writer = await asyncio.open_connection(relay.host, relay.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\n\r\n" + b"z" * 3_000_000)
        answer = await asyncio.wait_for(reader.read(), 10)
        assert answer.endswith(b"z" * 3_000_000)
        writer.close()
        _, writer = await asyncio.open_connection(relay.host, relay.port)
        writer.write(b"POST /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.sleep(0.05)
        writer.close()
        await asyncio.wait_for(gone.wait(), 10)
    finally:
        await relay.close()
        server.close()


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("unix:///nowhere.sock", "no Docker Engine answers at unix:///nowhere.sock: "),
        ("tcp://127.0.0.1:9", "no Docker Engine answers at tcp://127.0.0.1:9: "),
        ("ssh://somewhere", "its address must begin with unix:// or tcp://"),
    ],
)
async def test_an_engine_that_is_not_there_is_told(tmp_path: Path, host: str, told: str) -> None:
    target = ContainerTarget(
        "head", Build(tmp_path), env={}, slots=1, start_timeout_s=1, case_timeout_s=1,
        environ={"PATH": "/nowhere", "DOCKER_HOST": host}, scratch=tmp_path,
    )  # fmt: skip
    with pytest.raises(TargetError) as raised:
        await target.start()
    await target.close()
    assert told in raised.value.message
    assert "mounted" in raised.value.hint
