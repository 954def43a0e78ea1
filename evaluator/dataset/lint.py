"""Tells what makes a golden set weak although every row is valid: repeats, contradictions, imbalance, too few cases.

Nothing here stops a run; what is wrong in a row is an error of `load.py`.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from evaluator.dataset.case_row import FIELDS
from evaluator.dataset.excerpts import quote
from evaluator.dataset.identity import canonical_text
from evaluator.dataset.names import nearest
from evaluator.dataset.near_duplicates import near_duplicates
from evaluator.dataset.text_quality import odd_text
from evaluator.records import Case, JsonValue

Kind = Literal[
    "size",
    "conflict",
    "duplicate",
    "near_duplicate",
    "no_expected",
    "label_balance",
    "label_spelling",
    "small_tag",
    "long_input",
    "odd_text",
    "field_name",
]

SHOWN = 10
"""Cases, labels or tags that a finding names; the rest is counted."""
FEW_CASES = 30
SMALL_SET = 100
SMALL_TAG = 10
SMALL_CLASS = 5
LARGE_CLASS_SHARE = 0.6
_MAX_LABEL = 50
_MAX_CLASSES = 200
_LONG = 8_000
_LONG_RATIO = 10
_ALIKE = 3
"""A label stands for three cases or more on average; else the answers are free text."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One weakness of the golden set."""

    kind: Kind
    severity: Literal["warning", "note"]
    message: str
    """What was found and what follows from it; text of the set is quoted and short."""
    count: int = 0
    """How many cases it concerns."""
    cases: tuple[str, ...] = ()
    """Ids of the first cases that it concerns. Untrusted text."""
    lines: tuple[int, ...] = ()
    """Their lines in the file."""


@dataclass(frozen=True, slots=True)
class LintReport:
    """All weaknesses of a golden set, the gravest first."""

    cases: int
    findings: tuple[Finding, ...]
    labels: tuple[tuple[str, int], ...] = ()
    """Label -> number of cases, most frequent first; empty if the expected answers are no labels. Untrusted text."""


def lint(cases: Iterable[Case]) -> LintReport:
    """Look for weaknesses in a golden set; time grows with its size (about a millisecond a case)."""
    held = list(cases)
    labels = _labels(held)
    findings = [
        *_size(held),
        *_same_input(held),
        *_near(held),
        *_labels_findings(held, labels),
        *_no_expected(held),
        *_small_tags(held),
        *_long_inputs(held),
        *_odd_texts(held),
        *_field_names(held),
    ]
    findings.sort(key=lambda finding: finding.severity == "note")
    return LintReport(len(held), tuple(findings), tuple(labels.most_common()))


def _finding(kind: Kind, severity: Literal["warning", "note"], message: str, cases: Sequence[Case]) -> Finding:
    first = cases[:SHOWN]
    return Finding(kind, severity, message, len(cases), tuple(c.id for c in first), tuple(c.line for c in first))


def _listed(items: Sequence[str]) -> str:
    more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
    return ", ".join(items[:SHOWN]) + more


def _size(cases: Sequence[Case]) -> list[Finding]:
    """Say that cases are few. What so many can show hangs on the bounds and the noise: see `gate.expected_sight`."""
    number = len(cases)
    if number < FEW_CASES:
        message = (
            f"{number} cases are very few: below {FEW_CASES} the intervals promise more than they keep (95 % cover "
            f"about 90 %) and most comparisons end without a verdict; aim for {SMALL_SET} or more"
        )
        return [Finding("size", "warning", message, number)]
    if number < SMALL_SET:
        message = f"{number} cases are few: {SMALL_SET} or more see smaller changes and need fewer repeats"
        return [Finding("size", "note", message, number)]
    return []


def _same_input(cases: Sequence[Case]) -> list[Finding]:
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(canonical_text(case.input), []).append(case)
    findings: list[Finding] = []
    repeated: list[Case] = []
    for group in groups.values():
        if len(group) == 1:
            continue
        if len({canonical_text(case.expected) for case in group}) > 1:
            lines = _listed([str(case.line) for case in group])
            message = f"the same input has different expected answers (lines {lines}): one of them will always fail"
            findings.append(_finding("conflict", "warning", message, group))
        else:
            repeated += group[1:]
    if len(findings) > SHOWN:
        rest = len(findings) - SHOWN
        findings = [
            *findings[:SHOWN],
            Finding("conflict", "warning", f"{rest} more inputs have different answers", rest),
        ]
    if repeated:
        message = (
            f"{len(repeated)} cases repeat the input and answer of an earlier one: they cost calls and count twice"
        )
        findings.append(_finding("duplicate", "warning", message, repeated))
    return findings


def _near(cases: Sequence[Case]) -> list[Finding]:
    by_input: dict[str, Case] = {}
    for case in cases:
        by_input.setdefault(canonical_text(case.input), case)
    distinct = list(by_input.values())
    groups = near_duplicates([case.input for case in distinct])
    if not groups:
        return []
    members = [distinct[index] for group in groups for index in group]
    pairs = _listed(["/".join(str(distinct[index].line) for index in group[:SHOWN]) for group in groups])
    message = (
        f"{len(members)} cases in {len(groups)} groups have nearly the same input (lines {pairs}): they are weaker "
        f"evidence than as many different ones; give each group one `cluster`, or keep one of it"
    )
    return [_finding("near_duplicate", "note", message, members)]


