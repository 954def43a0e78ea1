"""The stand-in itself: a request goes in, an answer or a broken connection comes out. No sockets here."""

import contextlib
import json
import re
import secrets
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from tests.standin.github import checks, issues, pulls, repository  # noqa: F401  they enter their handlers in TABLE
from tests.standin.github.access import ACTIONS_APP, App, Refused, Token, check
from tests.standin.github.api import TABLE, Answer, Call, error
from tests.standin.github.faults import Faults, gateway
from tests.standin.github.graphql import NotKnown, answer_graphql
from tests.standin.github.render import Links
from tests.standin.github.schema import Breach, Operation, description
from tests.standin.github.snapshot import snapshot
from tests.standin.github.state import Repository
from tests.standin.github.world import World

BREACH = 599
"""The status that tells a breach of the contract; GitHub never answers so."""


@dataclass
class Request:
    """A request as it came in, and what became of it."""

    method: str
    path: str
    """Without the prefix and the query."""
    query: dict[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: Any = None
    status: int | None = None
    """None while it is handled, and where the connection was dropped."""
    fault: str | None = None
    at: float = 0.0


@dataclass
class Dropped:
    """No answer: the connection is closed."""


@dataclass
class _Hook:
    when: str
    method: str
    path: re.Pattern[str]
    run: Callable[[Request], object]
    left: int | None


@dataclass
class GitHub:
    """A stand-in GitHub; `running_github` serves it."""

    world: World = field(default_factory=World)
    faults: Faults = field(default_factory=Faults)
    prefix: str = ""
    """`/api/v3` for GitHub Enterprise."""
    web_url: str = "https://github.com"
    url: str = ""
    """The API's address, prefix and all; known when it is served."""
    validate: bool = True
    violations: list[str] = field(default_factory=list)
    """Every breach of GitHub's API description, by the client or by the stand-in itself. Assert that it is empty."""
    requests: list[Request] = field(default_factory=list)
    rewrite: Callable[[Request, Answer], Answer] | None = None
    """Changes answers before they are validated: for tests of the validation."""
    _hooks: list[_Hook] = field(default_factory=list)
    _hook_lock: threading.Lock = field(default_factory=threading.Lock)

    def add_repository(self, full_name: str, **fields: Any) -> Repository:
        """Create a repository; fields are `default_branch`, `private`, `parent` (of a fork), `collaborators` (login to role)."""
        return self.world.add_repository(full_name, **fields)

    def installation_token(
        self,
        permissions: Mapping[str, str] | None = None,
        *,
        app: App = ACTIONS_APP,
        repositories: tuple[str, ...] | None = None,
        secret: str = "",
    ) -> str:
        """A token such as GITHUB_TOKEN: it writes as `github-actions[bot]`, and GET /user is refused."""
        where = None if repositories is None else frozenset(name.lower() for name in repositories)
        self.world.add_app(app)
        user = self.world.user(f"{app.slug}[bot]")
        return self._add_token(Token(secret or f"ghs_{secrets.token_hex(18)}", user, app, permissions or {}, where))

    def user_token(self, login: str, *, scopes: tuple[str, ...] = ("repo",), secret: str = "") -> str:
        """A user's personal access token; without scopes it only reads."""
        return self._add_token(
            Token(secret or f"ghp_{secrets.token_hex(18)}", self.world.user(login), scopes=frozenset(scopes))
        )

    def fail_next(self, kind: str, times: int = 1, *, match: str = "", method: str = "") -> None:
        """See `Faults.fail_next`."""
        self.faults.fail_next(kind, times, match=match, method=method)

    def before(
        self, run: Callable[[Request], object], *, match: str = "", method: str = "", times: int | None = None
    ) -> None:
        """Call `run` in the request's thread before a matching request is handled, outside of any lock."""
        self._hooks.append(_Hook("before", method, re.compile(match), run, times))

    def after(
        self, run: Callable[[Request], object], *, match: str = "", method: str = "", times: int | None = None
    ) -> None:
        """Call `run` after a matching request was handled and before it is answered."""
        self._hooks.append(_Hook("after", method, re.compile(match), run, times))

    def barrier(
        self, parties: int, *, when: str = "before", match: str = "", method: str = "", timeout: float = 10
    ) -> None:
        """Let the next `parties` matching requests wait for one another, so that they race.

        With `when="after"` all are handled before the first is answered: all read the same state.
        """
        barrier = threading.Barrier(parties)

        def wait(_: Request) -> None:
            with contextlib.suppress(threading.BrokenBarrierError):
                barrier.wait(timeout)

        hook = {"before": self.before, "after": self.after}[when]
        hook(wait, match=match, method=method, times=parties)

    def handle(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> Answer | Dropped:
        """Answer one request."""
        path, _, query = target.partition("?")
        if method == "GET" and path == "/_standin":
            return Answer(200, snapshot(self))
        request = Request(method, self._inner(path), dict(parse_qsl(query, keep_blank_values=True)), headers)
        request.at = self.world.now()
        self.requests.append(request)
        try:
            answer = self._handle(request, raw)
        except Exception:
            answer = self._breached(request, [f"the stand-in failed: {traceback.format_exc()}"])
        if isinstance(answer, Answer):
            request.status = answer.status
        return answer

    def _handle(self, request: Request, raw: bytes) -> Answer | Dropped:
        try:
            request.body = json.loads(raw) if raw else None
        except ValueError:
            return self._breached(request, ["the body is no JSON"])
        request.fault = self.faults.choose(request.method, request.path)
        self._run_hooks("before", request)
        if request.fault == "slow":
            time.sleep(self.faults.delay)
        answer = self._serve(request)
        self._run_hooks("after", request)
        if request.fault in {"drop", "drop-after"} and answer.status != BREACH:
            return Dropped()
        return answer

    def _inner(self, path: str) -> str:
        """The path as the description has it."""
        graphql = "/api/graphql" if self.prefix == "/api/v3" else f"{self.prefix}/graphql"
        if path == graphql:
            return "/graphql"
        if not path.startswith(f"{self.prefix}/"):
            return f"(not below {self.prefix}) {path}"
        return re.sub(r"^/repositories/(\d+)", self._by_id, path.removeprefix(self.prefix))

    def _add_token(self, token: Token) -> str:
        self.world.tokens[token.secret] = token
        return token.secret

    def _by_id(self, match: re.Match[str]) -> str:
        found = [item for item in self.world.repositories.values() if item.id == int(match[1])]
        return f"/repos/{found[0].full_name}" if found else match[0]

    def _run_hooks(self, when: str, request: Request) -> None:
        for hook in list(self._hooks):
            if hook.when == when and hook.method in {"", request.method} and hook.path.search(request.path):
                with self._hook_lock:
                    if hook.left == 0:
                        continue
                    hook.left = None if hook.left is None else hook.left - 1
                hook.run(request)

    def _serve(self, request: Request) -> Answer:
        """Hold the request against the description, answer it or let it suffer its fault, hold the answer against it."""
        found = description().find(request.method, request.path)
        if found is None:
            return self._serve_graphql(request)
        operation, parameters = found
        breaches = list(description().request_breaches(operation, parameters, request.query, request.body))
        token: Token | None = None
        try:
            if self.validate and not all(item.limit for item in breaches):
                return self._breached(request, map(_shown, breaches))
            prevented = self.faults.answer(request.fault, self.world.now())
            if prevented is None:
                token = self._caller(request)
                prevented = self._operate(request, operation, parameters, token, breaches)
            answer = prevented
        except Refused as refused:
            answer = error(refused)
        if request.fault == "502-after":
            answer = gateway()
        if self.rewrite is not None:
            answer = self.rewrite(request, answer)
        if self.validate:
            breaches = list(description().answer_breaches(operation, answer.status, answer.body, answer.kind))
            if breaches:
                return self._breached(request, map(_shown, breaches))
        self._count(token, answer)
        return answer

    def _serve_graphql(self, request: Request) -> Answer:
        if (request.method, request.path) != ("POST", "/graphql"):
            return self._breached(request, ["it is not in the description"])
        try:
            prevented = self.faults.answer(request.fault, self.world.now())
            with self.world.lock:
                return prevented or answer_graphql(self.world, self._caller(request), request.body)
        except NotKnown as unknown:
            return self._breached(request, [str(unknown)])
        except Refused as refused:
            return error(refused)

    def _count(self, token: Token | None, answer: Answer) -> None:
        with self.world.lock:
            self.world.spend(token)
            limit, remaining, reset = self.world.allowance(token)
        for name, value in (("Limit", limit), ("Remaining", remaining), ("Reset", reset), ("Used", limit - remaining)):
            answer.headers.setdefault(f"X-RateLimit-{name}", str(value))

    def _operate(
        self,
        request: Request,
        operation: Operation,
        parameters: Mapping[str, str],
        token: Token | None,
        breaches: Iterable[Breach],
    ) -> Answer:
        need, handler = TABLE[operation.method, operation.template]
        with self.world.lock:
            home = self._repository(parameters)
            if home is not None:
                role = self.world.role(home, token.user) if token else None
                check(token, need, repository=home.full_name, private=home.private, role=role)
            for breach in breaches:
                raise Refused(422, f"Invalid request.\n\n{breach.message}")
            links = Links(self.url, self.web_url)
            call = Call(self.world, links, request.path, parameters, request.query, request.body or {}, token, home)
            return handler(call)

    def _repository(self, parameters: Mapping[str, str]) -> Repository | None:
        if "repo" not in parameters:
            return None
        found = self.world.repositories.get(f"{parameters['owner']}/{parameters['repo']}".lower())
        if found is None:
            raise Refused(404, "Not Found")
        return found

    def _caller(self, request: Request) -> Token | None:
        if not request.headers.get("user-agent"):
            raise Refused(
                403, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header"
            )
        given = request.headers.get("authorization")
        if given is None:
            return None
        kind, _, secret = given.partition(" ")
        if kind.lower() not in {"token", "bearer"} or secret not in self.world.tokens:
            raise Refused(401, "Bad credentials")
        return self.world.tokens[secret]

    def _breached(self, request: Request, breaches: Iterable[str]) -> Answer:
        text = f"{request.method} {request.path}: " + "; ".join(breaches)
        self.violations.append(text)
        return Answer(BREACH, f"Breach of GitHub's API description. {text}", kind="text/plain")


def _shown(breach: Breach) -> str:
    return f"{breach.where}: {breach.message}"
