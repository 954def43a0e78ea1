"""What happened on GitHub: the event's payload as a small record, every field of it checked.

Only what the gate uses is read, and all else in a payload is ignored. Much of it is chosen by whoever opened the pull
request: names of branches, labels and comments are data here, never part of a command, a path or a message of ours.
What is done about an event is decided in `activity.py`.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from evaluator.github import fields
from evaluator.github.fields import EventError as EventError
from evaluator.report.escape import terminal

MAX_BYTES = 25_000_000
"""GitHub's own limit for a payload."""
PULL_EVENTS = ("pull_request", "pull_request_target")
OF_NOTHING = ("schedule", "workflow_dispatch")
"""Events that happen to nothing; some payloads of `schedule` hold nothing but the schedule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """A pull request as the payload, or the API, shows it."""

    number: int
    open: bool
    merged: bool
    draft: bool
    author: str | None
    """Login; None for a deleted account."""
    labels: tuple[str, ...]
    """As people wrote them: anything can be in there."""
    head_sha: str
    head_ref: str
    """Name of the branch, in `head_repository`."""
    head_repository: str | None
    """`owner/name`; None where the fork was deleted."""
    base_sha: str
    """Tip of the base branch when the payload was made; it moves."""
    base_ref: str
    """Name of the branch."""
    base_repository: str

    @property
    def is_fork(self) -> bool:
        """Whether the change comes from elsewhere; so it does where that place is gone."""
        return self.head_repository is None or not same_repository(self.head_repository, self.base_repository)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Pull requests that a merge queue tests together."""

    head_sha: str
    head_ref: str
    base_sha: str
    base_ref: str
    """Name of the branch, without `refs/heads/`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A comment on an issue or on a pull request."""

    number: int
    """Of the issue or pull request."""
    on_pull: bool
    open: bool
    """Whether the issue or pull request is."""
    author: str | None
    """Login; None for a deleted account."""
    first_line: str
    """At most 200 characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """A branch or a tag that was made, moved or deleted."""

    ref: str
    """Without `refs/heads/` or `refs/tags/`."""
    is_tag: bool
    sha: str | None
    """Where it points now; None if it was deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run of another workflow."""

    id: int
    attempt: int
    event: str
    """What had started it."""
    conclusion: str | None
    """`success`, `failure`, `cancelled` ...; None while it runs."""
    actor: str | None
    head_sha: str
    head_branch: str | None
    head_repository: str | None
    """`owner/name`; None where the fork was deleted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event."""

    name: str
    """As in a workflow's `on:`."""
    action: str
    """`opened`, `created` ...; empty for events that have none."""
    repository: str | None
    """Where it happened, `owner/name`; None where the payload does not say, as for some schedules."""
    default_branch: str | None
    sender: str | None
    """Login of who caused it."""
    subject: Pull | Group | Comment | Push | Run | None
    """What it happened to; None for events that need no more than their name."""