def _label(value: JsonValue) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) and 0 < len(value) <= _MAX_LABEL else None


def _labels(cases: Sequence[Case]) -> Counter[str]:
    """Count the expected labels; empty if the answers are not short texts of few distinct values."""
    answers = [case.expected for case in cases if case.expected is not None]
    labels = Counter(label for answer in answers if (label := _label(answer)) is not None)
    few = 1 < len(labels) <= min(_MAX_CLASSES, len(answers) // _ALIKE)
    return labels if few and labels.total() == len(answers) else Counter()


def _labels_findings(cases: Sequence[Case], labels: Mapping[str, int]) -> list[Finding]:
    findings: list[Finding] = []
    total = sum(labels.values())
    small = sorted((label for label in labels if labels[label] < SMALL_CLASS), key=lambda label: labels[label])
    if small:
        names = _listed([f"{quote(label, 30)} ({labels[label]})" for label in small])
        message = (
            f"{len(small)} of {len(labels)} labels have fewer than {SMALL_CLASS} cases, so what is measured of "
            f"them hangs on single answers: {names}"
        )
        concerned = [case for case in cases if _label(case.expected) in set(small)]
        findings.append(_finding("label_balance", "warning", message, concerned))
    for label, number in labels.items():
        if number > LARGE_CLASS_SHARE * total:
            message = (
                f"{number} of {total} cases ({number / total:.0%}) have the label {quote(label, 30)}: an app that "
                f"always says so scores that much accuracy; add cases of the others, and gate on macro-F1"
            )
            findings.append(Finding("label_balance", "warning", message, number))
    spellings: dict[str, list[str]] = {}
    for label in labels:
        folded = " ".join(unicodedata.normalize("NFKC", label).casefold().replace("_", " ").replace("-", " ").split())
        spellings.setdefault(folded, []).append(label)
    for variants in spellings.values():
        if len(variants) > 1:
            names = _listed([f"{quote(label, 30)} ({labels[label]})" for label in variants])
            concerned = [case for case in cases if _label(case.expected) in variants]
            findings.append(
                _finding("label_spelling", "warning", f"one label is spelt in several ways: {names}", concerned)
            )
    return findings


def _no_expected(cases: Sequence[Case]) -> list[Finding]:
    without = [case for case in cases if case.expected is None]
    if not without:
        return []
    if len(without) == len(cases):
        message = "no case has an expected answer: only a judge and built-in metrics can score them"
    else:
        message = f"{len(without)} of {len(cases)} cases have no expected answer: scorers that need one leave them out"
    return [_finding("no_expected", "note", message, without)]


def _small_tags(cases: Sequence[Case]) -> list[Finding]:
    tags = Counter(tag for case in cases for tag in case.tags)
    small = sorted((tag for tag in tags if tags[tag] < SMALL_TAG), key=lambda tag: (tags[tag], tag))
    if not small:
        return []
    names = _listed([f"{quote(tag, 30)} ({tags[tag]})" for tag in small])
    message = (
        f"{len(small)} of {len(tags)} tags have fewer than {SMALL_TAG} cases, too few to compare on their own: {names}"
    )
    concerned = [case for case in cases if not set(small).isdisjoint(case.tags)]
    return [_finding("small_tag", "note", message, concerned)]


def _long_inputs(cases: Sequence[Case]) -> list[Finding]:
    if not cases:
        return []
    texts = [case.input if isinstance(case.input, str) else canonical_text(case.input) for case in cases]
    median = sorted(map(len, texts))[len(texts) // 2]
    limit = max(_LONG, _LONG_RATIO * median)
    sized = [(len(text), case) for text, case in zip(texts, cases, strict=True) if len(text) > limit]
    if not sized:
        return []
    sized.sort(key=lambda pair: -pair[0])
    names = _listed([f"line {case.line}: {length:,}" for length, case in sized])
    message = (
        f"{len(sized)} inputs are far longer than the median of {median:,} characters ({names}): they rule the cost "
        f"and may not fit into the model's context"
    )
    return [_finding("long_input", "note", message, [case for _, case in sized])]


def _odd_texts(cases: Sequence[Case]) -> list[Finding]:
    by_kind: dict[str, list[Case]] = {}
    for case in cases:
        for kind in odd_text(case):
            by_kind.setdefault(kind, []).append(case)
    findings: list[Finding] = []
    for kind, found in by_kind.items():
        lines = _listed([str(case.line) for case in found])
        findings.append(_finding("odd_text", "note", f"{kind} (lines {lines})", found))
    return findings


def _field_names(cases: Sequence[Case]) -> list[Finding]:
    keys: dict[str, list[Case]] = {}
    for case in cases:
        for key in case.metadata:
            keys.setdefault(key, []).append(case)
    findings: list[Finding] = []
    for key, found in keys.items():
        guess = nearest(key, FIELDS)
        if guess:
            message = (
                f"the column {quote(key)} is taken as metadata in {len(found)} cases; did you mean {quote(guess)}?"
            )
            findings.append(_finding("field_name", "warning", message, found))
    return findings
