"""A side's cage: what base's config opens, and a user of its own only where that can work and takes nothing away."""

import os
from pathlib import Path

import pytest

from evaluator.config.targets import SandboxSection
from evaluator.wiring.cages import Place, make_cage, uid_of
from evaluator.wiring.programs import find_program, installations, reachable

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give another user")


def place(tmp_path: Path, app: str = "") -> Place:
    root = tmp_path / "sources-x" / "head" / app
    root.mkdir(parents=True, exist_ok=True)
    return Place("head", root, tmp_path)


def test_base_config_says_what_is_open(tmp_path: Path) -> None:
    section = SandboxSection(network="allow", read=("/opt/data",), memory="2GB", processes=7, shared=True)  # type: ignore[arg-type]
    cage, _ = make_cage(place(tmp_path), section, programs=[], ports=[4711])
    assert (cage.network, cage.read, cage.ports, cage.shared) == (True, (Path("/opt/data"),), (4711,), True)
    assert (cage.limits.memory_bytes, cage.limits.processes) == (2_000_000_000, 7)
    closed, _ = make_cage(place(tmp_path), SandboxSection(), programs=[])
    assert (closed.network, closed.shared, closed.ports) == (False, False, ())


def test_the_whole_checkout_is_open_to_an_app_in_a_folder_of_it(tmp_path: Path) -> None:
    assert place(tmp_path, "apps/bot").checkout == tmp_path / "sources-x" / "head"
    assert place(tmp_path).checkout == tmp_path / "sources-x" / "head"
    assert Place("head", Path("/elsewhere"), tmp_path).checkout == Path("/elsewhere")


@ROOT
def test_a_checkout_that_is_not_ours_is_never_handed_over(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    cage, _ = make_cage(Place("head", tmp_path, tmp_path / "scratch"), SandboxSection(), programs=[])
    assert cage.uid is None


@ROOT
def test_a_program_that_only_root_can_reach_keeps_our_user_and_is_told(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "tool").write_text("#!/bin/sh\n")
    here = place(tmp_path)
    cage, notes = make_cage(here, SandboxSection(), programs=[closed / "tool"])
    assert cage.uid is None
    assert "our own user" in notes[0]
    cage, notes = make_cage(here, SandboxSection(), programs=[Path("/bin/sh")])
    assert (cage.uid, notes) == (uid_of("head", tmp_path), ())
    base = make_cage(Place("base", here.root, tmp_path), SandboxSection(), programs=[])[0].uid
    assert base == uid_of("base", tmp_path) != cage.uid
    assert uid_of("head", tmp_path / "another run") != cage.uid


def test_head_cannot_choose_its_user_by_a_link_in_its_checkout(tmp_path: Path) -> None:
    root = tmp_path / "head"
    root.mkdir()
    (root / "app").symlink_to("/root/closed")
    assert find_program("./app", root, "/usr/bin") is None
    assert find_program("bin/app", root, "/usr/bin") is None
    assert find_program(str(root / "app"), root, "/usr/bin") is None
    assert find_program("sh", root, "/usr/bin:/bin") in (Path("/usr/bin/sh"), Path("/bin/sh"))
    assert find_program("no-such", root, "/usr/bin") is None


def test_reaching_a_file_goes_through_all_of_its_links(tmp_path: Path) -> None:
    assert reachable(Path("/bin/sh"))
    assert not reachable(Path("/no/such/file"))
    loop = Path("/tmp") / f"loop-{os.getpid()}"
    loop.symlink_to(loop)
    try:
        assert not reachable(loop)
    finally:
        loop.unlink()


def test_a_programs_own_folder_is_open_but_never_a_home(tmp_path: Path) -> None:
    for name in ("node/bin/node", "home/bin/x"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("")
    assert installations([tmp_path / "node/bin/node", Path("/usr/bin/env")]) == (tmp_path / "node",)
    assert installations([Path.home() / ".local/bin/x", Path.home() / "bin/x", Path("/bin/x")]) == ()
