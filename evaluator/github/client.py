"""Our door to GitHub's REST API: one method for each thing that we ask, typed answers, clear errors.

PyGithub gives authentication, pacing and the connection. No address from an answer is ever followed with our token.
"""

import math
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, urlsplit

import github
from pydantic import SecretStr

from evaluator.errors import ConfigError
from evaluator.github import answers
from evaluator.github.answers import CheckRun, Comment, PullRequest, Release, optional, pick
from evaluator.github.errors import GitHubError, PermissionDenied
from evaluator.github.transport import HURRIED, Patience, Transport
from evaluator.source.git import shown

PAGE = 100
_MOST_PAGES = 300
"""Beyond what GitHub itself lists for a pull request; stops a server that never does."""
_HURRIED_TIMEOUT_S = 3.0
_TOKEN = re.compile(r"[!-~]*")
_PULLS_READ, _PULLS_WRITE = "pull-requests: read", "pull-requests: write"
_CHECKS_WRITE, _CONTENTS_READ = "checks: write", "contents: read"


def connect(
    api_url: str,
    repository: str,
    token: SecretStr,
    *,
    timeout_s: float = 20.0,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
    draw: Callable[[], float] = random.random,
    seconds_between_writes: float = 1.0,
    patience: Patience = Patience(),  # noqa: B008  # frozen
) -> "Client":
    """Open the door; sends nothing yet.

    Args:
        api_url: `GITHUB_API_URL`: https://api.github.com, or https://HOST/api/v3.
        repository: `owner/name`.
        token: Token; empty for requests without one.
        timeout_s: Longest silence of one request, in seconds.
        sleep: Waits between tries.
        now: Seconds since 1970, to read when a rate limit ends.
        draw: Uniform on [0, 1), for the spread of waits.
        seconds_between_writes: GitHub asks for a second between two writes.
        patience: How often and how long a request is tried.

    Raises:
        ConfigError: The address, the repository or the token is none.
    """
    parts = urlsplit(api_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"GitHub's API address is {shown(api_url)!r}; expected https://HOST[/api/v3]")
    if repository.count("/") != 1 or not all(repository.split("/")):
        raise ConfigError(f"the repository is {shown(repository)!r}; expected owner/name")
    secret = SecretStr(token.get_secret_value().strip())
    if not _TOKEN.fullmatch(secret.get_secret_value()):
        raise ConfigError("the token has blanks or characters that no token has", hint="check `github-token`")
    door = github.Github(
        auth=github.Auth.Token(secret.get_secret_value()) if secret.get_secret_value() else None,
        base_url=api_url.rstrip("/"),
        timeout=max(1, math.ceil(timeout_s)),
        user_agent="llm-eval-gate",
        per_page=PAGE,
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=seconds_between_writes or None,
    )
    return Client(repository, Transport(door.requester, secret, patience, sleep, now, draw))


