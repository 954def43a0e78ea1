"""Which comment is ours, and what is to be done with it: pure decisions, no requests.

A hidden marker finds our comment again. A marker alone proves nothing, for anybody can write one: only a comment that
the token's own account wrote counts. Of several the oldest is the one that stays.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evaluator.github.answers import Comment

MOST_UNITS = 65_536
"""GitHub's limit for a comment, here in UTF-16 units as its strictest reading."""
_LONGEST_KEY = 80
_FORBIDDEN = re.compile(r"[^A-Za-z0-9_.-]")
_MARKER = re.compile(
    r"<!-- llm-eval-gate:v1 key=([\w.-]*) head=([\w.-]*) run=(\d{1,20})\.(\d{1,10}) -->\s*\Z", re.ASCII
)


@dataclass(frozen=True, slots=True, order=True)
class RunNumber:
    """A workflow run and its attempt; a later one is greater."""

    run_id: int
    attempt: int

    def __str__(self) -> str:
        """Write it as `ID.ATTEMPT`."""
        return f"{self.run_id}.{self.attempt}"


@dataclass(frozen=True, slots=True)
class Marker:
    """What our hidden marker says."""

    key: str
    """Tells comments of several gates on one pull request apart; sanitised."""
    head: str
    """The head that the comment is about."""
    run: RunNumber
    """Who wrote it."""

    def __str__(self) -> str:
        """Write it as the last line of a comment."""
        return f"<!-- llm-eval-gate:v1 key={self.key} head={self.head} run={self.run} -->"


@dataclass(frozen=True, slots=True)
class Ours:
    """A comment of our own with what its marker says."""

    comment: Comment
    marker: Marker


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done next."""

    kind: Literal["create", "edit", "delete", "done", "skip"]
    reason: str = ""
    comment: Comment | None = None
    """The comment that stays, where there is one."""
    doomed: tuple[Comment, ...] = ()
    """Our own duplicates to delete."""


def marker(key: str, head: str, run: RunNumber) -> Marker:
    """Make a marker; what would not fit into it is replaced, and told apart by a hash."""
    return Marker(_plain(key), _FORBIDDEN.sub("-", head), run)


def _plain(key: str) -> str:
    safe = _FORBIDDEN.sub("-", key)[:_LONGEST_KEY]
    return safe if safe == key else f"{safe}-{hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()[:8]}"


def read_marker(body: str) -> Marker | None:
    """Read the marker in the last line of a comment; None if there is none."""
    found = _MARKER.search(body)
    if found is None:
        return None
    return Marker(found[1], found[2], RunNumber(int(found[3]), int(found[4])))


def ours_among(comments: Sequence[Comment], key: str, login: str) -> list[Ours]:
    """Give our own comments of one key, the oldest first; hidden ones are left to whoever hid them."""
    found = []
    for comment in sorted(comments, key=lambda each: each.id):
        if comment.is_minimized or comment.author.casefold() != login.casefold():
            continue
        said = read_marker(comment.body)
        if said is not None and said.key == key:
            found.append(Ours(comment, said))
    return found


def is_perhaps_ours(comments: Sequence[Comment], key: str) -> bool:
    """Say whether some App wrote a comment with our marker: a reason to ask which App we are."""
    return any(
        each.author.endswith("[bot]") and (said := read_marker(each.body)) is not None and said.key == key
        for each in comments
    )


def size(text: str) -> int:
    """Count text in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def same_text(one: str, other: str) -> bool:
    """Compare two texts as GitHub keeps them: line ends and the blanks at the end do not count."""
    return one.replace("\r\n", "\n").rstrip() == other.replace("\r\n", "\n").rstrip()


def next_step(ours: Sequence[Ours], mine: Marker, texts: Sequence[str], *, is_current: bool, may_create: bool) -> Step:
    """Decide what to do with what is there.

    Args:
        ours: Our own comments, the oldest first.
        mine: The marker that we write.
        texts: What counts as written: our text, and that as GitHub gave it back.
        is_current: Whether the pull request's head is still the one that we are about.
        may_create: Whether a comment may be made where there is none.
    """
    first = ours[0] if ours else None
    if any(each.marker.head == mine.head and each.marker.run > mine.run for each in ours):
        stays = max(ours, key=lambda each: each.marker.run)
        left = tuple(each.comment for each in ours[1:] if each is not stays and each.marker == mine)
        reason = f"a newer run ({stays.marker.run}) has commented on this head"
        return Step("delete" if left else "skip", reason, stays.comment, left)
    # What our own run has begun it may end, or "in progress" would stand there for ever.
    if not is_current and (first is None or first.marker != mine):
        return Step("skip", "the pull request's head has moved on", first.comment if first else None)
    if first is None:
        return Step("create") if may_create else Step("skip", "the comment mode asks for none")
    if not any(same_text(first.comment.body, text) for text in texts):
        return Step("edit", comment=first.comment)
    doomed = tuple(each.comment for each in ours[1:] if each.marker.run <= mine.run or each.marker.head != mine.head)
    return Step("delete" if doomed else "done", comment=first.comment, doomed=doomed)
