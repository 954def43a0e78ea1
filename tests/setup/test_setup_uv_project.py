"""`uv sync` is kept where its lock tells all that it installs; a path of the checkout in it, and it is made anew."""

import os
import shlex
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from evaluator.setup import Ready, SetupRequest, set_up
from evaluator.setup.inputs import lock_inputs
from evaluator.setup.uv_project import is_sync, locks_all
from evaluator.worker import child_environment

SYNC = "uv sync --frozen --no-install-project"
PROJECT = """\
[project]
name = "app"
version = "1"
requires-python = ">=3.8"
dependencies = []
"""
OWN = """
[[package]]
name = "app"
version = "1"
source = { virtual = "." }
"""
LOCK = f"""\
version = 1
requires-python = ">=3.8"
{OWN}"""
HTTPX = """
[[package]]
name = "httpx"
version = "1.0"
source = { registry = "https://index.example/simple" }
sdist = { url = "https://files.example/httpx.tar.gz", hash = "sha256:00" }
wheels = [{ url = "https://files.example/httpx.whl", hash = "sha256:00" }]
"""


@pytest.mark.parametrize(
    ("command", "kept"),
    [
        (SYNC, True),
        ("uv sync -q --no-install-project --frozen --no-dev --extra web --group=eval --compile-bytecode", True),
        ("uv sync --frozen", False),
        ("uv sync --no-install-project", False),
        ("uv sync --locked --no-install-project", False),
        (f"{SYNC} --extra", False),
        (f"{SYNC} --find-links wheels", False),
        (f"{SYNC} --project other", False),
        (f"{SYNC} --directory=other", False),
        (f"{SYNC} --config-file uv.toml", False),
        (f"{SYNC} --python other/python", False),
        (f"{SYNC} --all-packages", False),
        (f"{SYNC} other", False),
        ("./uv sync --frozen --no-install-project", False),
    ],
)
def test_only_a_command_that_installs_by_the_lock_is_kept(tmp_path: Path, command: str, kept: bool) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "uv.lock").write_text(LOCK + HTTPX)
    (tmp_path / "app.py").write_text("code")
    assert is_sync(shlex.split(command)) is kept
    found = lock_inputs([shlex.split(command)], tmp_path)
    assert (found is not None and set(found) == {"pyproject.toml", "uv.lock"}) is kept


@pytest.mark.parametrize(
    "source",
    [
        'registry = "https://index.example/simple"', 'url = "https://files.example/x.whl"',
        'git = "https://example.org/x.git?rev=1#0123"', 'git = "https://example.org/x#0", subdirectory = "x"',
        'editable = "."', 'virtual = "."',
    ],
)  # fmt: skip
def test_what_comes_from_elsewhere_may_be_locked(source: str) -> None:
    lock = f'{LOCK}\n[[package]]\nname = "x"\nsource = {{ {source} }}\n'
    assert locks_all(PROJECT.encode(), lock.encode())


@pytest.mark.parametrize(
    "source",
    [
        'editable = "packages/x"', 'virtual = "packages/x"', 'directory = "../x"', 'path = "x.whl"', 'registry = "wheels"',
        'registry = "../wheels"', 'registry = "http://index.example"', 'registry = "file:///opt/wheels"', 'url = "x.whl"',
        'git = "file:///opt/x"', 'git = "ssh://git@example.org/x"', 'workspace = true', 'path = "x", url = "https://e.org"', "",
    ],
)  # fmt: skip
def test_what_comes_from_the_checkout_may_not(source: str) -> None:
    lock = f'{LOCK}\n[[package]]\nname = "x"\nsource = {{ {source} }}\n'
    assert not locks_all(PROJECT.encode(), lock.encode())


@pytest.mark.parametrize(
    "lock",
    [
        LOCK + HTTPX.replace('url = "https://files.example/httpx.whl"', 'path = "httpx.whl"'),
        LOCK + HTTPX.replace("https://files.example/httpx.tar.gz", "file:///opt/httpx.tar.gz"),
        LOCK + HTTPX.replace("wheels = [", 'wheels = "x" #'),
        LOCK + '\n[[package]]\nname = "x"\n',
        LOCK + '\n[[package]]\nname = "x"\nsource = "x"\n',
        LOCK + '\n[[distribution]]\nname = "x"\nsource = { directory = "/opt/x" }\n',
        'package = "x"',
        "package = [1]",
        "not toml",
    ],
)
def test_a_lock_that_names_a_file_or_cannot_be_read_is_none(lock: str) -> None:
    assert locks_all(PROJECT.encode(), (LOCK + HTTPX).encode())
    assert not locks_all(PROJECT.encode(), lock.encode())
    assert not locks_all(PROJECT.encode(), b"\xff")


