"""What the tests of publishing share: a repository with one pull request on the stand-in, and clients that hardly wait."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr

from evaluator.github.client import Client, connect
from evaluator.github.comment import CommentOutcome, Pace, Post, put_comment
from evaluator.github.sticky import RunNumber
from evaluator.github.transport import Patience
from tests.standin.github import GitHub, Pull, Repository

HEAD, BASE = "a" * 40, "b" * 40
WRITES = {"contents": "read", "pull_requests": "write", "checks": "write"}
READS = {"contents": "read", "pull_requests": "read"}


@dataclass
class Sleeps:
    """Counts sleeps instead of sleeping."""

    asked: list[float] = field(default_factory=list)

    def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)


@dataclass
class Bench:
    """A stand-in GitHub with one repository, one pull request and one token."""

    github: GitHub
    repository: Repository
    pull: Pull
    token: str
    sleeps: Sleeps = field(default_factory=Sleeps)

    def client(self, token: str | None = None, **fields: Any) -> Client:
        given: dict[str, Any] = {
            "timeout_s": 5, "sleep": self.sleeps, "draw": lambda: 0.5, "seconds_between_writes": 0, **fields,
        }  # fmt: skip
        secret = SecretStr(self.token if token is None else token)
        return connect(self.github.url, self.repository.full_name, secret, **given)

    def put(
        self,
        text: str | Callable[[int], str] = "the verdict",
        *,
        run: int = 1,
        attempt: int = 1,
        head: str = HEAD,
        client: Client | None = None,
        settle_s: float = 1.0,
        sleep: Callable[[float], None] | None = None,
        **post: Any,
    ) -> CommentOutcome:
        """Publish one comment as one run would."""
        door = client or self.client()
        try:
            return put_comment(
                door,
                Post(self.pull.number, head, RunNumber(run, attempt), **post),
                text if callable(text) else lambda _: text,
                current_head=lambda: door.pull(self.pull.number).head_sha,
                pace=Pace(settle_s=settle_s, retry_s=0.01, sleep=sleep or self.sleeps),
            )
        finally:
            if client is None:
                door.transport.requester.close()

    def bodies(self) -> list[str]:
        return [comment.body for comment in self.repository.comments_on(self.pull.number)]

    def sent(self, method: str, path: str = "") -> int:
        """How many requests of a kind came in."""
        return sum(request.method == method and path in request.path for request in self.github.requests)


QUICK = Patience(backoff_s=0.001)


def bench(github: GitHub, permissions: dict[str, str] | None = None) -> Bench:
    """Set the usual repository up on a stand-in."""
    repository = github.add_repository("octo/app", collaborators={"ann": "write"})
    pull = repository.add_pull(7, head_sha=HEAD, base_sha=BASE, user="ann")
    return Bench(github, repository, pull, github.installation_token(WRITES if permissions is None else permissions))
