"""A ref gets an environment of its own; an equal one is kept, and nothing writable is shared."""

import asyncio
import os
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from evaluator.errors import TargetError
from evaluator.records import Side
from evaluator.setup import Ready, SetupRequest, set_up
from evaluator.worker import child_environment
from tests.setup.wheels import make_wheel

FAST = shutil.which("uv") is not None
INSTALL = (
    "uv pip install --quiet --no-index -r requirements.txt" if FAST else "pip install -q --no-index -r requirements.txt"
)


def request(
    tmp_path: Path, *commands: str, side: Side = "head", timeout_s: float = 120, name: str = ""
) -> SetupRequest:
    root, folder, home = (tmp_path / f"{kind}-{name or side}" for kind in ("app", "setup", "home"))
    for made in (root, folder, home):
        made.mkdir(exist_ok=True)
    links = {"UV_FIND_LINKS": str(tmp_path / "wheels"), "PIP_FIND_LINKS": str(tmp_path / "wheels")}
    return SetupRequest(
        side=side,
        root=root,
        commands=tuple(tuple(shlex.split(command)) for command in commands),
        interpreter=sys.executable,
        timeout_s=timeout_s,
        env=child_environment(os.environ, home=home, extra={**links, "UV_LINK_MODE": "copy"}),
        folder=folder,
        kept=tmp_path / "kept",
    )


def run_in(ready: Ready, *argv: str) -> str:
    env = {**ready.environment("/usr/bin:/bin"), "HOME": "/nonexistent"}
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("other_user", [False, True])
async def test_an_environment_is_made_once_and_kept_and_each_side_has_its_own(tmp_path: Path, other_user: bool) -> None:
    make_wheel(
        tmp_path / "wheels", "dep", "1.0", "def main():\n    import sys; print('one', sys.prefix)\n", script="dep"
    )
    base, head = request(tmp_path, INSTALL, side="base"), request(tmp_path, INSTALL)
    for made in (base, head):
        (made.root / "requirements.txt").write_text("dep==1.0\n")
    (head.root / "dep.py").write_text("raise SystemExit('the checkout is not the environment')")
    first, second = await set_up(base), await set_up(replace(head, other_user=other_user))
    assert (first.kept, second.kept) == (False, True)
    for ready in (first, second):  # its scripts know where they are
        assert run_in(ready, "dep") == f"one {ready.venv}"
    # What one side writes reaches neither the other nor the next run.
    [module] = second.venv.glob("lib/python*/site-packages/dep.py")
    assert (module.stat().st_nlink > 1) is other_user
    if other_user:
        assert module.stat().st_mode & 0o022 == 0
        module.unlink()
    module.write_text("def main(): print('two')\n")
    (second.venv / "bin" / "dep").unlink()
    assert run_in(first, "dep").startswith("one")
    third = await set_up(replace(request(tmp_path, INSTALL, name="third"), root=head.root))
    assert third.kept
    assert run_in(third, "dep").startswith("one")


async def test_other_requirements_or_settings_are_another_environment(tmp_path: Path) -> None:
    for version in ("1.0", "2.0"):
        make_wheel(tmp_path / "wheels", "dep", version, f"print({version})\n")
    base, head = request(tmp_path, INSTALL, side="base"), request(tmp_path, INSTALL)
    (base.root / "requirements.txt").write_text("dep==1.0\n")
    (head.root / "requirements.txt").write_text("dep==2.0\n")
    readies = [await set_up(base), await set_up(head)]
    assert [ready.kept for ready in readies] == [False, False]
    assert [run_in(ready, ready.python, "-c", "import dep") for ready in readies] == ["1.0", "2.0"]
    again = replace(base, folder=tmp_path / "again", env={**base.env, "UV_INDEX_STRATEGY": "first-index"})
    again.folder.mkdir()
    assert not (await set_up(again)).kept


async def test_what_installs_the_checkout_is_never_kept(tmp_path: Path) -> None:
    requests = [
        request(tmp_path, "sh -c 'cp own.py \"$VIRTUAL_ENV\"/own.py; pwd > where'", side=side)
        for side in ("base", "head")
    ]
    for made, text in zip(requests, ("base", "head"), strict=True):
        (made.root / "own.py").write_text(text)
    readies = [await set_up(made) for made in requests]
    assert [(ready.kept, (ready.venv / "own.py").read_text()) for ready in readies] == [
        (False, "base"),
        (False, "head"),
    ]
    assert [(made.root / "where").read_text().strip() for made in requests] == [str(made.root) for made in requests]


