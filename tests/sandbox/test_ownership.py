"""The two folders become the user's, and nothing that they point to does."""

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluator.sandbox import Cage, SandboxError, confine, not_held, prepare
from tests.sandbox.arena import BASE_UID, HEAD_UID

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to hand files over")


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="owned-", dir="/tmp") as folder:
        scratch = Path(folder)
        for name in ("sources/head/.git/config", "sources/head/src/app.py", "sources/base/app.py", "secret"):
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            (scratch / name).write_text("x")
        yield scratch


def cage(place: Path, side: str = "head", uid: int | None = HEAD_UID) -> Cage:
    return Cage(root=place / "sources" / side, home=place / f"home-{side}", uid=uid)


def owner(path: Path) -> int:
    return path.lstat().st_uid


@root_only
def test_checkout_and_home_are_the_users_and_the_repository_is_ours(place: Path) -> None:
    prepare(cage(place))
    root = place / "sources" / "head"
    assert owner(root / "src") == owner(root / "src" / "app.py") == owner(place / "home-head") == HEAD_UID
    assert owner(root) == owner(root / ".git") == owner(root / ".git" / "config") == 0
    assert stat.S_IMODE(root.stat().st_mode) == 0o1770
    assert stat.S_IMODE((place / "home-head").stat().st_mode) == 0o700
    assert owner(place / "sources" / "base" / "app.py") == 0


@root_only
def test_folders_above_can_be_passed_through_and_not_listed(place: Path) -> None:
    prepare(cage(place))
    assert stat.S_IMODE(place.stat().st_mode) == 0o701
    assert stat.S_IMODE((place / "secret").stat().st_mode) & 0o700 == 0o600


@root_only
def test_a_link_in_the_checkout_hands_nothing_over(place: Path) -> None:
    root = place / "sources" / "head"
    (root / "way").symlink_to(place / "secret")
    (root / "folder").symlink_to(place / "sources" / "base")
    os.link(place / "secret", root / "second-name")
    prepare(cage(place))
    assert (
        owner(place / "secret")
        == owner(place / "sources" / "base")
        == owner(place / "sources" / "base" / "app.py")
        == 0
    )


@root_only
def test_each_side_keeps_its_own_when_the_other_is_prepared(place: Path) -> None:
    prepare(cage(place))
    prepare(cage(place, "base", BASE_UID))
    prepare(cage(place))
    assert owner(place / "sources" / "base" / "app.py") == BASE_UID
    assert owner(place / "sources" / "head" / "src") == HEAD_UID


@root_only
def test_a_home_folder_of_a_person_is_not_opened(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(place))
    with pytest.raises(SandboxError, match="cannot reach what is below") as caught:
        prepare(cage(place))
    assert "TMPDIR" in caught.value.hint
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_without_a_user_of_its_own_only_home_is_closed(place: Path) -> None:
    before = stat.S_IMODE((place / "sources" / "head").stat().st_mode)
    prepare(cage(place, uid=None))
    assert stat.S_IMODE((place / "home-head").stat().st_mode) == 0o700
    assert stat.S_IMODE((place / "sources" / "head").stat().st_mode) == before


@pytest.mark.parametrize("uid", [0, -1, 65_534])
def test_root_and_nobody_are_no_users_of_a_sandbox(place: Path, uid: int) -> None:
    with pytest.raises(SandboxError):
        confine(["true"], cage(place, uid=uid))


@root_only
def test_what_is_not_held_is_told(place: Path) -> None:
    own = cage(place)
    prepare(own)
    assert all("cannot get to" in notice for notice in not_held(own))  # a Python in /root
    told = " ".join(not_held(cage(place, uid=None)))
    assert "runs as the user who runs the gate" in told
    assert "as root" in told


def test_a_sandbox_that_cannot_be_set_up_is_an_error(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/no/such/python")
    with pytest.raises(SandboxError, match="cannot be started"):
        not_held(cage(place, uid=None))
