"""Folders of killed runs are removed by the next one, and nobody else's are touched."""

import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluator.source.scratch import remove_leftovers, scratch_folder

ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time
from pathlib import Path
from evaluator.source.scratch import scratch_folder
with scratch_folder(above=Path(sys.argv[1])) as folder:
    (folder / "base").mkdir()
    (folder / "base" / "app.py").write_text("x")
    print(folder, flush=True)
    time.sleep(60)
"""


def start(above: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(above)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as told:
        return process, Path(told.readline().strip())


def killed(above: Path) -> Path:
    """The folder of a process that was killed."""
    process, folder = start(above)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (folder / "base" / "app.py").exists()
    return folder


def test_the_next_one_removes_what_a_killed_one_left_and_not_what_a_living_one_has(tmp_path: Path) -> None:
    living, alive = start(tmp_path)
    left = killed(tmp_path)
    with scratch_folder("demo-", above=tmp_path) as own:
        assert sorted(tmp_path.iterdir()) == sorted([alive, own])
        assert remove_leftovers(tmp_path) == 0  # our own is alive too
    assert list(tmp_path.iterdir()) == [alive]
    assert (alive / "base" / "app.py").exists()
    assert not left.exists()
    living.kill()
    living.wait()


def renamed(folder: Path) -> Path:
    return folder.rename(folder.with_name("somebody-else"))


def without_lock(folder: Path) -> Path:
    (folder / ".alive").unlink()
    return folder


def lock_elsewhere(folder: Path) -> Path:
    lock = folder / ".alive"
    lock.rename(folder / "lock")
    lock.symlink_to("lock")
    return folder


def other_machine(folder: Path) -> Path:
    (folder / ".alive").write_text("another-machine")
    return folder


def linked(folder: Path) -> Path:
    target = folder.rename(folder.with_name("target"))
    folder.symlink_to(target)
    return target


@pytest.mark.parametrize("change", [renamed, without_lock, lock_elsewhere, other_machine, linked])
def test_what_is_not_proven_to_be_a_dead_runs_stays(tmp_path: Path, change: Callable[[Path], Path]) -> None:
    kept = change(killed(tmp_path))
    assert remove_leftovers(tmp_path) == 0
    assert (kept / "base" / "app.py").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("whose", ["folder", "lock"])
def test_another_users_stays(tmp_path: Path, whose: str) -> None:
    left = killed(tmp_path)
    os.chown(left if whose == "folder" else left / ".alive", 12345, 12345)
    assert remove_leftovers(tmp_path) == 0
    assert (left / "base" / "app.py").exists()


def test_links_in_it_are_removed_and_not_followed(tmp_path: Path) -> None:
    left = killed(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "kept").write_text("kept")
    (left / "base" / "link").symlink_to(tmp_path / "mine")
    assert remove_leftovers(tmp_path) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (tmp_path / "mine" / "kept").read_text() == "kept"


def test_a_folder_that_the_app_has_closed_is_removed_by_a_plain_user_too() -> None:
    with tempfile.TemporaryDirectory(prefix="another-user-") as above:  # pytest's own is closed to other users
        Path(above).chmod(0o777)
        words = [sys.executable, "-c", CLOSED, above]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert list(Path(above).iterdir()) == []


CLOSED = """
import os, sys
from pathlib import Path
from evaluator.source.scratch import remove_leftovers, scratch_folder
if os.geteuid() == 0:
    os.setgroups([]), os.setgid(12345), os.setuid(12345)
above, pid = Path(sys.argv[1]), os.fork()
if pid == 0:
    with scratch_folder(above=above) as folder:
        (folder / "a" / "b").mkdir(parents=True)
        (folder / "a" / "b" / "file").touch()
        for name in ("a/b", "a"):
            (folder / name).chmod(0)
        os._exit(9)
os.waitpid(pid, 0)
assert len(list(above.iterdir())) == 1
assert remove_leftovers(above) == 1
"""


def test_folders_deeper_than_python_walks_keep_nobody_from_starting(
    tmp_path: Path,
) -> None:
    left = killed(tmp_path)
    deep = os.open(left, os.O_RDONLY)
    for _ in range(1500):  # a path so long could not be said in one piece
        os.mkdir("d", dir_fd=deep)
        inner = os.open("d", os.O_RDONLY, dir_fd=deep)
        os.close(deep)
        deep = inner
    os.close(deep)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(20_000, hard), hard))  # as in a container
    try:
        with scratch_folder(above=tmp_path) as own:
            assert own.exists()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        subprocess.run(["rm", "-rf", str(left)], check=True)
