"""The content of Git LFS files comes from the repository's own server, checked, in all checkouts or in none."""

import hashlib
from pathlib import Path
from typing import Literal

import pytest

from evaluator.errors import ExitCode, SourceError
from evaluator.source import Contents, Limits, Pair, Sources, fetch_commits, worktrees
from tests.source.pulls import AT_ONCE, NAME, TOKEN, Pull, remote_of
from tests.source.repositories import ENVIRON
from tests.standin.git_http import Fault, GitServer, git_http

BATCH = "objects/batch$"
CONTENT = "objects/[0-9a-f]{64}$"


def oid_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def pointer(content: bytes, *, size: int | None = None) -> str:
    length = len(content) if size is None else size
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid_of(content)}\nsize {length}\n"


class Large:
    """A pull request with LFS files, fetched."""

    def __init__(self, pull: Pull, server: GitServer, into: Path, scratch: Path) -> None:
        self.pull, self.server, self.into, self.scratch = pull, server, into, scratch
        owner = pull.owner
        owner.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
        owner.write("data/weights.bin", pointer(b"as it was"), executable=True)
        owner.write("data/same.bin", pointer(b"the same"))
        owner.write("plain.bin", "no pointer")
        self.base = owner.commit("base")
        owner.write("data/weights.bin", pointer(b"as it would be"))
        owner.write(".lfsconfig", "[lfs]\n\turl = http://127.0.0.1:9/evil\n")
        self.head = owner.commit("head")
        for content in (b"as it was", b"as it would be", b"the same"):
            server.add_lfs(oid_of(content), content)

    def publish(self, head: str | None = None) -> None:
        self.head = head or self.head
        self.server.push(NAME, self.pull.owner.path, f"+{self.head}:main")
        fetch_commits(self.pull.remote, [self.base, self.head], self.into, ENVIRON, patience=AT_ONCE)
        self.server.seen.clear()

    def check_out(self, contents: Contents | None = None, **limits: int) -> Sources:
        """Leave the block at once: what is looked at afterwards was read in it."""
        contents = contents or Contents(self.pull.remote, patience=AT_ONCE)
        pair = Pair(self.base, self.head, self.base)
        self.files: dict[str, bytes] = {}
        self.modes: dict[str, int] = {}
        with worktrees(
            self.into, "main", "feature", pair=pair, contents=contents, limits=Limits(**limits), scratch=self.scratch,
            environ=ENVIRON,
        ) as sources:  # fmt: skip
            for checkout in (sources.base, sources.head):
                for path in checkout.path.rglob("*.bin"):
                    name = f"{checkout.side}:{path.relative_to(checkout.path)}"
                    self.files[name], self.modes[name] = path.read_bytes(), path.stat().st_mode & 0o777
        return sources


@pytest.fixture
def large(pull: Pull, server: GitServer, tmp_path: Path, scratch: Path) -> Large:
    return Large(pull, server, tmp_path / "ours", scratch)


def test_pointers_are_replaced_on_both_sides(large: Large, server: GitServer) -> None:
    large.publish()
    sources = large.check_out()
    assert sources.warnings == ()
    assert large.files == {
        "base:data/weights.bin": b"as it was",
        "base:data/same.bin": b"the same",
        "base:plain.bin": b"no pointer",
        "head:data/weights.bin": b"as it would be",
        "head:data/same.bin": b"the same",
        "head:plain.bin": b"no pointer",
    }
    assert large.modes["base:data/weights.bin"] == 0o755
    assert len([seen for seen in server.seen if "batch" not in seen.path]) == 3, "each content once"
    assert {seen.authorization for seen in server.seen} == {large.pull.remote.authorization()}


def test_content_on_another_server_is_fetched_without_the_token(large: Large, server: GitServer) -> None:
    with git_http(server.root) as storage:
        server.lfs_storage = storage.url
        large.publish()
        assert large.check_out().warnings == ()
        assert len(storage.seen) == 3
        assert {seen.authorization for seen in storage.seen} == {""}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_of_content_is_followed_without_the_token_and_one_of_the_question_is_not(
    large: Large, server: GitServer, status: int
) -> None:
    large.publish()
    with git_http(server.root) as other:
        server.faults.append(Fault("redirect", times=-1, status=status, location=other.url, path=CONTENT))
        assert large.check_out().warnings == ()
        assert {seen.authorization for seen in other.seen} == {""}
        other.seen.clear()
        server.faults[:] = [Fault("redirect", times=-1, status=status, location=other.url, path=BATCH)]
        with pytest.raises(SourceError, match=f"status {status}"):
            large.check_out()
        assert other.seen == []


