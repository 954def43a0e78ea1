"""The fields of an event's payload, each checked for its form before anything is done with it.

A path such as `pull_request.head.sha` names a field; what is missing and what is null are the same. Which fields there
are is known to `event.py`. Every function here raises `EventError` where the field is not of its form.
"""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from evaluator.errors import EvalGateError
from evaluator.report.escape import terminal

MAX_NUMBER = 2**53
"""Beyond it JSON numbers are no longer exact everywhere."""
MAX_LABELS = 1000
LONGEST_REF = 500

_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ZERO = re.compile(r"0+")
_STATE = re.compile("open|closed")
_WORD = re.compile(r"[a-z][a-z0-9_]{0,49}")
_LOGIN = re.compile(r"[A-Za-z0-9_-]{1,100}(\[bot\])?")
_LABEL = re.compile(r"[^\x00\ud800-\udfff]{1,200}")
_REPOSITORY = re.compile(r"[A-Za-z0-9_-]{1,100}/(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
# The rules of `git check-ref-format --branch`.
_REF = re.compile(
    r"(?!-|@$)(?!.*(?:\.\.|@\{|//))(?!(?:.*/)?\.)(?!.*\.lock(?:/|$))[^\x00-\x20\x7f-\x9f~^:?*\[\\\ud800-\udfff/]"
    r"[^\x00-\x20\x7f-\x9f~^:?*\[\\\ud800-\udfff]*(?<![./])"
)

_Field = TypeVar("_Field")


class EventError(EvalGateError):
    """The payload of the event is missing, or is not what GitHub documents."""


def is_sha(text: str) -> bool:
    """Whether this is a whole commit hash, SHA-1 or SHA-256, in lower case."""
    return _SHA.fullmatch(text) is not None and _ZERO.fullmatch(text) is None


def is_ref(text: str) -> bool:
    """Whether git allows this as the name of a branch or a tag; a commit hash has that form, too."""
    return len(text) <= LONGEST_REF and _REF.fullmatch(text) is not None


def if_given(
    read: Callable[[Mapping[str, object], str], _Field], payload: Mapping[str, object], path: str
) -> _Field | None:
    """Read a field with one of the functions below if it is there."""
    return None if look(payload, path) is None else read(payload, path)


def home(payload: Mapping[str, object], path: str) -> str | None:
    """Read the `owner/name` of a repository that may have been deleted since."""
    return None if look(payload, path) is None else repository(payload, f"{path}.full_name")


def sha(payload: Mapping[str, object], path: str) -> str:
    """Read a whole commit hash."""
    value = look(payload, path)
    if not isinstance(value, str) or not is_sha(value):
        raise wrong(path, "a whole commit hash", value)
    return value


def ref(payload: Mapping[str, object], path: str) -> str:
    """Read the name of a branch or tag."""
    value = look(payload, path)
    if not isinstance(value, str) or not is_ref(value):
        raise wrong(path, "the name of a branch or tag", value)
    return value


def short_ref(payload: Mapping[str, object], path: str) -> str:
    """Read a `refs/heads/...` or `refs/tags/...`; gives it without that beginning."""
    value = ref(payload, path)
    start = next((start for start in ("refs/heads/", "refs/tags/") if value.startswith(start)), None)
    name = value.removeprefix(start) if start else ""
    if not is_ref(name):
        raise wrong(path, "refs/heads/... or refs/tags/...", value)
    return name


def repository(payload: Mapping[str, object], path: str) -> str:
    """Read an `owner/name`."""
    return _matching(payload, path, _REPOSITORY, "owner/name")


def login(payload: Mapping[str, object], path: str) -> str:
    """Read an account's name."""
    return _matching(payload, path, _LOGIN, "a login")


def word(payload: Mapping[str, object], path: str) -> str:
    """Read one of the words that GitHub itself writes: an action, an event, a conclusion."""
    return _matching(payload, path, _WORD, "a word")


def is_open(payload: Mapping[str, object], path: str) -> bool:
    """Read the state of an issue or pull request."""
    return _matching(payload, path, _STATE, "open or closed") == "open"


def _matching(payload: Mapping[str, object], path: str, pattern: re.Pattern[str], expected: str) -> str:
    value = look(payload, path)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise wrong(path, expected, value)
    return value


def number(payload: Mapping[str, object], path: str) -> int:
    """Read a positive whole number."""
    value = look(payload, path)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < MAX_NUMBER:
        raise wrong(path, "a positive whole number", value)
    return value


def flag(payload: Mapping[str, object], path: str) -> bool:
    """Read a yes or no; what is not said is no."""
    value = look(payload, path)
    if value is not None and not isinstance(value, bool):
        raise wrong(path, "true or false", value)
    return value is True


def labels(payload: Mapping[str, object], path: str) -> tuple[str, ...]:
    """Read the names of labels."""
    value = look(payload, path)
    if not isinstance(value, list) or len(value) > MAX_LABELS:
        raise wrong(path, f"a list of at most {MAX_LABELS} labels", value)
    names = []
    for index, label in enumerate(value):
        name = label.get("name") if isinstance(label, Mapping) else label
        if not isinstance(name, str) or not _LABEL.fullmatch(name):
            raise wrong(f"{path}[{index}].name", "text of 1 to 200 characters", name)
        names.append(name)
    return tuple(names)


def look(payload: Mapping[str, object], path: str) -> object:
    """Give what stands at a path of keys; None where it, or something on the way, is missing or null."""
    value: object = payload
    keys = path.split(".")
    for index, key in enumerate(keys):
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise wrong(".".join(keys[:index]), "an object", value)
        value = value.get(key)
    return value


def wrong(path: str, expected: str, value: object) -> EventError:
    """Make the error for a field that is not what it should be."""
    return EventError(f"the event's payload: {path}: expected {expected}, found {found(value)}")


def found(value: object) -> str:
    """Name a value of any kind in a message: short, on one line, with nothing alive in it."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return f"{terminal(value[:80])!r}" + (f" (of {len(value)} characters)" if len(value) > 80 else "")
        case int() if value.bit_length() > 128:  # Python refuses to write out a huge number
            return "a huge number"
        case int() | float():
            return repr(value)
        case list():
            return f"a list of {len(value)}"
        case _:
            return "an object"
