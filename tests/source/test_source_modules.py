"""Submodules on the repository's own server are checked out; their addresses, which a pull request writes, give nothing away."""

from pathlib import Path

import pytest

from evaluator.errors import SourceError
from evaluator.source import Contents, Pair, Remote, fetch_commits, worktrees
from evaluator.source.modules import _resolved
from tests.source.pulls import AT_ONCE, HTTP, NAME, Pull
from tests.source.repositories import ENVIRON, Repository
from tests.standin.git_http import GitServer, git_http


class Nested:
    """A repository whose base has the submodule acme/vendored, and whose head may have more."""

    def __init__(self, pull: Pull, server: GitServer, folder: Path) -> None:
        self.pull, self.server, self.folder = pull, server, folder
        self.vendored = self.publish("acme/vendored", "c.txt", "vendored")
        self.add("vendored", "../vendored.git", self.vendored)
        self.base = pull.owner.commit("with a submodule")

    def publish(self, name: str, file: str, text: str) -> str:
        repository = Repository(self.folder / name)
        repository.write(file, text)
        sha = repository.commit(name)
        self.server.create(name, repository.path)
        return sha

    def add(self, path: str, url: str, sha: str) -> None:
        owner = self.pull.owner
        with (owner.path / ".gitmodules").open("a") as file:
            file.write(f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n')
        owner.git("update-index", "--add", "--cacheinfo", f"160000,{sha},{path}")
        (owner.path / path).mkdir(parents=True, exist_ok=True)

    def run(self, scratch: Path, *, wanted: bool = True) -> tuple[tuple[str, ...], dict[str, str]]:
        """Give the warnings, and what is in the submodules."""
        owner = self.pull.owner
        owner.git("add", ".gitmodules")
        owner.git("commit", "--quiet", "--allow-empty", "--message", "head")
        head = owner.git("rev-parse", "HEAD")
        self.server.push(NAME, owner.path, "+HEAD:main")
        into = self.folder / "ours"
        fetch_commits(self.pull.remote, [self.base, head], into, ENVIRON, patience=AT_ONCE)
        self.server.seen.clear()
        contents = Contents(self.pull.remote, submodules=wanted, patience=AT_ONCE)
        pair = Pair(self.base, head, self.base)
        with worktrees(into, "m", "f", pair=pair, contents=contents, scratch=scratch, environ=ENVIRON) as sources:
            found = {}
            for checkout in (sources.base, sources.head):
                for path in checkout.path.glob("*/*.txt"):
                    found[f"{checkout.side}:{path.relative_to(checkout.path)}"] = path.read_text()
        return sources.warnings, found


@pytest.fixture
def nested(pull: Pull, server: GitServer, tmp_path: Path) -> Nested:
    return Nested(pull, server, tmp_path)


def test_a_submodule_of_the_same_server_is_checked_out_on_both_sides(nested: Nested, scratch: Path) -> None:
    warnings, found = nested.run(scratch)
    assert warnings == ()
    assert found == {"base:vendored/c.txt": "vendored", "head:vendored/c.txt": "vendored"}
    assert {seen.authorization for seen in nested.server.seen} == {nested.pull.remote.authorization()}


def test_a_pull_request_may_move_a_submodule_to_another_commit(nested: Nested, scratch: Path) -> None:
    vendored = Repository(nested.folder / "acme/vendored")
    later = vendored.commit("later", c_txt="later")
    nested.server.push("acme/vendored", vendored.path, "+main:main")
    nested.pull.owner.git("update-index", "--cacheinfo", f"160000,{later},vendored")
    warnings, found = nested.run(scratch)
    assert warnings == ()
    assert found == {"base:vendored/c.txt": "vendored", "head:vendored/c.txt": "later"}


def test_unless_they_are_asked_for_there_is_a_warning(nested: Nested, scratch: Path) -> None:
    warnings, found = nested.run(scratch, wanted=False)
    assert warnings == ("submodules are not checked out, their folders are empty: vendored",)
    assert found == {}
    assert nested.server.seen == []


def test_a_pull_request_cannot_have_a_private_repository_read(nested: Nested, scratch: Path) -> None:
    sha = nested.publish("acme/secret", "s.txt", "secret")
    nested.add("stolen", "../secret.git", sha)
    (warning,), found = nested.run(scratch)
    assert warning.startswith("the submodule stolen is new and is not checked out")
    assert "wants a token" in warning
    assert "head:stolen/s.txt" not in found
    asked = [seen.authorization for seen in nested.server.seen if "secret" in seen.path]
    assert set(asked) == {""}


def test_not_even_at_the_folder_of_a_submodule_that_base_has(nested: Nested, scratch: Path) -> None:
    sha = nested.publish("acme/secret", "s.txt", "secret")
    (nested.pull.owner.path / ".gitmodules").unlink()
    nested.add("vendored", "../secret.git", sha)
    (warning,), found = nested.run(scratch)
    assert "the submodule vendored is new" in warning
    assert found == {"base:vendored/c.txt": "vendored"}


def test_a_new_public_submodule_is_checked_out(nested: Nested, scratch: Path) -> None:
    sha = nested.publish("acme/public", "p.txt", "public")
    nested.server.public.add("acme/public")
    nested.add("extra", f"{nested.server.url}/acme/public", sha)
    warnings, found = nested.run(scratch)
    assert warnings == ()
    assert found["head:extra/p.txt"] == "public"


def test_other_servers_are_not_asked(nested: Nested, scratch: Path, tmp_path: Path) -> None:
    with git_http(tmp_path / "elsewhere") as other:
        for number, url in enumerate((f"{other.url}/acme/x", "file:///etc", "ext::sh", "git@evil.com:a/b", "-u")):
            nested.add(f"other{number}", url, "1" * 40)
        warnings, _ = nested.run(scratch)
        assert len(warnings) == 5
        assert all("is not on http://127.0.0.1" in warning for warning in warnings)
        assert other.seen == []


def test_a_submodule_of_base_that_cannot_be_had_is_an_error(nested: Nested, scratch: Path) -> None:
    nested.server.hidden.add("acme/vendored")
    with pytest.raises(SourceError, match="the submodule vendored: there is no repository"):
        nested.run(scratch)


def test_what_a_submodule_only_points_to_is_told(nested: Nested, scratch: Path) -> None:
    vendored = Repository(nested.folder / "acme/vendored")
    vendored.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},deeper")
    vendored.git("commit", "--quiet", "--message", "deeper")
    nested.server.push("acme/vendored", vendored.path, "+main:main")
    later = vendored.git("rev-parse", "HEAD")
    nested.pull.owner.git("update-index", "--cacheinfo", f"160000,{later},vendored")
    (warning,), _ = nested.run(scratch)
    assert warning == ("in the submodule vendored: submodules are not checked out, their folders are empty: deeper")


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("../lib.git", "https://github.com/acme/lib.git"),
        ("./lib", "https://github.com/acme/app/lib"),
        ("../../other/lib", "https://github.com/other/lib"),
        ("../../../../../lib", "https://github.com/lib"),
        ("git@github.com:other/lib.git", "https://github.com/other/lib.git"),
        ("ssh://git@github.com/other/lib", "https://github.com/other/lib"),
        ("https://github.com/other/lib", "https://github.com/other/lib"),
        ("https://GITHUB.com:443/other/lib", "https://GITHUB.com:443/other/lib"),
        ("http://github.com/other/lib", ""),
        ("https://github.com:8443/other/lib", ""),
        ("https://github.com@evil.com/other/lib", ""),
        ("https://user:pw@github.com/other/lib", ""),
        ("https://github.com.evil.com/other/lib", ""),
        ("git@evil.com:other/lib.git", ""),
        ("//evil.com/lib", ""),
        ("../lib\nx", ""),
        ("", ""),
    ],
)
def test_addresses_are_of_our_server_or_of_none(written: str, url: str) -> None:
    assert _resolved(written.encode(), Remote("https://github.com/acme/app")) == url


def test_relative_addresses_keep_the_port() -> None:
    remote = Remote("http://127.0.0.1:8080/acme/app.git", None, HTTP)
    assert _resolved(b"../lib.git", remote) == "http://127.0.0.1:8080/acme/lib.git"
