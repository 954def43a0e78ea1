"""A program outside of the checkout is open with what it cannot do without, and with nothing that is a person's."""

import os
from pathlib import Path

import pytest

from evaluator.errors import TargetError
from evaluator.wiring.programs import find_program, find_programs, installations, reachable, refuse_lost_shims


def put(path: Path, text: str = "#!/bin/sh\n") -> Path:
    """A program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


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


@pytest.mark.parametrize("home", [".local", "home"])
def test_beside_a_program_of_a_persons_own_nothing_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = tmp_path / home
    (folder / "lib").mkdir(parents=True)
    tool = put(tmp_path / "tools" / "uv")
    (folder / "bin").mkdir()
    (folder / "bin" / "uv").symlink_to(tool)
    assert installations([put(folder / "bin" / "x"), folder / "bin" / "uv"]) == ()


@pytest.mark.parametrize("name", [".local", ".cargo", ".docker"])
def test_beside_a_program_in_a_folder_with_keys_nothing_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """`uv` may lie in ~/.cargo/bin, beside ~/.cargo/credentials.toml; and ~/.local may be a link."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert (
        installations([put(tmp_path / "home" / name / "bin" / "uv"), put(tmp_path / "other" / name / "bin" / "uv")])
        == ()
    )
    (tmp_path / "linked").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "linked" / name).symlink_to(tmp_path / "data")
    monkeypatch.setenv("HOME", str(tmp_path / "linked"))
    assert installations([put(tmp_path / "linked" / name / "bin" / "uv")]) == ()


def test_a_script_that_is_linked_beside_its_interpreter_gets_both(tmp_path: Path) -> None:
    version = tmp_path / "nvm" / "v20"
    script = put(version / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js", "#!/usr/bin/env node\n")
    put(version / "bin" / "node")
    (version / "bin" / "npm").symlink_to(script)
    assert installations([version / "bin" / "npm"]) == (version, version / "lib" / "node_modules" / "npm")


def test_what_the_environment_of_setup_has_itself_is_not_looked_for(tmp_path: Path) -> None:
    folder = tmp_path / "bin"
    for name in ("python", "pip3", "uv"):
        put(folder / name)
    names = ("python", "uv", "pip3", "uv", "none")
    assert find_programs(names, tmp_path / "head", str(folder), has_setup=True) == [folder / "uv"]
    found = find_programs(names, tmp_path / "head", str(folder), has_setup=False)
    assert found == [folder / "python", folder / "uv", folder / "pip3"]


def test_a_shim_of_pyenv_opens_pyenv_alone(tmp_path: Path) -> None:
    shim = put(tmp_path / "home" / ".pyenv" / "shims" / "python")
    refused = pytest.raises(TargetError, match="version manager's shim")
    with refused:  # what it would start is not there
        refuse_lost_shims([shim], ())
    for name in ("libexec", "versions"):
        (shim.parent.parent / name).mkdir()
    refuse_lost_shims([shim], ())
    assert installations([shim]) == (tmp_path / "home" / ".pyenv",)


def test_a_home_is_no_version_manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    shim = put(tmp_path / "shims" / "python")
    for name in ("libexec", "versions"):
        (tmp_path / name).mkdir()
    assert installations([shim]) == ()
    with pytest.raises(TargetError):
        refuse_lost_shims([shim], ())


def test_another_managers_shim_is_refused_with_the_program_behind_it(tmp_path: Path) -> None:
    asdf, mise = tmp_path / ".asdf", tmp_path / "mise"
    shims = [put(asdf / "shims" / "node"), mise / "shims" / "node"]
    manager = put(tmp_path / "bin" / "mise", "\x7fELF")
    shims[1].parent.mkdir(parents=True)
    shims[1].symlink_to(manager)
    there = [put(folder / "installs" / "nodejs" / "20.1.0" / "bin" / "node") for folder in (asdf, mise)]
    for shim, real in zip(shims, there, strict=True):
        with pytest.raises(TargetError) as raised:
            refuse_lost_shims([shim], ("/opt/data",))
        assert str(shim) in raised.value.message
        assert f"such as {real}" in raised.value.hint
        refuse_lost_shims([shim], (str(shim.parent.parent),))  # base's config has opened it


def test_a_program_in_a_folder_called_shims_may_be_just_that(tmp_path: Path) -> None:
    binary = put(tmp_path / "shims" / "tool", "\x7fELF")
    (tmp_path / "more" / "shims").mkdir(parents=True)
    link = tmp_path / "more" / "shims" / "tool"
    link.symlink_to(binary)
    refuse_lost_shims([binary, link, put(tmp_path / "bin" / "tool")], ())
    assert not os.path.lexists(tmp_path / "shims" / "none")
    refuse_lost_shims([tmp_path / "shims" / "none"], ())
