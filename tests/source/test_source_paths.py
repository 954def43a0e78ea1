"""A path that a pull request names stays below its checkout."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evaluator.errors import SourceError
from evaluator.source import read_text_below, resolve


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout with good and bad files."""
    root = tmp_path / "checkout"
    (root / "evals" / ".git").mkdir(parents=True)
    (root / "evals" / "golden.jsonl").write_text("한글\n")
    (root / "evals" / "marked.txt").write_bytes(b"\xef\xbb\xbfmarked")
    (root / "evals" / "latin.txt").write_bytes(b"first\ncaf\xe9\n")
    (tmp_path / "secret").write_text("key")
    (root / "out").symlink_to("../secret")
    (root / "folder_out").symlink_to("..")
    (root / "loop").symlink_to("loop")
    (root / "in").symlink_to("evals/golden.jsonl")
    (root / "to_git").symlink_to("evals/.git")
    os.mkfifo(root / "pipe")
    return root


@pytest.mark.parametrize("path", ["evals/golden.jsonl", "./evals//golden.jsonl", "in", "evals/./golden.jsonl"])
def test_a_file_below_the_root_is_read(root: Path, path: str) -> None:
    assert resolve(root, path) == (root / "evals" / "golden.jsonl").resolve()
    assert read_text_below(root, path, max_bytes=100) == "한글\n"


def test_a_byte_order_mark_is_dropped(root: Path) -> None:
    assert read_text_below(root, "evals/marked.txt", max_bytes=100) == "marked"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/etc/passwd", "absolute paths"),
        ("~/secret", "absolute paths"),
        ("../secret", ".. is not allowed"),
        ("evals/../../secret", ".. is not allowed"),
        ("out", "leads out"),
        ("folder_out/secret", "leads out"),
        ("loop", "dataset: loop: "),
        ("pipe", "neither a file nor a directory"),
        ("to_git", "git's own files"),
        ("evals/.git", "git's own files"),
        ("", "not a path"),
        (" ", "not a path"),
        ("a\0b", "not a path"),
        ("evals/golden.json", "no such file"),
        ("x" * 5000, "name too long"),
        ("evals", "a directory"),
        ("evals/latin.txt", "evals/latin.txt:2: not UTF-8 (byte 0xe9)"),
        ("\x1b[31mred", "\\x1b[31mred"),
    ],
)
def test_any_other_path_is_refused_with_its_key(root: Path, path: str, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        read_text_below(root, path, max_bytes=100, key="dataset")
    assert caught.value.message.startswith("dataset: ")
    assert message.lower() in caught.value.message.lower()
    assert "\x1b" not in str(caught.value)


def test_a_missing_file_suggests_the_nearest_name(root: Path) -> None:
    with pytest.raises(SourceError) as caught:
        resolve(root, "evals/golden.json")
    assert caught.value.hint == "did you mean evals/golden.jsonl?"
    with pytest.raises(SourceError) as caught:
        resolve(root, "eval/golden.jsonl")
    assert "no folder eval" in caught.value.hint


def test_a_file_that_is_too_large_is_refused(root: Path) -> None:
    with pytest.raises(SourceError, match="larger than the 3 bytes"):
        read_text_below(root, "in", max_bytes=3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.lists(st.sampled_from(["..", ".", "out", "folder_out", "evals", "/", "secret", "~", "", "in"]), max_size=5))
def test_whatever_resolves_lies_below_the_root(root: Path, parts: list[str]) -> None:
    try:
        real = resolve(root, "/".join(parts))
    except SourceError:
        return
    assert real.is_relative_to(root.resolve())
