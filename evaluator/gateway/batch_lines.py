"""Reads the lines of a batch's output and error files: unordered, and not to be trusted."""

import json
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluator.gateway.meter import is_complete
from evaluator.gateway.transport import MAX_ANSWER_BYTES, error_message, failure_kind, redact
from evaluator.records import Failure, FailureKind

_UNFINISHED = frozenset({"batch_expired", "batch_cancelled", "batch_canceled"})
"""Codes of requests that a batch ended without asking; they cost nothing."""


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one request."""

    key: bytes
    body: Mapping[str, Any] | None
    """The model's answer, complete or not; None if there was none."""
    failure: Failure | None = None
    """None if the answer is complete. The message is untrusted."""
    unfinished: bool = False
    """Whether the batch ended before it was asked."""


@dataclass(frozen=True, slots=True)
class Odd:
    """A line that cannot be used."""

    what: str
    """`garbled`, or `foreign` for the answer to a request that the batch did not hold."""


def read_lines(file: Path, path: str, expected: Container[bytes], *, api_key: str | None) -> Iterator[Line | Odd]:
    """The lines of a file, one at a time.

    Args:
        file: As it was downloaded.
        path: The endpoint that was asked.
        expected: The keys of the batch's requests.
        api_key: Struck out of what the provider says.
    """
    with file.open("rb") as lines:
        while text := lines.readline(MAX_ANSWER_BYTES):
            if text.strip():
                yield _read(text, path, expected, api_key)


def _read(text: bytes, path: str, expected: Container[bytes], api_key: str | None) -> Line | Odd:
    try:
        found = json.loads(text)
        if not isinstance(found, dict) or not isinstance(found.get("custom_id"), str):
            return Odd("garbled")
    except (ValueError, RecursionError):
        return Odd("garbled")
    try:
        key = bytes.fromhex(found["custom_id"])
    except ValueError:
        return Odd("foreign")
    if key not in expected:
        return Odd("foreign")
    response, error = found.get("response"), found.get("error")
    if not isinstance(response, dict):
        return _without_response(key, error, api_key)
    status, body = response.get("status_code"), response.get("body")
    if type(status) is not int:
        return Odd("garbled")
    if status != 200:
        said = json.dumps(body).encode()
        message = f"HTTP {status}: {error_message(said, status, api_key)}"
        return Line(key, None, Failure(failure_kind(status, said), message))
    if not isinstance(body, dict):
        return Line(key, None, Failure(FailureKind.INVALID_ANSWER, "the answer is not a JSON object"))
    if not is_complete(path, body):
        return Line(key, body, Failure(FailureKind.INVALID_ANSWER, "the answer holds no result"))
    return Line(key, body)


def _without_response(key: bytes, error: object, api_key: str | None) -> Line:
    """A request that got no HTTP answer."""
    told = error if isinstance(error, dict) else {}
    code, said = str(told.get("code") or ""), str(told.get("message") or "no answer")
    message = " ".join(redact(said, api_key).split())[:500]
    return Line(key, None, Failure(FailureKind.SERVER, message), unfinished=code in _UNFINISHED)
