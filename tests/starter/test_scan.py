import os
from pathlib import Path

from evaluator.starter.scan import MAX_DEPTH, scan
from tests.starter.commands import Sample

PROMPT = "messages: [{role: user, content: '{{input}}'}]\n"


def test_what_has_the_most_cases_comes_first(sample: Sample) -> None:
    labels = [choice.label for choice in scan(sample("github")).choices]
    assert labels == ["prompts/support.prompt.yml (GitHub Models, 3 cases)", "prompts/summary.prompt.yml"]


def test_other_peoples_packages_and_hidden_folders_are_not_looked_at(tmp_path: Path) -> None:
    for folder in ("node_modules/x", ".git", ".venv", "venv/lib", ".github/prompts", "앱/prompts"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.prompt.yml").write_text(PROMPT, "utf-8")
    found = [choice.prompt.path for choice in scan(tmp_path).choices]
    assert sorted(found) == [".github/prompts/a.prompt.yml", "앱/prompts/a.prompt.yml"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.prompt.yml").write_text(PROMPT, "utf-8")
    root = tmp_path / "root"
    root.mkdir()
    (root / "folder").symlink_to(outside)
    (root / "b.prompt.yml").symlink_to(outside / "a.prompt.yml")
    (root / "loop").symlink_to(root)
    assert scan(root).choices == ()


def test_pipes_do_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.prompt.yml")
    os.mkfifo(tmp_path / "promptfooconfig.yaml")
    found = scan(tmp_path)
    assert found.choices == ()
    assert len(found.notes) == 2


def test_depth_is_bounded(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*"abcdefghijkl")
    deep.mkdir(parents=True)
    (deep / "a.prompt.yml").write_text(PROMPT, "utf-8")
    assert len(deep.relative_to(tmp_path).parts) > MAX_DEPTH
    assert scan(tmp_path).choices == ()


def test_a_file_that_cannot_be_read_is_told_and_the_others_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.prompt.yml").write_bytes(b"\xff\xfe bad")
    (tmp_path / "b.prompt.yml").write_text(PROMPT, "utf-8")
    found = scan(tmp_path)
    assert [choice.prompt.path for choice in found.choices] == ["b.prompt.yml"]
    assert "not UTF-8" in found.notes[0].reason


def test_names_with_control_characters_are_told_safely(tmp_path: Path) -> None:
    (tmp_path / "\x1b[31m::error::x.prompt.yml").write_text("messages: [", "utf-8")
    [note] = scan(tmp_path).notes
    assert (note.where + note.what + note.reason).isprintable()
