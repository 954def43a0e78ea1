"""One request to GitHub, with patience: what is tried again, how long is waited, and what an error says.

PyGithub sends; the decisions are here, because its own retry leaves out PATCH and waits for as long as GitHub says.
A write that is not safe to repeat (POST) is sent again only where GitHub says that it was not executed: at a rate
limit. After a lost answer its caller has to look first.
"""

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from github.Requester import Requester
from pydantic import SecretStr

from evaluator.github.errors import AnswerLost, GitHubError, PermissionDenied
from evaluator.source.git import shown

SECONDARY_WAIT_S = 60.0
"""GitHub asks for at least a minute at a secondary limit that names no time."""
_SAID = 300


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long one request may be tried."""

    tries: int = 5
    backoff_s: float = 1.0
    """Wait after the first failure; doubled each time, plus up to as much again by chance."""
    longest_sleep_s: float = 60.0
    """Longest single sleep; a longer wait is slept in parts."""
    total_s: float = 300.0
    """All waits of one request together; where GitHub asks for more, it fails at once."""


HURRIED = Patience(tries=2, backoff_s=0.2, longest_sleep_s=1.0, total_s=1.0)
"""For a process that has been told to end."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `status` is None where nothing did."""

    status: int | None
    headers: Mapping[str, str]
    data: object
    """Parsed JSON; for a lost answer what happened, in words."""


@dataclass(frozen=True, slots=True)
class Transport:
    """Sends requests with one token to one API."""

    requester: Requester = field(repr=False)
    token: SecretStr
    patience: Patience = Patience()
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.time
    draw: Callable[[], float] = random.random

    def send(
        self,
        verb: str,
        path: str,
        *,
        what: str,
        needs: str,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, object] | None = None,
        repeat: bool = True,
    ) -> Answer:
        """Send a request until there is a usable answer.

        Args:
            verb: GET, POST, PATCH or DELETE.
            path: Path below the API's address, quoted; or the address of its GraphQL.
            what: The deed in words for messages: "write the comment".
            needs: The workflow permission that it needs: "pull-requests: write".
            query: The part after `?`.
            body: Sent as JSON.
            repeat: Whether it does no harm to execute it twice; never for a POST that creates something.

        Raises:
            PermissionDenied: The token may not do it.
            AnswerLost: There was no usable answer.
            GitHubError: GitHub refused for another reason, or asks to wait for longer than we do.
        """
        waited = 0.0
        for turn in range(1, self.patience.tries + 1):
            answer = self._once(verb, path, query, body)
            if answer.status is not None and 200 <= answer.status < 300:
                return answer
            pause = self._pause(answer, turn, repeat=repeat)
            if pause is None or turn == self.patience.tries or waited + pause > self.patience.total_s:
                raise self._error(verb, answer, what, needs, pause)
            waited += pause
            self._rest(pause)
        raise AssertionError("no try at all")  # pragma: no cover - there is at least one

    def _once(
        self, verb: str, path: str, query: Mapping[str, str | int] | None, body: Mapping[str, object] | None
    ) -> Answer:
        try:
            status, headers, text = self.requester.requestJson(
                verb, path, parameters=dict(query or {}), input=None if body is None else dict(body)
            )
        except OSError as error:  # what the connection raises, requests' own errors among it
            return Answer(None, {}, self._scrubbed(f"no answer ({type(error).__name__})"))
        except (AssertionError, RuntimeError) as error:  # PyGithub's words for a redirect that it does not follow
            raise GitHubError(self._scrubbed(f"GitHub's answer cannot be followed: {error}")) from None
        try:
            return Answer(status, headers, json.loads(text) if text else None)
        except ValueError:
            # A proxy's page has a status that says something; half a document with 200 says nothing.
            said = text if status >= 300 else "an answer that is not JSON"
            return Answer(status if status >= 300 else None, headers, said)

    def _pause(self, answer: Answer, turn: int, *, repeat: bool) -> float | None:
        """Give the seconds to wait before the next try, or None if there must be none."""
        backoff: float = self.patience.backoff_s * 2 ** (turn - 1) * (1 + self.draw())
        if _is_limited(answer):
            return max(self._asked_for(answer), backoff)
        if answer.status is None or answer.status >= 500:
            return backoff if repeat else None
        return None

    def _asked_for(self, answer: Answer) -> float:
        after = answer.headers.get("retry-after", "")
        if after.isdecimal():
            return float(after)
        reset = answer.headers.get("x-ratelimit-reset", "")
        if answer.headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
            return max(float(reset) - self.now(), 0.0) + 1.0  # within which second it falls is not said
        return SECONDARY_WAIT_S

    def _rest(self, seconds: float) -> None:
        while seconds > 0:
            part = min(seconds, self.patience.longest_sleep_s)
            self.sleep(part)
            seconds -= part

    def _error(self, verb: str, answer: Answer, what: str, needs: str, pause: float | None) -> GitHubError:
        said = self._scrubbed(shown(_message(answer), _SAID))
        status = answer.status
        if status is None or status >= 500:
            found = said if status is None else f"GitHub answered {status}: {said}"
            hint = "GitHub or the network has trouble; see https://www.githubstatus.com and run it again"
            return AnswerLost(f"could not {what}: {found}", status=status, hint=hint)
        told = f"could not {what}: GitHub answered {status}: {said}"
        if _is_limited(answer):
            hint = f"the rate limit is used up; GitHub asks to wait for {pause or 0.0:.0f} s, then run it again"
            return GitHubError(told, status=status, hint=hint)
        if status == 401:
            return PermissionDenied(told, status=status, hint="the token is wrong or has expired: check `github-token`")
        if status == 403 or (status == 404 and verb != "GET"):
            hint = f"add `{needs}` to the job's permissions; for forks and Dependabot a token is read-only all the same"
            return PermissionDenied(told, status=status, hint=hint)
        hint = "the repository has another name now: run the workflow again" if 300 <= status < 400 else ""
        return GitHubError(told, status=status, hint=hint)

    def _scrubbed(self, text: str) -> str:
        token = self.token.get_secret_value()
        return text.replace(token, "***") if token else text


def _message(answer: Answer) -> str:
    """Give GitHub's own words: the message and the first errors."""
    if not isinstance(answer.data, dict):
        return str(answer.data or "nothing")
    words = [str(answer.data.get("message", "nothing"))]
    errors = answer.data.get("errors")
    for error in errors[:3] if isinstance(errors, list) else []:
        words.append(str(error.get("message") or error.get("code")) if isinstance(error, dict) else str(error))
    return "; ".join(words)


def _is_limited(answer: Answer) -> bool:
    """Say whether a limit refused the request, so that it was not executed."""
    if answer.status == 429:
        return True
    if answer.status != 403:
        return False
    exhausted = answer.headers.get("x-ratelimit-remaining") == "0"
    return exhausted or "retry-after" in answer.headers or Requester.isRateLimitError(_message(answer))