async def test_commands_that_are_kept_see_their_lock_files_and_nothing_else(tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheels", "dep", "1.0", "")
    made = request(tmp_path, "python -m pip install -q --no-index -r requirements.txt")
    (made.root / "requirements.txt").write_text("dep\n")
    (made.root / "pip.py").write_text("open('/tmp/never', 'w'); raise SystemExit('a module of the checkout ran')")
    ready = await set_up(made)
    assert run_in(ready, ready.python, "-c", "import dep; print('there')") == "there"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("sh -c 'echo on stdout; exit 3'", "exited with code 3; its output ends: on stdout"),
        ("sh -c 'echo on stderr >&2; exit 3'", "exited with code 3; its output ends: on stderr"),
        ("sh -c 'printf \"\\033[31m::error::red\"; exit 1'", "\\x1b[31m::error::red"),
        ("no-such-program --x", "cannot start no-such-program"),
        ("uv pip install --no-index -r requirements.txt" if FAST else "pip install --no-index -r requirements.txt", "no_such_dep"),
    ],
)  # fmt: skip
async def test_a_command_that_fails_is_the_refs_error_with_its_last_words(
    tmp_path: Path, command: str, told: str
) -> None:
    made = request(tmp_path, command)
    (made.root / "requirements.txt").write_text("no_such_dep==1\n")
    (tmp_path / "wheels").mkdir()
    with pytest.raises(TargetError) as raised:
        await set_up(made)
    assert "setup failed at head" in raised.value.message
    assert told in raised.value.message.replace("-", "_") or told in raised.value.message
    assert "\x1b" not in raised.value.message
    assert raised.value.exit_code == 2
    assert not (tmp_path / "kept").exists()


async def test_a_command_that_does_not_end_is_killed_with_all_it_started(tmp_path: Path) -> None:
    made = request(tmp_path, "sh -c 'sleep 61.25 & setsid sleep 61.25 & sleep 61.25'", timeout_s=1.5)
    started = time.monotonic()
    with pytest.raises(TargetError, match="did not end within"):
        await set_up(made)
    assert time.monotonic() - started < 20
    await asyncio.sleep(0.1)
    left = [entry for entry in Path("/proc").glob("[0-9]*/cmdline") if b"61.25" in _bytes(entry)]
    assert left == []


async def test_keys_are_not_in_the_commands_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    made = request(tmp_path, "sh -c 'env > seen'")
    await set_up(made)
    seen = (made.root / "seen").read_text()
    assert "sk-secret" not in seen
    assert f"VIRTUAL_ENV={made.folder}" in seen


async def test_two_runs_at_once_are_as_good_as_one_after_the_other(tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheels", "dep", "1.0", "print('dep')\n")
    requests = [request(tmp_path, INSTALL, name=str(number)) for number in range(4)]
    for made in requests:
        (made.root / "requirements.txt").write_text("dep\n")
    readies = await asyncio.gather(*(set_up(made) for made in requests))
    assert [run_in(ready, ready.python, "-c", "import dep") for ready in readies] == ["dep"] * 4
    assert len([entry for entry in (tmp_path / "kept").iterdir() if not entry.name.startswith(".")]) == 1


async def test_an_old_environment_is_made_anew(tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheels", "dep", "1.0", "")
    first, second = request(tmp_path, INSTALL, name="1"), request(tmp_path, INSTALL, name="2")
    for made in (first, second):
        (made.root / "requirements.txt").write_text("dep\n")
    await set_up(first)
    [entry] = (tmp_path / "kept").iterdir()
    long_ago = time.time() - 8 * 86_400
    os.utime(entry / "venv", (long_ago, long_ago))
    assert not (await set_up(second)).kept
    third = request(tmp_path, INSTALL, name="3")
    (third.root / "requirements.txt").write_text("dep\n")
    assert (await set_up(third)).kept


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