def load_payload(path: Path, *, max_bytes: int = MAX_BYTES) -> Mapping[str, object]:
    """Read the file that `GITHUB_EVENT_PATH` names.

    Raises:
        EventError: It cannot be read, is larger than `max_bytes`, or is no JSON object.
    """
    named = f"the event's payload {terminal(str(path))}"
    try:
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        hint = "GitHub's runner writes this file; outside of it, point GITHUB_EVENT_PATH at a payload in JSON"
        why = error.strerror if isinstance(error, OSError) else None
        raise EventError(f"{named} cannot be read: {why or 'not a path'}", hint=hint) from error
    if len(data) > max_bytes:
        raise EventError(f"{named} is larger than the {max_bytes:,} bytes that are read")
    try:
        payload: object = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise EventError(f"{named} is not UTF-8 (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise EventError(f"{named}:{error.lineno}: not JSON: {terminal(error.msg)}") from error
    except RecursionError as error:
        raise EventError(f"{named} is nested too deeply") from error
    except ValueError as error:  # Python reads no whole number of more than 4300 digits
        raise EventError(f"{named} holds a number that is too long") from error
    if not isinstance(payload, dict):
        raise EventError(f"{named}: expected an object, found {fields.found(payload)}")
    return payload


def read_event(name: str, payload: Mapping[str, object]) -> Event:
    """Make the record of an event; of one that the gate does not know, nothing but its name is read.

    Args:
        name: As in `GITHUB_EVENT_NAME`.
        payload: As GitHub documents it.

    Raises:
        EventError: A field that is used is missing, or is not of the documented form.
    """
    if name not in _READERS:
        return Event(name=name, action="", repository=None, default_branch=None, sender=None, subject=None)
    place, branch, sender = "repository.full_name", "repository.default_branch", "sender.login"
    of_nothing = name in OF_NOTHING
    return Event(
        name=name,
        action="" if of_nothing or name == "push" else fields.word(payload, "action"),
        repository=fields.if_given(fields.repository, payload, place)
        if of_nothing
        else fields.repository(payload, place),
        default_branch=fields.ref(payload, branch) if name == "push" else fields.if_given(fields.ref, payload, branch),
        sender=fields.if_given(fields.login, payload, sender),
        subject=_READERS[name](payload),
    )


def same_repository(first: str, second: str) -> bool:
    """Whether two `owner/name` are the same; GitHub does not tell upper from lower case."""
    return first.casefold() == second.casefold()


def _pull(payload: Mapping[str, object]) -> Pull:
    at = "pull_request"
    return Pull(
        number=fields.number(payload, f"{at}.number"),
        open=fields.is_open(payload, f"{at}.state"),
        merged=fields.flag(payload, f"{at}.merged"),
        draft=fields.flag(payload, f"{at}.draft"),
        author=fields.if_given(fields.login, payload, f"{at}.user.login"),
        labels=fields.labels(payload, f"{at}.labels"),
        head_sha=fields.sha(payload, f"{at}.head.sha"),
        head_ref=fields.ref(payload, f"{at}.head.ref"),
        head_repository=fields.home(payload, f"{at}.head.repo"),
        base_sha=fields.sha(payload, f"{at}.base.sha"),
        base_ref=fields.ref(payload, f"{at}.base.ref"),
        base_repository=fields.repository(payload, f"{at}.base.repo.full_name"),
    )


def _group(payload: Mapping[str, object]) -> Group:
    return Group(
        head_sha=fields.sha(payload, "merge_group.head_sha"),
        head_ref=fields.short_ref(payload, "merge_group.head_ref"),
        base_sha=fields.sha(payload, "merge_group.base_sha"),
        base_ref=fields.short_ref(payload, "merge_group.base_ref"),
    )


def _comment(payload: Mapping[str, object]) -> Comment:
    body = fields.look(payload, "comment.body")
    if not isinstance(body, str):
        raise fields.wrong("comment.body", "text", body)
    return Comment(
        number=fields.number(payload, "issue.number"),
        on_pull=fields.look(payload, "issue.pull_request") is not None,
        open=fields.is_open(payload, "issue.state"),
        author=fields.if_given(fields.login, payload, "comment.user.login"),
        first_line=re.split(r"[\r\n]", body[:200], maxsplit=1)[0],
    )


def _push(payload: Mapping[str, object]) -> Push:
    is_tag = fields.ref(payload, "ref").startswith("refs/tags/")
    gone = fields.flag(payload, "deleted") or fields.look(payload, "after") in ("0" * 40, "0" * 64)
    return Push(ref=fields.short_ref(payload, "ref"), is_tag=is_tag, sha=None if gone else fields.sha(payload, "after"))


def _run(payload: Mapping[str, object]) -> Run:
    at = "workflow_run"
    return Run(
        id=fields.number(payload, f"{at}.id"),
        attempt=fields.number(payload, f"{at}.run_attempt"),
        event=fields.word(payload, f"{at}.event"),
        conclusion=fields.if_given(fields.word, payload, f"{at}.conclusion"),
        actor=fields.if_given(fields.login, payload, f"{at}.actor.login"),
        head_sha=fields.sha(payload, f"{at}.head_sha"),
        head_branch=fields.if_given(fields.ref, payload, f"{at}.head_branch"),
        head_repository=fields.home(payload, f"{at}.head_repository"),
    )


_READERS: Mapping[str, Callable[[Mapping[str, object]], Pull | Group | Comment | Push | Run | None]] = {
    **dict.fromkeys(PULL_EVENTS, _pull),
    **dict.fromkeys(OF_NOTHING, lambda _: None),
    "merge_group": _group,
    "issue_comment": _comment,
    "push": _push,
    "workflow_run": _run,
}