@pytest.mark.parametrize(
    "lock",
    ["a" + ".a" * 100_000 + " = 1", "a = " + "[" * 100_000, "a = " + "1" * 100_000],
    ids=["dots", "nest", "digits"],
)
def test_a_lock_that_eats_the_reader_is_none(tmp_path: Path, lock: str) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "uv.lock").write_text(lock)
    assert lock_inputs([shlex.split(SYNC)], tmp_path) is None


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ('default-groups = ["dev"]', True),
        ("package = false", True),
        ('index = [{ name = "own", url = "https://index.example/simple" }]', True),
        ('index = [{ name = "own", url = "wheels" }]', False),
        ('index = [{ name = "own" }]', False),
        ('find-links = ["wheels"]', False),
        ('workspace = { members = ["packages/*"] }', False),
        ('cache-dir = "cache"', False),
        ('unknown-to-us = "x"', False),
    ],
)
def test_settings_that_may_name_a_file_are_not_kept(settings: str, kept: bool) -> None:
    inside = f"{PROJECT}[tool.uv]\n{settings}\n"
    assert locks_all(inside.encode(), LOCK.encode()) is kept
    assert locks_all(PROJECT.encode(), LOCK.encode(), settings.encode()) is kept
    assert not locks_all(b"tool = 1", LOCK.encode())


def request(tmp_path: Path, name: str, *commands: str) -> SetupRequest:
    path = f"{sys.base_prefix}/bin:{os.environ['PATH']}"  # before a shim, which obeys .python-version itself
    if shutil.which("uv", path=path) is None:
        pytest.skip("needs uv")
    root, folder, home = (tmp_path / f"{kind}-{name}" for kind in ("app", "setup", "home"))
    for made in (root, folder, home):
        made.mkdir()
    (root / "pyproject.toml").write_text(PROJECT)
    (root / "uv.lock").write_text(LOCK)
    return SetupRequest(
        side="head",
        root=root,
        commands=tuple(tuple(shlex.split(command)) for command in commands),
        interpreter=sys.executable,
        timeout_s=120,
        env=child_environment(
            os.environ, home=home, extra={"PATH": path, "UV_OFFLINE": "1", "UV_PYTHON_DOWNLOADS": "never"}
        ),
        folder=folder,
        kept=tmp_path / "kept",
    )


def interpreter_of(ready: Ready) -> str:
    return os.path.realpath(ready.python)


async def test_a_locked_project_is_set_up_once(tmp_path: Path) -> None:
    first = await set_up(request(tmp_path, "1", SYNC))
    made = request(tmp_path, "2", SYNC)
    (made.root / "app.py").write_text("other code, on which nothing hangs")
    second = await set_up(made)
    assert (first.kept, second.kept) == (False, True)
    assert interpreter_of(first) == interpreter_of(second) == os.path.realpath(sys.executable)
    other = request(tmp_path, "3", SYNC)
    (other.root / "uv.lock").write_text(LOCK.replace(">=3.8", ">=3.9"))
    assert not (await set_up(other)).kept


async def test_an_environment_whose_python_was_replaced_is_not_kept_and_told(tmp_path: Path) -> None:
    other = "/usr/bin/python3"
    if not Path(other).exists() or os.path.realpath(other) == os.path.realpath(sys.executable):
        pytest.skip("needs a second Python")
    for name in ("1", "2"):
        made = request(tmp_path, name, SYNC)
        (made.root / ".python-version").write_text(other)
        ready = await set_up(made)
        assert not ready.kept
        assert interpreter_of(ready) == os.path.realpath(other)
        assert "head: the commands of `setup:` put another Python" in ready.notes[0]
    assert not (tmp_path / "kept").exists()
    same = await set_up(replace(request(tmp_path, "3", SYNC), interpreter=other))
    assert same.notes == ()
