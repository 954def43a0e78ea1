"""Regular expressions from people we do not know: refused if they explode, and stopped by the clock."""

import math
import unicodedata

import regex

MAX_PATTERN_CHARACTERS = 10_000
MAX_REPETITIONS = 100_000
"""Largest product of all least counts (`a{50}`): compiling takes some 300 bytes for each."""
MATCH_SECONDS = 0.5
"""Longest time for one search through one answer."""
MAX_SUBJECT_CHARACTERS = 1_000_000

_COUNT = regex.compile(r"\{(\d+)(?:,\d*)?\}")


class PatternError(Exception):
    """A pattern that cannot be used; the message says why."""


class PatternTimeoutError(Exception):
    """A search that took too long; the message says so."""


def compile_pattern(pattern: str, *, ignore_case: bool = False) -> "regex.Pattern[str]":
    """Compile a pattern in Unicode form NFC.

    Raises:
        PatternError: It is not a regular expression, or would take too much memory.
    """
    if len(pattern) > MAX_PATTERN_CHARACTERS:
        raise PatternError(f"the pattern has {len(pattern)} characters; at most {MAX_PATTERN_CHARACTERS} are taken")
    counts = [max(1, int(match[1][:12])) for match in _COUNT.finditer(pattern)]
    if math.prod(counts) > MAX_REPETITIONS:
        raise PatternError(f"the pattern repeats more than {MAX_REPETITIONS} times; write smaller counts")
    try:
        return regex.compile(unicodedata.normalize("NFC", pattern), regex.IGNORECASE if ignore_case else 0)
    except (regex.error, ValueError, OverflowError, RecursionError) as error:
        raise PatternError(f"not a regular expression: {str(error)[:200]}") from None


def last_match(pattern: "regex.Pattern[str]", text: str) -> "regex.Match[str] | None":
    """Give the last of the matches that do not overlap, or None; errors as for `first_match`."""
    last = None
    try:
        for last in pattern.finditer(_subject(text), timeout=MATCH_SECONDS, concurrent=True):  # noqa: B007
            pass
    except TimeoutError:
        raise PatternTimeoutError(_too_slow(text)) from None
    return last


def first_match(pattern: "regex.Pattern[str]", text: str) -> "regex.Match[str] | None":
    """Search a text, which is brought into Unicode form NFC.

    Raises:
        PatternTimeoutError: The search took longer than MATCH_SECONDS, or the text is too long to be searched.
    """
    try:
        return pattern.search(_subject(text), timeout=MATCH_SECONDS, concurrent=True)
    except TimeoutError:
        raise PatternTimeoutError(_too_slow(text)) from None


def _subject(text: str) -> str:
    if len(text) > MAX_SUBJECT_CHARACTERS:
        raise PatternTimeoutError(f"the answer has {len(text)} characters, too long to be searched")
    return unicodedata.normalize("NFC", text)


def _too_slow(text: str) -> str:
    return f"the pattern took longer than {MATCH_SECONDS:g} s on an answer of {len(text)} characters"
