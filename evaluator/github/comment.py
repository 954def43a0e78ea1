"""The sticky comment: one per pull request and key, whoever else writes at the same time and whatever gets lost.

Look, write, wait, look again. GitHub has no conditional writes, so an older run's write that is on its way can land on
a newer one's text; the newer one sees that when it looks again, and writes again. Every write is preceded by a look,
so a POST whose answer was lost is not repeated where it was executed.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from evaluator.github import sticky
from evaluator.github.answers import Comment
from evaluator.github.client import Client
from evaluator.github.errors import AnswerLost, GitHubError, PermissionDenied
from evaluator.github.sticky import Marker, RunNumber, Step

Mode = Literal["always", "on-change", "on-failure", "off"]
Renderer = Callable[[int], str]
"""Gives the text that fits a limit, by leaving out whole parts."""

ACTIONS_BOT = "github-actions[bot]"
LIMITS = (65_000, 30_000, 8_000, 2_000)
"""Tried from the first to the last, in UTF-16 units; the marker comes on top."""
_MOST_WRITES = 5
_MOST_LOOKS = 12
_MOVED = "\n\n_The pull request has moved on since; this is about the commit named above._"


@dataclass(frozen=True, slots=True)
class Post:
    """Where a comment belongs and who writes it."""

    number: int
    """The pull request."""
    head: str
    """SHA of the head that it is about."""
    run: RunNumber
    key: str = ""
    mode: Mode = "always"
    """When a comment may be made; one that is there is kept up to date in every mode but `off`."""
    failed: bool = False
    """Whether the gate does not pass: `on-failure` and `on-change` then make a comment."""
    changed: bool = True
    """Whether there is anything to tell of: `on-change` then makes a comment."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long is waited; all in seconds."""

    settle_s: float = 1.5
    """Before looking again after a write, up to twice as long by chance; 0 for not looking again."""
    retry_s: float = 1.0
    """Before looking again after a lost answer, up to twice as long by chance."""
    sleep: Callable[[float], None] = time.sleep
    draw: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class CommentOutcome:
    """What became of a comment."""

    action: Literal["created", "updated", "unchanged", "skipped", "denied", "failed"]
    url: str = ""
    """Where the comment is; empty if there is none."""
    reason: str = ""
    """Why it was skipped, denied or failed; or what could not be made sure of."""


def put_comment(
    client: Client, post: Post, render: Renderer, *, current_head: Callable[[], str], pace: Pace | None = None
) -> CommentOutcome:
    """Make our comment on a pull request say what `render` gives; "in progress" is a text like any other.

    Args:
        client: GitHub.
        post: Where it belongs.
        render: Gives the text for a limit in UTF-16 units.
        current_head: Asks for the pull request's head as it is now.
        pace: Waits.

    Returns:
        What became of it. No error of GitHub's is raised: a comment that cannot be written is no verdict.
    """
    if post.mode == "off":
        return CommentOutcome("skipped", reason="comments are switched off")
    reason = "no rendering of the report is short enough for a comment"
    tried = ""
    for limit in LIMITS:
        text = render(limit)
        if sticky.size(text) > limit or text == tried:
            continue
        tried = text
        try:
            return _Writer(client, post, text, current_head, pace or Pace()).write()
        except _Refused as error:
            reason = str(error)
    return CommentOutcome("failed", reason=reason)


class _Refused(Exception):
    """GitHub does not take this text: a shorter one may do."""


