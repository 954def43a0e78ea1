"""Everything that the stand-in remembers: users, apps, tokens and repositories."""

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.standin.github.access import ACTIONS_APP, ROLES, App, Token, User
from tests.standin.github.state import Repository


class World:
    """Everything: users, apps, tokens, repositories, one clock, one row of numbers, one lock."""

    WRITES = ROLES.index("write")

    def __init__(self, *, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self.lock = threading.RLock()
        self.users: dict[str, User] = {}
        self.apps: dict[str, App] = {}
        self.tokens: dict[str, Token] = {}
        self.repositories: dict[str, Repository] = {}
        self.list_lag = 0.0
        """Seconds for which a new comment is missing from lists, as where a replica answers."""
        self._numbers = itertools.count(1_000_001)
        self._used: Counter[str] = Counter()
        self.started = now()
        self.add_app(ACTIONS_APP)

    def number(self) -> int:
        """A fresh id, larger than all before."""
        return next(self._numbers)

    def user(self, who: User | str) -> User:
        """A user by login; made when not there yet."""
        if isinstance(who, User):
            return self.users.setdefault(who.login, who)
        if who not in self.users:
            self.users[who] = User(who, self.number(), "Bot" if who.endswith("[bot]") else "User")
        return self.users[who]

    def add_app(self, app: App) -> App:
        """Register a GitHub App with its bot user."""
        self.apps[app.slug] = app
        self.user(f"{app.slug}[bot]")
        return app

    def add_repository(self, full_name: str, **fields: Any) -> Repository:
        """Create a repository; `parent` makes it a fork, `collaborators` maps logins to roles."""
        owner, _, name = full_name.partition("/")
        unknown = set(fields.get("collaborators", {}).values()) - set(ROLES)
        assert not unknown, f"roles are {', '.join(ROLES)}, not {unknown}"
        repository = Repository(self, self.number(), self.user(owner), name, created_at=self.now(), **fields)
        for login in repository.collaborators:
            self.user(login)
        self.repositories[full_name.lower()] = repository
        return repository

    def role(self, repository: Repository, user: User) -> str | None:
        """A user's role as owner or collaborator."""
        return "admin" if user.login == repository.owner.login else repository.collaborators.get(user.login)

    def rank(self, repository: Repository, token: Token | None) -> int:
        """What a token may do in a repository, as the position of a role: an App with write permission writes."""
        if token is None:
            return -1
        if token.app is not None:
            writes = "write" in {token.permissions.get("issues"), token.permissions.get("pull_requests")}
            return self.WRITES if writes else ROLES.index("read")
        role = self.role(repository, token.user)
        return -1 if role is None else ROLES.index(role)

    def spend(self, token: Token | None) -> None:
        """One request more against the hour's limit."""
        self._used[token.secret if token else ""] += 1

    def allowance(self, token: Token | None) -> tuple[int, int, int]:
        """Limit, what remains, and when the hour ends."""
        limit = 60 if token is None else 1000 if token.app == ACTIONS_APP else 5000
        return limit, max(limit - self._used[token.secret if token else ""], 0), int(self.started) + 3600
