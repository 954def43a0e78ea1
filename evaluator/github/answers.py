"""GitHub's answers as small frozen records; only the fields that we use, each of them checked."""

from dataclasses import dataclass
from typing import TypeVar

from evaluator.github.errors import GitHubError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request as it is now."""

    number: int
    state: str
    """`open` or `closed`."""
    draft: bool
    base_ref: str
    base_sha: str
    head_ref: str
    head_sha: str
    head_repository: str
    """`owner/name`; empty where the fork was deleted."""
    is_fork: bool
    labels: tuple[str, ...]
    title: str
    author: str
    """Login; empty where the account is gone."""


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on a pull request."""

    id: int
    author: str
    """Login; empty where the account is gone."""
    body: str
    url: str
    is_minimized: bool


@dataclass(frozen=True, slots=True)
class CheckRun:
    """A check run on a commit."""

    id: int
    name: str
    head_sha: str
    external_id: str
    status: str
    """`queued`, `in_progress` or `completed`."""
    conclusion: str | None
    url: str
    annotations: int
    """How many annotations it has."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release and the commit of its tag."""

    tag: str
    sha: str


def pull_request(data: object) -> PullRequest:
    """Read a pull request."""
    head = optional(data, "head.repo.full_name", str) or ""
    labels = pick(data, "labels", list)
    return PullRequest(
        number=pick(data, "number", int),
        state=pick(data, "state", str),
        draft=optional(data, "draft", bool) or False,
        base_ref=pick(data, "base.ref", str),
        base_sha=pick(data, "base.sha", str),
        head_ref=pick(data, "head.ref", str),
        head_sha=pick(data, "head.sha", str),
        head_repository=head,
        is_fork=head != pick(data, "base.repo.full_name", str),
        labels=tuple(pick(label, "name", str) for label in labels),
        title=pick(data, "title", str),
        author=optional(data, "user.login", str) or "",
    )


def comment(data: object) -> Comment:
    """Read a comment."""
    return Comment(
        id=pick(data, "id", int),
        author=optional(data, "user.login", str) or "",
        body=optional(data, "body", str) or "",
        url=pick(data, "html_url", str),
        is_minimized=optional(data, "minimized", dict) is not None,
    )


def check_run(data: object) -> CheckRun:
    """Read a check run."""
    return CheckRun(
        id=pick(data, "id", int),
        name=pick(data, "name", str),
        head_sha=pick(data, "head_sha", str),
        external_id=optional(data, "external_id", str) or "",
        status=pick(data, "status", str),
        conclusion=optional(data, "conclusion", str),
        url=optional(data, "html_url", str) or "",
        annotations=optional(data, "output.annotations_count", int) or 0,
    )


def pick(data: object, path: str, kind: type[T]) -> T:
    """Give the field at a dotted path.

    Raises:
        GitHubError: It is missing or of another type.
    """
    found = optional(data, path, kind)
    if found is None:
        raise GitHubError(f"GitHub's answer was not understood: `{path}` is missing", hint="run it again")
    return found


def optional(data: object, path: str, kind: type[T]) -> T | None:
    """Give the field at a dotted path; None if it, or anything on the way, is missing or null.

    Raises:
        GitHubError: It is of another type.
    """
    found = data
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    if found is None:
        return None
    if not isinstance(found, kind):
        told = f"GitHub's answer was not understood: `{path}` is {type(found).__name__}, expected {kind.__name__}"
        raise GitHubError(told, hint="run it again")
    return found
