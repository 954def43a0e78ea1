"""The image that the Dockerfile makes: what is in it, what is not, and that it holds against a hostile workspace."""

import json
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.container.engine import ENGINE, Engine

LARGEST = 120_000_000
"""Bytes, compressed."""
SLOWEST_START_S = 1.5


@pytest.fixture(scope="module")
def described(engine: Engine, gate_image: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(engine.docker("image", "inspect", gate_image).stdout)[0]
    return document


@pytest.fixture
def hostile(tmp_path: Path, engine: Engine, gate_image: str) -> Path:
    """A workspace of the runner's user, with modules that must never be imported."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    subprocess.run(["git", "init", "--quiet", str(workspace)], check=True)
    for name in ("json", "os", "site", "sitecustomize", "evaluator", "asyncio", "github", "yaml"):
        (workspace / f"{name}.py").write_text("print('SHADOWED', flush=True)\n", "utf-8")
    engine.run(gate_image, "-R", "1001:1001", "/w", entrypoint="chown", mounts={workspace: "/w"})
    return workspace


def test_it_is_small_enough(engine: Engine, gate_image: str) -> None:
    with subprocess.Popen([ENGINE, "client", "save", gate_image], env=engine.environ, stdout=subprocess.PIPE) as saved:
        size = int(
            subprocess.run("gzip -9 | wc -c", shell=True, stdin=saved.stdout, check=True, capture_output=True).stdout
        )
    assert saved.returncode == 0
    assert 50_000_000 < size <= LARGEST, f"{size / 1e6:.1f} MB compressed"


def test_it_starts_by_an_absolute_path_without_a_shell_a_user_or_a_working_directory(described: dict[str, Any]) -> None:
    config = described["Config"]
    assert config["Entrypoint"] == ["/app/bin/python", "-I", "/app/entrypoint.py"]
    assert not config["Cmd"]
    assert config["User"] == ""
    assert config["WorkingDir"] in ("", "/")


def test_it_is_labelled(described: dict[str, Any]) -> None:
    labels = described["Config"]["Labels"]
    names = {"title", "description", "licenses", "source", "version", "revision"}
    assert {name for name in names if labels.get(f"org.opencontainers.image.{name}")} == names


def test_no_compiler_no_installer_and_no_cache_is_left(engine: Engine, gate_image: str) -> None:
    found = engine.shell(
        gate_image,
        "for name in gcc cc g++ c++ clang ld as make cargo pip pip3; do command -v $name || true; done;"
        "ls -d /pip /out /image.lock 2>/dev/null || true; find /app -type d -name pip -o -type d -name tests;"
        "find /root /tmp /var/log /var/lib/apt/lists /var/cache/apt -type f -size +0 ! -name '.bashrc' ! -name '.profile'",
    )
    assert found == ""


def test_what_apps_need_for_their_set_up_is_there_for_another_user_too(engine: Engine, gate_image: str) -> None:
    script = (
        "import os, subprocess, tempfile\n"
        "home = tempfile.mkdtemp(); os.chown(home, 65534, 65534)\n"
        "for command in ('git --version', 'git lfs version', 'uv --version', 'llm-eval-gate --version',\n"
        "                'uv venv --offline --no-cache venv', 'venv/bin/python -c \"print(1+1)\"'):\n"
        "    subprocess.run(command, shell=True, check=True, cwd=home, user=65534, group=65534, extra_groups=[],\n"
        "                   env={'PATH': os.environ['PATH'], 'HOME': home})\n"
    )
    done = engine.run(gate_image, "-I", "-c", script, entrypoint="/app/bin/python")
    assert done.stdout.splitlines()[-1] == "2"


def test_every_module_of_ours_can_be_imported_and_none_of_them_has_to_be_compiled(
    engine: Engine, gate_image: str
) -> None:
    script = (
        "import importlib, os, pkgutil, sys, evaluator\n"
        "for found in pkgutil.walk_packages(evaluator.__path__, 'evaluator.'):\n"
        "    importlib.import_module(found.name)\n"
        "bare = [name for name, module in sys.modules.items()\n"
        "        if getattr(module, '__cached__', None) and not os.path.exists(module.__cached__)]\n"
        "print(bare)\n"
    )
    done = engine.run(gate_image, "-I", "-B", "-c", script, entrypoint="/app/bin/python")
    assert done.stdout == "[]\n"


def test_modules_in_the_workspace_do_not_shadow_ours(engine: Engine, gate_image: str, hostile: Path) -> None:
    done = engine.run(
        gate_image,
        mounts={hostile: "/github/workspace"},
        directory="/github/workspace",
        environ={
            "PYTHONPATH": "/github/workspace",
            "PYTHONSTARTUP": "/github/workspace/json.py",
            "HOME": "/github/home",
        },
        check=False,
    )
    assert "SHADOWED" not in done.stdout + done.stderr
    # No event, no token: a mistake in the configuration.
    assert done.exit_code == 2, done.stdout + done.stderr


def test_git_reads_a_workspace_of_another_user_whatever_home_is(engine: Engine, gate_image: str, hostile: Path) -> None:
    done = engine.run(
        gate_image,
        "status",
        "--porcelain",
        entrypoint="git",
        mounts={hostile: "/github/workspace"},
        directory="/github/workspace",
        environ={"HOME": "/github/home"},
    )
    assert "?? json.py" in done.stdout.splitlines()


def test_a_child_that_is_another_user_cannot_read_our_environment(engine: Engine, gate_image: str) -> None:
    script = (
        "import os, subprocess\n"
        "read = ['cat', f'/proc/{os.getpid()}/environ']\n"
        "as_root = subprocess.run(read, capture_output=True)\n"
        "as_nobody = subprocess.run(read, capture_output=True, user=65534, group=65534, extra_groups=[])\n"
        "print(b'sk-secret' in as_root.stdout, as_nobody.stdout, as_nobody.returncode != 0)\n"
    )
    done = engine.run(gate_image, "-I", "-c", script, entrypoint="/app/bin/python", environ={"KEY": "sk-secret"})
    assert done.stdout == "True b'' True\n"


def test_it_starts_quickly(engine: Engine, gate_image: str) -> None:
    def start_s() -> float:
        before = time.time()
        script = "import evaluator.pipeline, time; print(time.time())"
        return float(engine.run(gate_image, "-I", "-c", script, entrypoint="/app/bin/python").stdout) - before

    # The best of five: other processes on the machine slow it down and nothing speeds it up.
    assert min(start_s() for _ in range(5)) < SLOWEST_START_S


def test_a_second_build_gives_the_same_image_bit_by_bit(
    engine: Engine, gate_image: str, action_folder: Path, tmp_path: Path
) -> None:
    copied = shutil.copytree(action_folder, tmp_path / "again")
    for path in copied.rglob("*"):
        path.touch()  # dates of the checkout must not matter
    engine.build(copied, f"{gate_image}-again", "--no-cache")
    first, second = (
        json.loads(engine.docker("image", "inspect", name).stdout)[0]["RootFS"]["Layers"]
        for name in (gate_image, f"{gate_image}-again")
    )
    assert first == second


def test_it_builds_on_the_older_debian_with_its_older_python(engine: Engine, action_folder: Path) -> None:
    base = engine.base_image("bookworm")
    engine.build(action_folder, "llm-eval-gate:bookworm", "--build-arg", f"BASE_IMAGE={base}")
    version = "import sys, evaluator.pipeline; print(sys.version_info[:2])"
    assert engine.run("llm-eval-gate:bookworm", "-I", "-c", version, entrypoint="/app/bin/python").stdout == "(3, 11)\n"


def test_it_builds_with_buildkit_as_on_github(engine: Engine, action_folder: Path) -> None:
    replace(engine, buildkit=True).build(action_folder, "llm-eval-gate:buildkit")
    done = engine.run("llm-eval-gate:buildkit", "--version", entrypoint="llm-eval-gate")
    assert done.stdout.startswith("llm-eval-gate ")
