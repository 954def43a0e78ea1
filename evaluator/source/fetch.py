"""Fetches commits from a git server into a bare repository of our own: the one place that opens the network to git.

The token is in the environment of the git process and nowhere else: not in its arguments, in no file, in no message.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from evaluator.errors import SourceError
from evaluator.source.git import Git, GitFailed, GitTimedOut, shown
from evaluator.source.patience import PATIENCE, Deadline, Patience
from evaluator.source.refusals import CommitGone, Forbidden, explain, timed_out
from evaluator.source.remote import Remote

SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
KEPT = "refs/commits/"
"""Where fetched commits are kept; a commit that is here came whole."""
PASSED_ON = (
    *("https_proxy", "HTTPS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH"),
)
"""Names of the environment that say how the network is reached; self-hosted runners have them."""


def fetch_commits(
    remote: Remote,
    shas: Sequence[str],
    into: Path,
    environ: Mapping[str, str],
    *,
    refs: Mapping[str, str] | None = None,
    patience: Patience = PATIENCE,
) -> None:
    """Fetch commits by SHA, each with its files and without its history.

    Args:
        remote: From where.
        shas: Full SHAs; those that are here already are not asked for again.
        into: A bare repository that this module made; made if it does not exist.
        environ: Our environment.
        refs: For a server that gives no commit by SHA: SHA -> the full name of the ref that should lead to it.
        patience: How long to wait.

    Raises:
        CommitGone: The server has one or more of them no longer; says which. The others are here.
        SourceError: Anything else; also a commit that the server gives under another name only.
    """
    for sha in shas:
        if not SHA.fullmatch(sha):
            raise SourceError(f"{shown(sha, 80)} is not a full commit SHA", hint="name it by 40 hexadecimal digits")
    if not shas:
        return
    sizes = {len(sha) for sha in shas}
    git = _repository(into, environ, "sha1" if sizes == {40} else "sha256")
    fetcher = _Fetcher(remote, git, Deadline(remote, patience))
    wanted = [sha for sha in dict.fromkeys(shas) if not _kept(git, sha)]
    if not wanted:
        return
    try:
        fetcher.fetch([f"+{sha}:{KEPT}{sha}" for sha in wanted])
    except (CommitGone, Forbidden) as error:
        # Nothing came, and the server named the first only: each by itself tells which are to be had.
        _one_by_one(fetcher, wanted, refs or {}, error)
    for sha in wanted:
        _check_commit(git, sha)


def fetch_ref(
    remote: Remote,
    ref: str,
    into: Path,
    environ: Mapping[str, str],
    *,
    object_format: Literal["sha1", "sha256"] = "sha1",
    patience: Patience = PATIENCE,
) -> str:
    """Fetch the commit that a ref names now, without its history, and keep it under the ref's name.

    Args:
        remote: From where.
        ref: The full name: `refs/pull/7/merge`, `refs/heads/main`, `refs/tags/v1`.
        into: A bare repository that this module made; made if it does not exist.
        environ: Our environment.
        object_format: Which hash the repository uses, if `into` does not exist.
        patience: How long to wait.

    Returns:
        The commit's SHA; for an annotated tag, that of the commit that it is on.

    Raises:
        RefGone: The server has no such ref.
        SourceError: Anything else.
    """
    git = _repository(into, environ, object_format)
    try:
        if not ref.startswith("refs/") or ref.startswith(KEPT):
            raise ValueError
        git.run(["check-ref-format", ref])
    except (ValueError, GitFailed):
        hint = "write it in full: refs/heads/main, refs/pull/7/merge"
        raise SourceError(f"{shown(ref)} is not the full name of a ref", hint=hint) from None
    return _fetch_ref(_Fetcher(remote, git, Deadline(remote, patience)), ref)


def parents(repo: Path, sha: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Give the parents that a commit names, whether they are in the repository or, at depth 1, are not.

    Raises:
        SourceError: There is no such commit.
    """
    try:
        text = Git(repo.resolve(), environ).text(["cat-file", "commit", sha])
    except GitFailed as failure:
        raise failure.as_error(f"cannot read the commit {shown(sha, 80)}") from failure
    header = text.split("\n\n", 1)[0].splitlines()
    return tuple(line.removeprefix("parent ") for line in header if line.startswith("parent "))


def _fetch_ref(fetcher: "_Fetcher", ref: str) -> str:
    fetcher.fetch([f"+{ref}:{ref}"])
    sha = _check_commit(fetcher.git, ref)
    fetcher.git.run(["update-ref", f"{KEPT}{sha}", sha])
    return sha


