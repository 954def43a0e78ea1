"""What a call carries, what an answer is, pages, and the table from operations to handlers."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from tests.standin.github.access import Need, Refused, Token, User
from tests.standin.github.render import Links
from tests.standin.github.state import Commit, Pull, Repository
from tests.standin.github.world import World


@dataclass
class Answer:
    """An HTTP answer before it is written."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "application/json"
    """Content type. Where it is no JSON, the body is text."""


@dataclass(frozen=True)
class Call:
    """A request that was found good: who asks what about which repository."""

    world: World
    links: Links
    path: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    body: Mapping[str, Any]
    caller: Token | None
    found: Repository | None

    @property
    def repository(self) -> Repository:
        assert self.found is not None
        return self.found

    @property
    def user(self) -> User:
        if self.caller is None:
            raise Refused(401, "Requires authentication")
        return self.caller.user

    def pull(self, name: str = "pull_number", *, issue: bool = False) -> Pull:
        """The pull request (or issue) that the path names."""
        pull = self.repository.pulls.get(int(self.parameters[name]))
        if pull is None or not (pull.is_pull or issue):
            raise Refused(404, "Not Found")
        return pull

    def commit(self, ref: str) -> Commit:
        """The commit that a ref names."""
        found = self.repository.resolve(ref)
        if found is None:
            raise Refused(422, f"No commit found for SHA: {ref}")
        return found


Handler = Callable[[Call], Answer]
TABLE: dict[tuple[str, str], tuple[Need, Handler]] = {}
REPO = "/repos/{owner}/{repo}"


def serves(method: str, template: str, need: Need) -> Callable[[Handler], Handler]:
    """Enter a function as the handler of an operation."""

    def enter(handler: Handler) -> Handler:
        TABLE[method, template] = (need, handler)
        return handler

    return enter


def page(call: Call, items: Sequence[Any]) -> tuple[list[Any], dict[str, str]]:
    """The page that is asked for, and its Link header; 30 a page, 100 at most."""
    size = min(max(int(call.query.get("per_page", 30)), 1), 100)
    number = max(int(call.query.get("page", 1)), 1)
    last = max(-(-len(items) // size), 1)
    shown = list(items[(number - 1) * size : number * size])
    wanted: dict[str, int] = {}
    if number < last:
        wanted |= {"next": number + 1, "last": last}
    if number > 1:
        wanted |= {"prev": min(number - 1, last), "first": 1}
    # GitHub's links name the repository by its id.
    path = re.sub(r"^/repos/[^/]+/[^/]+", f"/repositories/{call.repository.id}", call.path)
    links = [
        f'<{call.links.api}{path}?{urlencode({**call.query, "page": target})}>; rel="{name}"'
        for name, target in wanted.items()
    ]
    return shown, {"Link": ", ".join(links)} if links else {}


def error(refused: Refused) -> Answer:
    """An error as GitHub writes it."""
    body: dict[str, Any] = {"message": refused.message}
    if refused.errors is not None:
        body["errors"] = refused.errors
    body["documentation_url"] = "https://docs.github.com/rest"
    body["status"] = str(refused.status)
    return Answer(refused.status, body)