def test_protocols_that_are_not_allowed_are_not_spoken(large: Large, server: GitServer, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    large.publish()
    server.lfs_storage = f"file://{tmp_path}"
    with pytest.raises(SourceError, match="is not allowed"):
        large.check_out()
    server.lfs_storage = ""
    server.faults.append(Fault("redirect", times=-1, status=302, location=f"file://{tmp_path}", path=CONTENT))
    with pytest.raises(SourceError, match="status 302"):
        large.check_out()


@pytest.mark.parametrize("path", [BATCH, CONTENT])
@pytest.mark.parametrize("kind", ["status", "drop", "cut"])
def test_what_passes_is_tried_again(
    large: Large, server: GitServer, path: str, kind: Literal["status", "drop", "cut"]
) -> None:
    large.publish()
    server.faults.append(Fault(kind, times=2, path=path, bytes=4))
    assert large.check_out().warnings == ()
    assert large.files["head:data/weights.bin"] == b"as it would be"
    assert server.faults[0].times == 0


def test_a_server_in_trouble_is_an_error_not_a_pointer(large: Large, server: GitServer) -> None:
    large.publish()
    server.faults.append(Fault("status", times=-1, path="objects/"))
    with pytest.raises(SourceError, match="status 503") as caught:
        large.check_out()
    assert caught.value.exit_code == ExitCode.INFRASTRUCTURE
    server.faults[:] = [Fault("status", times=-1, status=403, path="objects/batch")]
    with pytest.raises(SourceError, match=r"Git LFS files is refused: .*status 403: fault on demand"):
        large.check_out()
    server.faults[:] = [Fault("html", times=-1, path="objects/batch")]
    with pytest.raises(SourceError, match="does not answer as Git LFS does"):
        large.check_out()
    assert TOKEN not in str(caught.value)


def test_other_content_than_git_names_is_refused(large: Large, server: GitServer) -> None:
    large.publish()
    server.add_lfs(oid_of(b"the same"), b"the sAme")
    with pytest.raises(SourceError, match="gives other content"):
        large.check_out()
    server.add_lfs(oid_of(b"the same"), b"the same and much more" * 1000)
    with pytest.raises(SourceError, match="gives other content"):
        large.check_out()


def test_content_that_the_server_does_not_have_is_told(large: Large, server: GitServer) -> None:
    large.publish()
    (server.root / "lfs" / oid_of(b"as it would be")).unlink()
    (warning,) = large.check_out().warnings
    assert warning == (
        "1 files are Git LFS pointers, their content is not fetched (the server has no such content): data/weights.bin"
    )
    assert large.files["base:data/weights.bin"] == b"as it was"
    assert large.files["head:data/weights.bin"] == pointer(b"as it would be").encode()


def test_too_much_content_is_left_on_both_sides_alike(large: Large, server: GitServer) -> None:
    large.publish()
    (warning,) = large.check_out(lfs_bytes=30).warnings
    assert "31 bytes, more than the 30 that are fetched" in warning
    assert "data/same.bin" in warning
    assert large.files["base:data/weights.bin"] == pointer(b"as it was").encode()
    assert server.seen == []
    assert large.check_out(lfs_bytes=31).warnings == ()


def test_pointers_that_lie_are_left_as_they_are(large: Large) -> None:
    owner = large.pull.owner
    owner.write("lie.bin", pointer(b"the same", size=7))
    owner.write("junk.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:../../etc\nsize 1\n")
    owner.write("long.bin", pointer(b"the same") + "x" * 2000)
    large.publish(owner.commit("lies"))
    (warning,) = large.check_out().warnings
    assert warning.endswith("(the server has no such content): junk.bin, lie.bin, long.bin")
    assert large.files["head:lie.bin"] == pointer(b"the same", size=7).encode()
    assert large.files["head:data/same.bin"] == b"the same"


def test_without_lfs_the_warning_stays(large: Large, server: GitServer) -> None:
    large.publish()
    (warning,) = large.check_out(Contents(large.pull.remote, lfs=False)).warnings
    assert warning.startswith("2 files are Git LFS pointers, their content is not fetched: data/same.bin")
    assert server.seen == []


def test_a_token_that_is_refused_is_told(large: Large, server: GitServer) -> None:
    large.publish()
    with pytest.raises(SourceError, match=r"Git LFS files is refused: .* status 401"):
        large.check_out(Contents(remote_of(server, token="ghs_wrong"), patience=AT_ONCE))
