"""What a `.dockerignore` leaves out; the cases of Docker's own documentation among them."""

import tarfile
import time
from pathlib import Path

import pytest

from evaluator.errors import TargetError
from evaluator.target.container.context import archive_context
from evaluator.target.container.ignored import read_ignored

CASES = [
    ("*/temp*", ["a/temp", "a/temporary.txt", "a/temp/x"], ["temp", "a/b/temp"]),
    ("*/*/temp*", ["a/b/temporary.txt"], ["a/temp", "a/b/c/temp"]),
    ("temp?", ["tempa", "tempb", "tempa/x"], ["temp", "tempab", "a/tempa"]),
    ("**/*.go", ["x.go", "a/x.go", "a/b/x.go"], ["x.gone", "a/x"]),
    ("*.md\n!README.md", ["a.md"], ["README.md", "a/b.md"]),
    ("*.md\n!README*.md\nREADME-secret.md", ["README-secret.md", "x.md"], ["README.md", "README-a.md"]),
    ("*.md\nREADME-secret.md\n!README*.md", ["x.md"], ["README-secret.md"]),
    ("/a/b", ["a/b", "a/b/c"], ["b", "x/a/b"]),
    ("a/", ["a", "a/x"], ["b/a"]),
    ("./a/../b", ["b"], ["a"]),
    ("# a\n\n  b  ", ["b"], ["a", "# a"]),
    (" # a", ["# a"], ["a"]),
    ("\ufeffa", ["a"], []),
    ("[a-c].txt\n[^x]y", ["a.txt", "ay"], ["d.txt", "xy"]),
    ("\\*x", ["*x"], ["ax"]),
    ("a.b(c)+", ["a.b(c)+"], ["axb(c)+", "a.bc"]),
    ("**", ["a", "a/b"], ["Dockerfile", ".dockerignore"]),
    ("a/**", ["a/b", "a/b/c"], ["a", "b"]),
    ("a\n!a/keep", ["a", "a/b"], ["a/keep", "a/keep/x"]),
    (".", [], ["a"]),
]


@pytest.mark.parametrize(("text", "out", "kept"), CASES, ids=[repr(text) for text, _, _ in CASES])
def test_what_is_left_out(tmp_path: Path, text: str, out: list[str], kept: list[str]) -> None:
    (tmp_path / ".dockerignore").write_text(text, "utf-8")
    is_ignored = read_ignored(tmp_path, time.thread_time)
    assert [path for path in [*out, *kept] if is_ignored(path)] == out


def test_without_the_file_all_is_sent(tmp_path: Path) -> None:
    assert not read_ignored(tmp_path, time.thread_time)("a")


@pytest.mark.parametrize(
    ("text", "told"), [("a\n[b", ":2: not a pattern"), ("a\\", ":1: not"), ("a\n" * 40_000, "more than")]
)
def test_a_file_that_is_none_is_told(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / ".dockerignore").write_text(text, "utf-8")
    with pytest.raises(TargetError, match=told):
        read_ignored(tmp_path, time.thread_time)


def test_patterns_that_take_for_ever_are_given_up(tmp_path: Path) -> None:
    (tmp_path / ".dockerignore").write_text("x" + "*x" * 30 + "y", "utf-8")
    seconds = iter(range(0, 10_000, 20))
    is_ignored = read_ignored(tmp_path, lambda: next(seconds))
    is_ignored("a")
    with pytest.raises(TargetError, match="more than 30 s"):
        for _ in range(3):
            is_ignored("a")


def test_an_archive_is_roots_and_holds_what_is_kept_in_a_folder_that_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "context"
    (folder / "a").mkdir(parents=True)
    for name in ("Dockerfile", "a/keep", "a/drop", "run.sh"):
        (folder / name).write_text(name, "utf-8")
    (folder / "run.sh").chmod(0o755)
    (folder / "out").symlink_to("/etc/passwd")
    (folder / ".dockerignore").write_text("a\n!a/keep\nDockerfile", "utf-8")
    with (tmp_path / "x.tar").open("wb") as file:
        archive_context(folder, file)
    assert not (tmp_path / "x.tar").read_bytes().startswith(b"././@PaxHeader")
    with tarfile.open(tmp_path / "x.tar") as archive:
        members = {member.name: member for member in archive}
    assert sorted(members) == [".dockerignore", "Dockerfile", "a/keep", "out", "run.sh"]
    assert all(member.uid == member.gid == 0 and not member.uname for member in members.values())
    assert members["run.sh"].mode & 0o111
    assert members["out"].issym()
