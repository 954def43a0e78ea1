"""A side's cage: what base's config opens, and a user of its own only where that can work and takes nothing away."""

import os
from pathlib import Path

import pytest

from evaluator.config.targets import SandboxSection
from evaluator.wiring.cages import Place, cage_for_setup, make_cage, uid_of

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


def test_what_the_set_up_starts_is_open_to_it_and_not_to_the_app(tmp_path: Path) -> None:
    program = tmp_path / "home" / ".local" / "bin" / "uv"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    cage, _ = make_cage(place(tmp_path), SandboxSection(), programs=[], setup_programs=[program])
    assert cage.read == ()
    made = cage_for_setup(cage, tmp_path / "inputs", tmp_path / "own", [program])
    assert made.read == (program,)  # the file, and nothing beside it
    assert (made.root, made.home, made.network) == (tmp_path / "inputs", tmp_path / "own", True)


@ROOT
def test_a_set_up_that_only_root_can_start_keeps_our_user_and_is_told(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "uv").write_text("#!/bin/sh\n")
    cage, notes = make_cage(place(tmp_path), SandboxSection(), programs=[], setup_programs=[closed / "uv"])
    assert cage.uid is None
    assert f"no other can reach {closed / 'uv'}" in notes[0]
