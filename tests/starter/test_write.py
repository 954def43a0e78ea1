from pathlib import Path

import pytest

from evaluator.errors import InfrastructureError, UsageError
from evaluator.starter.write import conflicts, write_files
from tests.starter.commands import Tree


def test_files_are_written_with_their_folders(tmp_path: Path, tree: Tree) -> None:
    write_files(tmp_path, {"a/b/c.txt": "한국어\n", "d.txt": "d"})
    assert tree(tmp_path) == {"a/b/c.txt": "한국어\n".encode(), "d.txt": b"d"}


def test_nothing_is_replaced_unless_wanted(tmp_path: Path, tree: Tree) -> None:
    (tmp_path / "b").write_text("mine", "utf-8")
    with pytest.raises(UsageError, match="b is there already"):
        write_files(tmp_path, {"a": "1", "b": "2"})
    assert tree(tmp_path) == {"b": b"mine"}
    write_files(tmp_path, {"a": "1", "b": "2"}, replace=True)
    assert tree(tmp_path) == {"a": b"1", "b": b"2"}


@pytest.mark.parametrize("replace", [False, True])
def test_a_disk_that_refuses_leaves_everything_as_it_was(replace: bool, tmp_path: Path, tree: Tree) -> None:
    if replace:
        (tmp_path / "a").write_text("old", "utf-8")
    before = tree(tmp_path)
    with pytest.raises(InfrastructureError, match="could not be written"):
        write_files(tmp_path, {"a": "1", "new/b": "2", "new/" + "x" * 300: "3"}, replace=replace)
    assert tree(tmp_path) == before
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("path", ["../x", "/tmp/x", "out/x", "link", "broken", "file/x", "folder"])
def test_places_out_of_the_folder_and_odd_places_are_refused(
    path: str, replace: bool, tmp_path: Path, tree: Tree
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "target").write_text("keep", "utf-8")
    (root / "out").symlink_to(tmp_path)
    (root / "link").symlink_to(tmp_path / "target")
    (root / "broken").symlink_to(tmp_path / "nothing")
    (root / "file").write_text("f", "utf-8")
    (root / "folder").mkdir()
    before = tree(tmp_path)
    with pytest.raises(UsageError):
        write_files(root, {"fine": "1", path: "2"}, replace=replace)
    assert tree(tmp_path) == before


def test_conflicts_see_broken_links_too(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("nowhere")
    (tmp_path / "b").mkdir()
    assert conflicts(tmp_path, ["a", "b", "c"]) == ["a", "b"]
