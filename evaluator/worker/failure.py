"""How a child process fails a question: the one exception of this room, and the strict reading of what a child says."""

import json
import math
import re
import unicodedata
from typing import NoReturn, cast

from evaluator.records import Failure, FailureKind, JsonValue

STDERR_KEPT = 8_192
"""Bytes of the end of a program's stderr that are kept."""
CLOSED_DOORS = (
    "the sandbox: it closes /tmp (below TMPDIR is open), /dev/shm (multiprocessing), other hosts and ports, and files"
    " outside of the checkout; docs/sandbox.md says what to do"
)
"""What a program in a cage most often runs into; to stand after "perhaps", for a program can say what it likes."""
_CLOSED = re.compile(
    r"permission denied|operation not permitted|\b(?:EACCES|EPERM|EAI_AGAIN|ENETUNREACH)\b|name resolution"
    r"|could not resolve host|network is unreachable",
    re.IGNORECASE,
)


class WorkerFailure(Exception):
    """A child process gave no answer to one question; the case fails, the evaluation goes on.

    Args:
        kind: CRASH, HANG or INVALID_ANSWER.
        message: One line; what the child said in it is escaped, but still untrusted.
    """

    def __init__(self, kind: FailureKind, message: str) -> None:
        """Store both; see the class."""
        super().__init__(message)
        self.kind = kind
        self.message = message

    def as_failure(self) -> Failure:
        """Give the record that an output or a score carries."""
        return Failure(self.kind, self.message)


def printable(text: str, limit: int = 2_000) -> str:
    r"""Make foreign text safe to stand inside one line of a message.

    Control, bidirectional and unassigned characters become escapes such as `\x1b`, line breaks become ` | `; a text
    longer than `limit` characters keeps its end, where programs say what went wrong.
    """
    if len(text) > limit:
        text = "..." + text[-limit:]
    lines = [line.strip() for line in text.splitlines()]
    joined = " | ".join(line for line in lines if line)
    return "".join(
        character if unicodedata.category(character)[0] not in "CZ" or character == " " else _escape(character)
        for character in joined
    )


def longer_tail(tail: bytes, data: bytes) -> bytes:
    """The end of a program's stderr, a piece later; what is older than `STDERR_KEPT` bytes is forgotten."""
    return (tail + data)[-STDERR_KEPT:]


def last_words(tail: bytes) -> str:
    """The end of a program's stderr, for the end of a message."""
    lines = [line for line in tail.decode("utf-8", "backslashreplace").splitlines() if line.strip()][-20:]
    if not lines:
        return "; it said nothing on stderr"
    # The last line says most, and messages are cut at their end.
    before = f" (before that: {printable(chr(10).join(lines[:-1]))})" if lines[:-1] else ""
    return f"; its stderr ends: {printable(lines[-1])}{before}"


def speaks_of_a_closed_door(message: str) -> bool:
    """Whether a failure's text reads like that of a program that met a closed file, port or host."""
    return _CLOSED.search(message) is not None


def parse_json(line: bytes) -> JsonValue:
    """Read one line as one JSON value, strictly.

    NaN, infinities and numbers that overflow to them are refused; lone surrogates, which no UTF-8 file can hold, become
    U+FFFD.

    Raises:
        ValueError: The line is not UTF-8 or not one JSON value; its text says why.
    """
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"byte {error.start + 1} is not UTF-8") from error
    try:
        value = cast("JsonValue", json.loads(text, parse_constant=_refuse_constant, parse_float=_finite))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return _without_surrogates(value) if "\\ud" in text.lower() else value


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"the number {digits[:40]} is too large")
    return number


def _without_surrogates(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {str(_without_surrogates(key)): _without_surrogates(item) for key, item in value.items()}
    return value
