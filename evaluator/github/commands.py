r"""What the runner reads from us: workflow commands in the log, step outputs, the job summary.

The runner obeys `::command` where a line starts (after blanks) and `##[command]` anywhere in a line, whoever printed
it. So text that is not ours is made harmless before it is printed.
"""

import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

from evaluator.report.escape import terminal

SUMMARY_LIMIT = 1024 * 1024
"""Bytes of a job summary; one byte more and the runner drops the whole."""
SUMMARY_LIMITS = (1_000_000, 500_000, 100_000, 30_000, 8_000, 2_000)
"""Tried from the first to the last, in bytes."""
Level = Literal["error", "warning", "notice"]
_SHORTEST_MASK = 4
"""Characters of a line of a secret; hiding each `}` of a JSON key would make the log unreadable."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Annotation:
    """A remark at a line of a file, for the log and for a check run."""

    level: Level
    message: str
    file: str = ""
    """Path from the repository's root; empty for a remark on the whole."""
    line: int = 0
    end_line: int = 0
    title: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """Whether something was written, and why not."""

    done: bool
    reason: str = ""


def data(text: str) -> str:
    """Escape a workflow command's message, as the runner reads it back."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def property_value(text: str) -> str:
    """Escape a workflow command's property, as the runner reads it back."""
    return data(text).replace(":", "%3A").replace(",", "%2C")


def annotation_line(annotation: Annotation) -> str:
    """Write an annotation as a workflow command."""
    properties = {"title": annotation.title}
    if annotation.file:
        properties = {"file": annotation.file, "title": annotation.title}
        if annotation.line > 0:
            properties["line"] = str(annotation.line)
            properties["endLine"] = str(max(annotation.end_line, annotation.line))
    told = ",".join(f"{name}={property_value(value)}" for name, value in properties.items() if value)
    return f"::{annotation.level}{' ' + told if told else ''}::{data(annotation.message)}"


def annotate(out: TextIO, annotation: Annotation) -> None:
    """Print an annotation."""
    _command(out, annotation_line(annotation))


def error(out: TextIO, message: str, *, file: str = "", line: int = 0, title: str = "") -> None:
    """Print an error annotation."""
    annotate(out, Annotation("error", message, file, line, title=title))


def warning(out: TextIO, message: str, *, file: str = "", line: int = 0, title: str = "") -> None:
    """Print a warning annotation."""
    annotate(out, Annotation("warning", message, file, line, title=title))


def add_mask(out: TextIO, secret: str) -> None:
    """Have the runner hide a secret in the log: the whole of it, and each of its lines that is not too common."""
    lines = [line.strip() for line in secret.splitlines()]
    for part in dict.fromkeys([secret.strip(), *(line for line in lines if len(line) >= _SHORTEST_MASK)]):
        if part:
            _command(out, f"::add-mask::{data(part)}")


@contextmanager
def group(out: TextIO, title: str) -> Iterator[None]:
    """Fold what is printed inside."""
    _command(out, f"::group::{data(title)}")
    try:
        yield
    finally:
        _command(out, "::endgroup::")


def foreign(text: str) -> str:
    """Make text that is not ours safe for the log: it starts no command, and shows what it holds."""
    return terminal(text, lines=True)


def _command(out: TextIO, line: str) -> None:
    out.write(line + "\n")
    out.flush()


def write_outputs(path: Path | None, outputs: Mapping[str, str]) -> Written:
    """Append step outputs to the file that `GITHUB_OUTPUT` names.

    Each value stands between two random marks, so that no value can end itself and begin another output.
    """
    if path is None:
        return Written(False, "GITHUB_OUTPUT is not set: no outputs were written")
    written = []
    for name, value in outputs.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of an output")
        mark = f"eval-gate-{secrets.token_hex(16)}"
        while mark in value:  # pragma: no cover - one in 2^128, or a source of randomness that is none
            mark = f"eval-gate-{secrets.token_hex(16)}"
        written.append(f"{name}<<{mark}\n{value}\n{mark}\n")
    return _append(path, "".join(written).encode("utf-8", "replace"), "the outputs")


def append_summary(path: Path | None, render: Callable[[int], str]) -> Written:
    """Append to the job summary the largest rendering that there is room for.

    Args:
        path: The file that `GITHUB_STEP_SUMMARY` names.
        render: Gives the text for a limit in bytes, by leaving out whole parts.
    """
    if path is None:
        return Written(False, "GITHUB_STEP_SUMMARY is not set: no job summary was written")
    try:
        room = SUMMARY_LIMIT - (path.stat().st_size if path.exists() else 0) - 2
    except OSError as problem:
        return Written(False, f"the job summary cannot be written: {problem.strerror}")
    for limit in SUMMARY_LIMITS:
        if limit <= room:
            text = f"{render(limit).rstrip()}\n".encode("utf-8", "replace")
            if len(text) <= min(limit, room) + 1:
                return _append(path, text, "the job summary")
    return Written(False, f"the job summary has room for {max(room, 0)} bytes, too few for the shortest report")


def _append(path: Path, text: bytes, what: str) -> Written:
    try:
        with path.open("ab") as file:
            file.write(text)
    except OSError as problem:
        return Written(False, f"{what} cannot be written: {problem.strerror}")
    return Written(True)