def _one_by_one(
    fetcher: "_Fetcher", wanted: Sequence[str], refs: Mapping[str, str], first: CommitGone | Forbidden
) -> None:
    missing, last = [], first
    for sha in wanted:
        try:
            if len(wanted) == 1:  # it has been asked for by itself already
                raise first
            fetcher.fetch([f"+{sha}:{KEPT}{sha}"])
        except CommitGone as error:
            missing.append(sha)
            last = error
        except Forbidden as error:
            if sha not in refs:
                raise
            _by_name(fetcher, sha, refs[sha], error)
    if missing:
        raise CommitGone(fetcher.remote, missing, wanted) from last


def _by_name(fetcher: "_Fetcher", sha: str, ref: str, forbidden: Forbidden) -> None:
    fetched = _fetch_ref(fetcher, ref)
    if fetched != sha:
        found = f"{shown(ref)} is at {fetched[:12]} now and not at {sha[:12]}, which this server gives by name only"
        hint = "the branch was pushed to during the run; run it again for the new commit"
        raise SourceError(found, hint=hint) from forbidden


def _repository(into: Path, environ: Mapping[str, str], object_format: str) -> Git:
    into = into.resolve()
    try:
        into.mkdir(parents=True, exist_ok=True)
        git = Git(into, environ)
        if any(into.iterdir()):
            # Not just "in a repository": git looks in the folders above too, and finds the user's.
            if git.text(["rev-parse", "--is-bare-repository", "--git-dir"]) != "true\n.":
                raise SourceError(f"{shown(str(into))} is not a bare repository of ours", hint="name an empty folder")
        else:
            git.run(
                [
                    "init",
                    "--quiet",
                    "--bare",
                    "--template=",
                    "--initial-branch=none",
                    f"--object-format={object_format}",
                ]
            )
    except OSError as error:
        raise SourceError(f"{shown(str(into))} cannot be made: {error.strerror}") from error
    except GitFailed as failure:
        raise failure.as_error(f"cannot set up a repository in {shown(str(into))}") from failure
    return git


def _kept(git: Git, sha: str) -> bool:
    return bool(git.run(["for-each-ref", f"{KEPT}{sha}"]))


def _check_commit(git: Git, name: str) -> str:
    try:
        return git.text(["rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}"])
    except GitFailed as failure:
        raise SourceError(f"{shown(name)} is not a commit", hint="name a commit") from failure


@dataclass(frozen=True, slots=True)
class _Fetcher:
    """A remote, our repository, and the time that is left."""

    remote: Remote
    git: Git
    deadline: Deadline

    def fetch(self, refspecs: Sequence[str]) -> None:
        """Run git fetch, again after a failure that may pass."""
        self.deadline.retrying()(self._fetch_once, refspecs)

    def _fetch_once(self, refspecs: Sequence[str]) -> None:
        patience = self.deadline.patience
        git = Git(
            self.git.directory,
            self.git.environ,
            settings=_settings(self.remote, patience),
            variables=_variables(self.remote, self.git),
            timeout_s=self.deadline.left(),
        )
        options = (
            "--depth=1",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
        )
        try:
            git.run(["fetch", "--quiet", *options, "--end-of-options", self.remote.url, *refspecs])
        except GitFailed as failure:
            # Without the failure as its cause: git's own words may quote what was sent.
            raise explain(self.remote, failure.stderr) from None
        except GitTimedOut:
            raise timed_out(self.remote, patience.timeout_s) from None


def _settings(remote: Remote, patience: Patience) -> tuple[str, ...]:
    return (
        *(f"protocol.{name}.allow=always" for name in remote.protocols),
        "protocol.version=2",  # lets commits be fetched by SHA
        "http.followRedirects=false",  # the token is for this server
        "http.lowSpeedLimit=1000",
        f"http.lowSpeedTime={patience.stall_s}",
        "credential.helper=",
        "core.askPass=",
        "fetch.unpackLimit=1",
        "submodule.recurse=false",
    )


def _variables(remote: Remote, git: Git) -> dict[str, str]:
    variables = {name: git.environ[name] for name in PASSED_ON if name in git.environ}
    # An empty home: a ~/.netrc would be sent to the server.
    if "SSL_CERT_FILE" in variables:  # which git over GnuTLS does not know
        variables.setdefault("GIT_SSL_CAINFO", variables["SSL_CERT_FILE"])
    variables |= {"HOME": str(git.directory), "XDG_CONFIG_HOME": os.devnull}
    authorization = remote.authorization()
    if authorization is not None:
        variables |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{remote.origin}/.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: {authorization}",
        }
    return variables
