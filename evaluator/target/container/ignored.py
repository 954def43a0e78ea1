"""What a `.dockerignore` leaves out of a build: the engine leaves that to whoever sends it the files.

Source: the documentation of Dockerfiles, ".dockerignore file", and `filepath.Match` of Go, whose patterns they are. A
path is left out if the last pattern that matches it, or a folder above it, does not begin with `!`.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import regex

from evaluator.errors import TargetError

_MAX_BYTES = 64_000
_ALL_S = 30.0
"""For all paths of a context together, by processor time: patterns are head's, and some take for ever."""
ALWAYS = ("Dockerfile", ".dockerignore")
"""Sent even where a pattern names them: the engine reads them."""


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: "regex.Pattern[str]"
    leaves_out: bool


def read_ignored(folder: Path, clock: Callable[[], float]) -> Callable[[str], bool]:
    """Read a context's `.dockerignore`.

    Args:
        folder: The context.
        clock: Processor seconds.

    Returns:
        Tells of a relative path with slashes whether it is left out; it may raise TargetError.

    Raises:
        TargetError: The file cannot be read as patterns.
    """
    path = folder / ".dockerignore"
    rules = _rules(path) if path.is_file() else []
    spent = 0.0

    def is_ignored(relative: str) -> bool:
        nonlocal spent
        if not rules or relative in ALWAYS:
            return False
        began, found = clock(), False
        parts = relative.split("/")
        above = ["/".join(parts[: count + 1]) for count in range(len(parts))]
        for rule in rules:
            if rule.leaves_out != found and any(_matches(rule, each, _ALL_S - spent) for each in above):
                found = rule.leaves_out
        spent += clock() - began
        return found

    return is_ignored


def _matches(rule: _Rule, path: str, left_s: float) -> bool:
    if left_s > 0:
        with contextlib.suppress(TimeoutError):
            return rule.pattern.fullmatch(path, timeout=left_s) is not None
    raise TargetError(f".dockerignore: its patterns take more than {_ALL_S:g} s", hint="write simpler ones")


def _rules(path: Path) -> list[_Rule]:
    content = path.read_bytes()
    if len(content) > _MAX_BYTES:
        raise TargetError(f".dockerignore has more than {_MAX_BYTES} bytes", hint="name folders rather than files")
    rules = []
    for number, line in enumerate(content.decode("utf-8-sig", "replace").splitlines(), 1):
        text = line.strip()
        if line.startswith("#") or not text:
            continue
        leaves_out = not text.startswith("!")
        cleaned = _clean(text.removeprefix("!").strip())
        if cleaned == ".":
            continue
        try:
            rules.append(_Rule(regex.compile(_expression(cleaned)), leaves_out))
        except (regex.error, ValueError):
            raise TargetError(
                f".dockerignore:{number}: not a pattern", hint="a `[` needs its `]`, and a `\\` what it stands before"
            ) from None
    return rules


def _clean(pattern: str) -> str:
    """The pattern from the context's root on, without `.` and `..`, as Go's `filepath.Clean` leaves it."""
    kept: list[str] = []
    for part in PurePosixPath(pattern).parts:
        if part == ".." and kept:
            kept.pop()
        elif part not in ("/", "..", "//"):
            kept.append(part)
    return "/".join(kept) or "."


def _expression(pattern: str) -> str:
    """The pattern as a regular expression.

    Raises:
        ValueError: It ends in the middle of something.
    """
    made, at = "", 0
    while at < len(pattern):
        character = pattern[at]
        if pattern.startswith("**", at):
            at += 2
            if pattern.startswith("/", at):
                at += 1
            made += ".*" if at >= len(pattern) else "(?:.*/)?"
            continue
        if character == "*":
            made += "[^/]*"
        elif character == "?":
            made += "[^/]"
        elif character == "[":
            end = pattern.index("]", at + 2)
            inner = pattern[at + 1 : end]
            turned = "^" if inner.startswith("^") else ""
            made += f"[{turned}{regex.escape(inner.removeprefix('^'), special_only=True).replace(chr(92) + '-', '-')}]"
            at = end
        elif character == "\\":
            at += 1
            if at == len(pattern):
                raise ValueError
            made += regex.escape(pattern[at])
        else:
            made += regex.escape(character)
        at += 1
    return made
