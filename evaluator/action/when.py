"""Whether a pull request is evaluated at all, by `when:` of the config at base."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from evaluator.config.model import WhenSection


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules look at."""

    draft: bool
    labels: Sequence[str]
    changed: Sequence[str] | None
    """Paths from the app's folder; None where there is no base to tell them by."""
    ruling: Sequence[str] = ()
    """Files that always count: config, golden set, what the config reads, the prompt."""


def why_not(when: WhenSection, facts: Facts) -> str | None:
    """Why a pull request is not evaluated, in a sentence; None if it is."""
    if facts.draft and not when.drafts:
        return "the pull request is a draft, and `when.drafts` is false; it is evaluated when it is ready for review"
    unwanted = [label for label in when.skip_labels if label in facts.labels]
    if unwanted:
        return f"the pull request has the label {unwanted[0]!r}, which `when.skip_labels` names"
    if when.labels and not set(when.labels) & set(facts.labels):
        return f"the pull request has none of the labels that `when.labels` names: {', '.join(when.labels)}"
    if when.paths and facts.changed is not None and not _touched(when, facts.changed, facts.ruling):
        return f"none of the {len(facts.changed)} changed files matches `when.paths`: {', '.join(when.paths)}"
    return None


def _touched(when: WhenSection, changed: Sequence[str], ruling: Sequence[str]) -> bool:
    return any(path in ruling or any(matches(path, pattern) for pattern in when.paths) for path in changed)


def matches(path: str, pattern: str) -> bool:
    """Whether a path matches a pattern as in a workflow's `paths:`.

    `*` is any text without a slash, `**` any text, `?` one character; a pattern that ends in a slash is a folder.
    """
    return _compiled(pattern).fullmatch(path) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    text = pattern.removeprefix("./").removeprefix("/")
    if text.endswith("/"):
        text += "**"
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", text)
    words = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(words.get(part, re.escape(part)) for part in parts), re.DOTALL)
