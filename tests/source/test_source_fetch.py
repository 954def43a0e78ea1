"""The commits of a pull request come from a real git server over HTTP, each with its files and without its history."""

from pathlib import Path

import pytest

from evaluator.errors import SourceError
from evaluator.source import CommitGone, Pair, RefGone, Remote, fetch_commits, fetch_ref, parents, worktrees
from evaluator.source.git import Git
from tests.source.pulls import AT_ONCE, HTTP, NAME, Pull, remote_of
from tests.source.repositories import ENVIRON, Repository
from tests.standin.git_http import GitServer


def test_a_merge_commit_and_its_first_parent_are_compared_at_depth_1(pull: Pull, tmp_path: Path, scratch: Path) -> None:
    into = tmp_path / "ours"
    merge = fetch_ref(pull.remote, "refs/pull/7/merge", into, ENVIRON, patience=AT_ONCE)
    assert merge == pull.merge
    assert parents(into, merge, ENVIRON) == (pull.main, pull.head)
    fetch_commits(pull.remote, [pull.main, merge], into, ENVIRON, patience=AT_ONCE)
    pair = Pair(pull.main, merge, pull.main)
    with worktrees(into, "main", "feature", pair=pair, scratch=scratch, environ=ENVIRON) as sources:
        assert (sources.base.ref, sources.base.sha, sources.base.subject) == ("main", pull.main, "later on main")
        assert (sources.head.ref, sources.head.sha, sources.head.subject) == ("feature", pull.merge, "test merge")
        assert (sources.head.path / "a.txt").read_text() == "changed"
        assert (sources.head.path / "b.txt").read_text() == "later"
        assert [file.path for file in sources.changed] == ["a.txt"]
        assert sources.rules is sources.base
    git = Git(into, ENVIRON)
    assert git.text(["rev-list", "--all", "--count"]) == "2"
    assert git.text(["rev-parse", "--is-shallow-repository", "--is-bare-repository"]) == "true\ntrue"


def test_a_forks_head_and_where_it_left_base_are_compared_and_rules_are_of_the_tip(
    pull: Pull, tmp_path: Path, scratch: Path
) -> None:
    into = tmp_path / "ours"
    fetch_commits(pull.remote, [pull.start, pull.head, pull.main], into, ENVIRON, patience=AT_ONCE)
    pair = Pair(pull.start, pull.head, pull.main)
    with worktrees(into, "main", "feature", pair=pair, scratch=scratch, environ=ENVIRON) as sources:
        assert (sources.base.path / "b.txt").read_text() == "b"
        assert (sources.rules.path / "b.txt").read_text() == "later"
        assert (sources.rules.sha, sources.rules.ref) == (pull.main, "main")


def test_an_annotated_tag_is_fetched_as_the_commit_that_it_is_on(pull: Pull, server: GitServer, tmp_path: Path) -> None:
    pull.owner.git("tag", "--annotate", "--message", "release", "v1", pull.start)
    server.push(NAME, pull.owner.path, "refs/tags/v1:refs/tags/v1")
    assert fetch_ref(pull.remote, "refs/tags/v1", tmp_path / "ours", ENVIRON, patience=AT_ONCE) == pull.start


def test_a_pair_must_be_there_and_is_of_commits(pull: Pull, tmp_path: Path, scratch: Path) -> None:
    into = tmp_path / "ours"
    fetch_commits(pull.remote, [pull.main], into, ENVIRON, patience=AT_ONCE)
    for head, label, message in ((pull.head, "feature", "the head ref"), (pull.main, "WORKTREE", "stand for a commit")):
        with (
            pytest.raises(SourceError, match=message),
            worktrees(into, "m", label, pair=Pair(pull.main, head, pull.main), scratch=scratch, environ=ENVIRON),
        ):
            pass


def test_what_is_here_is_not_asked_for_again(pull: Pull, server: GitServer, tmp_path: Path) -> None:
    fetch_commits(pull.remote, [pull.main, pull.merge], tmp_path / "ours", ENVIRON, patience=AT_ONCE)
    asked = len(server.seen)
    fetch_commits(pull.remote, [pull.merge, pull.main, pull.merge], tmp_path / "ours", ENVIRON, patience=AT_ONCE)
    fetch_commits(pull.remote, [], tmp_path / "ours", ENVIRON, patience=AT_ONCE)
    assert len(server.seen) == asked
    assert {seen.protocol for seen in server.seen} == {"version=2"}


def test_a_commit_that_was_force_pushed_away_is_named_and_the_other_is_kept(
    pull: Pull, server: GitServer, tmp_path: Path
) -> None:
    pull.fork.git("commit", "--quiet", "--amend", "--message", "the change, again")
    server.push(NAME, pull.fork.path, "+feature:refs/pull/7/head")
    server.push(NAME, pull.owner.path, "+main:refs/pull/7/merge")
    server.prune(NAME)
    with pytest.raises(CommitGone) as caught:
        fetch_commits(pull.remote, [pull.head, pull.main], tmp_path / "ours", ENVIRON, patience=AT_ONCE)
    assert caught.value.missing == (pull.head,)
    assert f"the commit {pull.head[:12]} ({pull.main[:12]} is there)" in caught.value.message
    assert "force-pushed or deleted" in caught.value.hint
    assert Git(tmp_path / "ours", ENVIRON).text(["cat-file", "-t", pull.main]) == "commit"


