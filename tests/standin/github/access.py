"""Who calls and what they may: tokens, permissions, roles."""

from collections.abc import Mapping
from dataclasses import dataclass, field

ROLES = ("read", "triage", "write", "maintain", "admin")
LEVELS = {"none": 0, "read": 1, "write": 2}


@dataclass(frozen=True)
class User:
    """A user, a bot or an organisation."""

    login: str
    id: int
    type: str = "User"


@dataclass(frozen=True)
class App:
    """A GitHub App."""

    slug: str
    id: int
    name: str


ACTIONS_APP = App("github-actions", 15368, "GitHub Actions")
"""The App behind every GITHUB_TOKEN."""


@dataclass(frozen=True)
class Token:
    """A secret with an identity."""

    secret: str
    user: User
    app: App | None = None
    """The App, when this is an installation's token (GITHUB_TOKEN is one)."""
    permissions: Mapping[str, str] = field(default_factory=dict)
    """For an installation: contents, pull_requests, issues, checks, statuses, actions to read or write."""
    repositories: frozenset[str] | None = None
    """For an installation: where it is installed (lower case full names); None is everywhere."""
    scopes: frozenset[str] = frozenset({"repo"})
    """For a user's token."""


@dataclass(frozen=True)
class Need:
    """What an operation asks for: one of these permissions at this level."""

    level: str
    permissions: tuple[str, ...]
    app_only: bool = False


class Refused(Exception):
    """The request is answered with an error as GitHub words it."""

    def __init__(self, status: int, message: str, *, errors: list[dict[str, str]] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors


def check(token: Token | None, need: Need, *, repository: str, private: bool, role: str | None) -> None:
    """Refuse as GitHub does; `role` is the caller's role as a collaborator."""
    writes = need.level == "write"
    if token is None:
        if private:
            raise Refused(404, "Not Found")
        if writes:
            raise Refused(401, "Requires authentication")
        return
    if token.app is None:
        _check_user(token, need, private=private, role=role)
        return
    installed = token.repositories is None or repository.lower() in token.repositories
    if private and not installed:
        raise Refused(404, "Not Found")
    # What is public can be read with any token.
    if not writes and not private:
        return
    held = max((LEVELS[token.permissions.get(name, "none")] for name in need.permissions), default=1)
    if not installed or held < LEVELS[need.level]:
        raise Refused(403, "Resource not accessible by integration")


def _check_user(token: Token, need: Need, *, private: bool, role: str | None) -> None:
    if private and role is None:
        raise Refused(404, "Not Found")
    if need.level != "write":
        return
    if need.app_only:
        raise Refused(403, "You must authenticate via a GitHub App.")
    if not token.scopes & {"repo", "public_repo"}:
        raise Refused(403, "Resource not accessible by personal access token")
    # Anybody may comment; what changes the repository's own data needs push access, and GitHub hides that it exists.
    if "issues" not in need.permissions and (role is None or ROLES.index(role) < ROLES.index("write")):
        raise Refused(
            404 if role is None else 403, "Not Found" if role is None else "Must have push access to repository"
        )