class _Writer:
    """Writes one text; remembers from look to look who we are and what was written."""

    def __init__(self, client: Client, post: Post, text: str, current_head: Callable[[], str], pace: Pace) -> None:
        """Take what `put_comment` was given, and one text."""
        self.client = client
        self.post = post
        self.text = text
        self.current_head = current_head
        self.pace = pace
        self.mine: Marker = sticky.marker(post.key, post.head, post.run)
        self.login = ""
        self.is_certain = False
        """Whether `login` is known; an App's token may not ask, and is taken for the runner's own at first."""
        self.made: Comment | None = None
        self.accepted = ""
        self.action: Literal["created", "updated", "unchanged"] = "unchanged"
        self.begun: Literal["created", "updated", "unchanged"] = "unchanged"
        """What was sent last; it may have happened though no answer came."""
        self.url = ""

    def write(self) -> CommentOutcome:
        """Look and write until it stands there.

        Raises:
            _Refused: GitHub does not take the text.
        """
        try:
            return self._write()
        except PermissionDenied as error:
            return self._ended("denied", error)
        except GitHubError as error:
            if error.status == 422 and self.action == "unchanged":
                raise _Refused(error.message) from None
            return self._ended("failed", error)

    def _write(self) -> CommentOutcome:
        known = self.client.user_login()
        self.login, self.is_certain = known or ACTIONS_BOT, known is not None
        lost: GitHubError | None = None
        writes = 0
        for _ in range(_MOST_LOOKS):
            step, body = self._look()
            if step.kind in ("skip", "done"):
                return self._finished(step)
            if writes == _MOST_WRITES:
                break
            writes += 1
            try:
                self._do(step, body)
            except AnswerLost as error:
                lost = error
                self._wait(self.pace.retry_s)
                continue
            lost = None
            if self.pace.settle_s == 0:
                return CommentOutcome(self.action, self.url)
            self._wait(self.pace.settle_s)
        return self._ended("failed", lost or GitHubError("other runs kept writing the same comment"))

    def _look(self) -> tuple[Step, str]:
        """Read what is there, and decide; the read comes last, so that little can happen between it and a write."""
        is_current = self.current_head() == self.post.head
        comments = self._comments()
        ours = sticky.ours_among(comments, self.mine.key, self.login)
        if not ours and not self.is_certain and sticky.is_perhaps_ours(comments, self.mine.key):
            self.login, self.is_certain = self.client.app_login() or self.login, True
            ours = sticky.ours_among(comments, self.mine.key, self.login)
        if is_current and ours and ours[0].marker.head != self.mine.head and ours[0].marker.run > self.mine.run:
            is_current = self.current_head() == self.post.head
        body = f"{self.text.rstrip()}{'' if is_current else _MOVED}\n\n{self.mine}\n"
        texts = [body, self.accepted] if self.accepted else [body]
        step = sticky.next_step(ours, self.mine, texts, is_current=is_current, may_create=_may_create(self.post))
        return step, body

    def _comments(self) -> Sequence[Comment]:
        """Give all comments; a list can lag behind, so what we made is looked up where it is missing."""
        found = self.client.list_comments(self.post.number)
        if self.made is None or any(each.id == self.made.id for each in found):
            return found
        made = self.client.comment(self.made.id)
        return found if made is None else (*found, made)

    def _do(self, step: Step, body: str) -> None:
        if step.kind == "create":
            self.begun = "created"
            self.made = self.client.create_comment(self.post.number, body)
            # An App that GitHub would not name learns its name here, and can fold this into an older comment.
            self.login, self.is_certain = self.made.author or self.login, True
            self._wrote("created", self.made)
        elif step.kind == "edit" and step.comment:
            self.begun = "updated" if self.begun == "unchanged" else self.begun
            self._wrote("updated", self._edit(step.comment, body))
        elif step.comment:
            for doomed in step.doomed:
                self._delete(doomed, step.comment)

    def _edit(self, comment: Comment, body: str) -> Comment:
        try:
            return self.client.edit_comment(comment.id, body, repeat=False)
        except PermissionDenied as error:
            if error.status == 404 and self.client.comment(comment.id) is None:
                raise AnswerLost("the comment was deleted meanwhile", status=404) from None
            raise

    def _wrote(self, action: Literal["created", "updated"], written: Comment) -> None:
        self.action = "updated" if self.action == "updated" else action
        self.accepted, self.url = written.body, written.url

    def _delete(self, doomed: Comment, stays: Comment) -> None:
        """Delete a duplicate of our own if it still is one and the one that stays is there."""
        now = self.client.comment(doomed.id)
        if now is None or self.client.comment(stays.id) is None:
            return
        still = sticky.ours_among([now], self.mine.key, self.login)
        if still and (still[0].marker.head != self.mine.head or still[0].marker.run <= self.mine.run):
            self.client.delete_comment(doomed.id)

    def _finished(self, step: Step) -> CommentOutcome:
        url = step.comment.url if step.comment else ""
        if step.kind == "skip":
            return CommentOutcome("skipped", url, step.reason)
        return CommentOutcome(self.begun if self.action == "unchanged" else self.action, url)

    def _ended(self, action: Literal["denied", "failed"], error: GitHubError) -> CommentOutcome:
        """Say how it ended; a comment that was written stays written, though not all could be made sure of."""
        reason = f"{error.message}; {error.hint}" if error.hint else error.message
        return CommentOutcome(action if self.action == "unchanged" else self.action, self.url, reason)

    def _wait(self, seconds: float) -> None:
        self.pace.sleep(seconds * (1 + self.pace.draw()))


def _may_create(post: Post) -> bool:
    return {
        "always": True,
        "on-change": post.changed or post.failed,
        "on-failure": post.failed,
        "off": False,
    }[post.mode]