def test_all_commits_that_are_gone_are_named(pull: Pull, tmp_path: Path) -> None:
    gone = ["0" * 39 + "1", "1" * 40]
    with pytest.raises(CommitGone) as caught:
        fetch_commits(pull.remote, gone, tmp_path / "ours", ENVIRON, patience=AT_ONCE)
    assert caught.value.missing == tuple(gone)
    with pytest.raises(CommitGone) as caught:
        fetch_commits(pull.remote, gone[:1], tmp_path / "ours", ENVIRON, patience=AT_ONCE)
    assert caught.value.missing == (gone[0],)


def test_a_deleted_branch_and_a_pull_request_without_merge_commit_are_told(pull: Pull, tmp_path: Path) -> None:
    for ref, hint in (("refs/heads/gone", "deleted or renamed"), ("refs/pull/8/merge", "conflicts")):
        with pytest.raises(RefGone, match=ref) as caught:
            fetch_ref(pull.remote, ref, tmp_path / "ours", ENVIRON, patience=AT_ONCE)
        assert hint in caught.value.hint
        assert caught.value.ref == ref


def test_a_ref_that_moved_is_fetched_as_it_is_now(pull: Pull, server: GitServer, tmp_path: Path) -> None:
    assert fetch_ref(pull.remote, "refs/pull/7/head", tmp_path / "ours", ENVIRON, patience=AT_ONCE) == pull.head
    later = pull.fork.commit("more", a_txt="more")
    server.push(NAME, pull.fork.path, "feature:refs/pull/7/head")
    assert fetch_ref(pull.remote, "refs/pull/7/head", tmp_path / "ours", ENVIRON, patience=AT_ONCE) == later


def test_a_server_that_gives_no_commit_by_sha_is_asked_by_name(pull: Pull, server: GitServer, tmp_path: Path) -> None:
    server.newest_protocol = False
    wanted = [pull.start, pull.head]
    with pytest.raises(SourceError, match="by its SHA") as caught:
        fetch_commits(pull.remote, wanted, tmp_path / "none", ENVIRON, patience=AT_ONCE)
    assert "allowReachableSHA1InWant" in caught.value.hint
    pull.owner.git("branch", "release", pull.start)
    server.push(NAME, pull.owner.path, "release:release")
    names = {pull.start: "refs/heads/release"}
    fetch_commits(pull.remote, wanted, tmp_path / "ours", ENVIRON, refs=names, patience=AT_ONCE)
    server.push(NAME, pull.owner.path, "+main:release")
    server.push(NAME, pull.owner.path, "+main:refs/tags/elsewhere")
    with pytest.raises(SourceError, match=r"refs/heads/release is at \w{12} now and not at"):
        fetch_commits(pull.remote, wanted, tmp_path / "late", ENVIRON, refs=names, patience=AT_ONCE)


def test_a_sha256_repository_works(server: GitServer, tmp_path: Path, scratch: Path) -> None:
    repository = Repository(tmp_path / "sha256", "--object-format=sha256")
    one, two = repository.commit("one", a_txt="1"), repository.commit("two", a_txt="2")
    server.create("acme/sha256", repository.path)
    remote, into = remote_of(server, "acme/sha256"), tmp_path / "ours"
    fetch_commits(remote, [one, two], into, ENVIRON, patience=AT_ONCE)
    assert parents(into, two, ENVIRON) == (one,)
    with worktrees(into, "a", "b", pair=Pair(one, two, one), scratch=scratch, environ=ENVIRON) as sources:
        assert (sources.head.path / "a.txt").read_text() == "2"
    assert fetch_ref(remote, "refs/heads/main", tmp_path / "n", ENVIRON, object_format="sha256") == two
    with pytest.raises(SourceError, match="another hash"):
        fetch_ref(remote, "refs/heads/main", tmp_path / "other", ENVIRON, patience=AT_ONCE)


def test_a_ref_that_is_no_commit_is_told(pull: Pull, server: GitServer, tmp_path: Path) -> None:
    blob = pull.owner.git("rev-parse", "main:a.txt")
    server.push(NAME, pull.owner.path, f"{blob}:refs/tags/blob")
    with pytest.raises(SourceError, match="refs/tags/blob is not a commit"):
        fetch_ref(pull.remote, "refs/tags/blob", tmp_path / "ours", ENVIRON, patience=AT_ONCE)
    with pytest.raises(SourceError, match="is not a commit"):
        fetch_commits(pull.remote, [blob], tmp_path / "other", ENVIRON, patience=AT_ONCE)


@pytest.mark.parametrize("sha", ["main", "HEAD", "abc123", "A" * 40, "-" * 40, "+" + "a" * 40, "a" * 40 + "\n", ""])
def test_only_full_shas_are_fetched(tmp_path: Path, sha: str) -> None:
    with pytest.raises(SourceError, match="not a full commit SHA"):
        fetch_commits(Remote("http://127.0.0.1:9/a/b", None, HTTP), [sha], tmp_path / "ours", ENVIRON)


@pytest.mark.parametrize(
    "ref", ["main", "", "-x", "refs/heads/a:b", "refs/heads/*", "refs/heads/a b", "refs/commits/x"]
)
def test_only_full_names_of_refs_are_fetched(tmp_path: Path, ref: str) -> None:
    with pytest.raises(SourceError, match="not the full name of a ref"):
        fetch_ref(Remote("http://127.0.0.1:9/a/b", None, HTTP), ref, tmp_path / "ours", ENVIRON)


def test_parents_of_what_is_not_there_are_an_error(pull: Pull) -> None:
    with pytest.raises(SourceError, match="cannot read the commit"):
        parents(pull.owner.path, "0" * 40, ENVIRON)
    assert parents(pull.owner.path, pull.start, ENVIRON) == ()
