"""The last release: the newest version that base contains."""

from pathlib import Path

from evaluator.source.releases import last_release
from tests.source.repositories import ENVIRON, Repository


def test_the_newest_version_in_the_history_counts_not_the_newest_tag(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "app")
    repo.write("a", "1")
    repo.git("add", "--all")
    repo.git("commit", "--quiet", "--message", "one")
    assert last_release(repo.path, "main", ENVIRON) is None
    for tag in ("v1.9.0", "v1.10.0", "nightly", "v0.1"):
        repo.git("tag", tag)
    assert last_release(repo.path, "main", ENVIRON) == "v1.10.0"
    repo.git("switch", "--quiet", "--create", "other")
    repo.write("a", "2")
    repo.git("commit", "--quiet", "--all", "--message", "two")
    repo.git("tag", "v2.0.0")
    assert last_release(repo.path, "main", ENVIRON) == "v1.10.0"
    assert last_release(repo.path, "other", ENVIRON) == "v2.0.0"
    assert last_release(repo.path, "--help", ENVIRON) is None