@dataclass(frozen=True, slots=True)
class Client:
    """One repository on GitHub."""

    repository: str
    """`owner/name`."""
    transport: Transport

    def __enter__(self) -> "Client":
        """Use it in a `with` block, which closes the connection."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self.transport.requester.close()

    def hurried(self) -> "Client":
        """Give a client for a process that has been told to end: short timeouts, two tries, no pacing."""
        requester = github.Github(
            **{
                **self.transport.requester.kwargs,
                "timeout": math.ceil(_HURRIED_TIMEOUT_S),
                "seconds_between_writes": None,
            }
        ).requester
        return replace(self, transport=replace(self.transport, requester=requester, patience=HURRIED))

    # Who we are, what the repository is

    def user_login(self) -> str | None:
        """Give the login of the user whose token this is; None for an App's token, which may not ask."""
        try:
            return pick(self._get("/user", "read whose token this is"), "login", str)
        except PermissionDenied:
            return None

    def app_login(self) -> str | None:
        """Give the login of the App whose token this is (`NAME[bot]`), from GraphQL; None where it does not tell."""
        url, query = self.transport.requester.graphql_url, {"query": "query { viewer { login } }"}
        try:
            answer = self.transport.send("POST", url, what="read whose token this is", needs="none", body=query)
            found = optional(answer.data, "data.viewer.login", str)
        except GitHubError:
            return None
        return found if found is None or found.endswith("[bot]") else f"{found}[bot]"

    def permission_of(self, login: str) -> str:
        """Give a user's permission: `admin`, `write`, `read` or `none`."""
        try:
            found = self._get(f"{self._repo}/collaborators/{_quoted(login)}/permission", "read a user's permission")
        except PermissionDenied:
            raise
        except GitHubError as error:
            if error.status != 404:
                raise
            return "none"
        return pick(found, "permission", str)

    def commit(self, ref: str) -> str:
        """Give the SHA of the commit that a ref names (`heads/NAME`, `tags/NAME` or a SHA)."""
        return pick(self._get(f"{self._repo}/commits/{_quoted(ref, '/')}", "read a commit"), "sha", str)

    def compare(self, base: str, head: str) -> str:
        """Give the SHA of the commit where head left base."""
        path = f"{self._repo}/compare/{_quoted(base)}...{_quoted(head)}"
        found = self._get(path, "compare base and head", query={"per_page": 1})
        return pick(found, "merge_base_commit.sha", str)

    def latest_release(self) -> Release | None:
        """Give the latest release, or None if there is none."""
        try:
            found = self._get(f"{self._repo}/releases/latest", "read the latest release")
        except PermissionDenied:
            raise
        except GitHubError as error:
            if error.status != 404:
                raise
            return None
        tag = pick(found, "tag_name", str)
        return Release(tag, self.commit(f"tags/{tag}"))

    def tags(self) -> tuple[str, ...]:
        """Give the names of all tags."""
        found = self._get(f"{self._repo}/git/matching-refs/tags/", "list the tags")  # which has no pages
        items = found if isinstance(found, list) else []
        return tuple(pick(item, "ref", str).removeprefix("refs/tags/") for item in items)

    # Pull requests and their comments

    def pull(self, number: int) -> PullRequest:
        """Give a pull request as it is now."""
        found = self._get(f"{self._repo}/pulls/{number}", f"read pull request #{number}", _PULLS_READ)
        return answers.pull_request(found)

    def pulls_of_commit(self, sha: str) -> tuple[PullRequest, ...]:
        """Give the pull requests that a commit belongs to."""
        pages = self._pages(f"{self._repo}/commits/{_quoted(sha)}/pulls", "read a commit's pull requests", _PULLS_READ)
        return tuple(answers.pull_request(item) for item in pages)

    def pulls_of_branch(self, repository: str, branch: str) -> tuple[PullRequest, ...]:
        """Give the open pull requests of a branch, which may be a fork's."""
        query = {"state": "open", "head": f"{repository.split('/', maxsplit=1)[0]}:{branch}"}
        pages = self._pages(f"{self._repo}/pulls", "list a branch's pull requests", _PULLS_READ, query=query)
        return tuple(answers.pull_request(item) for item in pages)

    def list_comments(self, number: int) -> tuple[Comment, ...]:
        """Give all comments of a pull request, oldest first."""
        pages = self._pages(f"{self._repo}/issues/{number}/comments", f"read the comments of #{number}", _PULLS_READ)
        return tuple(answers.comment(item) for item in pages)

    def comment(self, comment_id: int) -> Comment | None:
        """Give one comment, or None if it is gone."""
        try:
            return answers.comment(self._get(f"{self._repo}/issues/comments/{comment_id}", "read the comment"))
        except GitHubError as error:
            if error.status in (404, 410):
                return None
            raise

    def create_comment(self, number: int, body: str) -> Comment:
        """Write a comment; after `AnswerLost` look whether it is there before writing it again."""
        path = f"{self._repo}/issues/{number}/comments"
        return answers.comment(self._write("POST", path, "write the comment", _PULLS_WRITE, {"body": body}))

    def edit_comment(self, comment_id: int, body: str, *, repeat: bool = True) -> Comment:
        """Replace a comment's text; with `repeat=False` a lost answer is for the caller to handle."""
        path = f"{self._repo}/issues/comments/{comment_id}"
        found = self._write("PATCH", path, "edit the comment", _PULLS_WRITE, {"body": body}, repeat=repeat)
        return answers.comment(found)

    def delete_comment(self, comment_id: int) -> None:
        """Delete a comment; one that is gone already is no error."""
        path = f"{self._repo}/issues/comments/{comment_id}"
        try:
            self._write("DELETE", path, "delete our duplicate comment", _PULLS_WRITE, None, repeat=True)
        except PermissionDenied as error:
            if error.status != 404:
                raise

    # Check runs

    def check_runs(self, sha: str, name: str) -> tuple[CheckRun, ...]:
        """Give the check runs of one name on a commit."""
        pages = self._pages(
            f"{self._repo}/commits/{_quoted(sha)}/check-runs",
            "read the check runs",
            "checks: read",
            query={"check_name": name, "filter": "all"},
            inside="check_runs",
        )
        return tuple(answers.check_run(item) for item in pages)

    def check_run(self, check_id: int) -> CheckRun:
        """Give one check run."""
        return answers.check_run(self._get(f"{self._repo}/check-runs/{check_id}", "read the check run", "checks: read"))

    def create_check(self, fields: Mapping[str, object]) -> CheckRun:
        """Make a check run; after `AnswerLost` look whether it is there before making it again."""
        return answers.check_run(
            self._write("POST", f"{self._repo}/check-runs", "make the check run", _CHECKS_WRITE, fields)
        )

    def update_check(self, check_id: int, fields: Mapping[str, object], *, repeat: bool = True) -> CheckRun:
        """Change a check run; annotations are added to those that are there, hence `repeat`."""
        path = f"{self._repo}/check-runs/{check_id}"
        found = self._write("PATCH", path, "update the check run", _CHECKS_WRITE, fields, repeat=repeat)
        return answers.check_run(found)

    # How it is asked

    @property
    def _repo(self) -> str:
        return "/repos/" + "/".join(_quoted(part) for part in self.repository.split("/"))

    def _get(
        self, path: str, what: str, needs: str = _CONTENTS_READ, *, query: Mapping[str, str | int] | None = None
    ) -> object:
        return self.transport.send("GET", path, what=what, needs=needs, query=query).data

    def _write(
        self, verb: str, path: str, what: str, needs: str, body: Mapping[str, object] | None, *, repeat: bool = False
    ) -> object:
        return self.transport.send(verb, path, what=what, needs=needs, body=body, repeat=repeat).data

    def _pages(
        self,
        path: str,
        what: str,
        needs: str,
        *,
        query: Mapping[str, str | int] | None = None,
        inside: str = "",
    ) -> Iterator[object]:
        """Give the items of all pages, one at a time."""
        before: list[object] = []
        for page in range(1, _MOST_PAGES + 1):
            asked = {**(query or {}), "per_page": PAGE, "page": page}
            answer = self.transport.send("GET", path, what=what, needs=needs, query=asked)
            items = pick(answer.data, inside, list) if inside else answer.data
            if not isinstance(items, list):
                raise GitHubError(f"could not {what}: GitHub's answer is no list", status=answer.status)
            if items and items == before:  # PyGithub loses the page's number where it follows a redirect
                told = f"could not {what}: page {page} is page {page - 1} again"
                raise GitHubError(told, hint="the repository has another name now: run the workflow again")
            before = items
            yield from items
            if 'rel="next"' not in answer.headers.get("link", ""):
                return
        raise GitHubError(f"could not {what}: there is no end to the pages")


def _quoted(text: str, also: str = "") -> str:
    """Quote a name for a path; a name of dots alone would climb, quoted or not."""
    if not text or {".", ".."} & set(text.split("/")):
        raise GitHubError(f"{shown(text)!r} is no name that GitHub knows")
    return quote(text, safe=also)
