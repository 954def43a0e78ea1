"""The first golden set: rows as JSON Lines, examples where nothing can be imported, and scorers that fit the rows."""

import json
import re
from collections.abc import Sequence
from typing import Protocol

from evaluator.dataset.identity import input_id
from evaluator.records import JsonValue
from evaluator.starter.interface import NewCase

EXAMPLE_TAG = "example"
_IDEAS = (
    "a request that you get every day",
    "another one, in other words",
    "a very short one",
    "a long one with much that does not matter",
    "one in another language that your users write (예: 한국어)",
    "one that can be understood in two ways",
    "one that must be refused or handed to a person",
    "one that went wrong before",
)
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*%?")
_LONGEST_LABEL = 40
_MOST_LABELS = 30
_FEWEST_LABELLED = 6
_SHORT_ANSWER = 25


class _Expecting(Protocol):
    @property
    def expected(self) -> JsonValue: ...
    @property
    def tags(self) -> tuple[str, ...]: ...


def golden_text(cases: Sequence[NewCase]) -> str:
    """Write cases as JSON Lines, one row each; equal rows once, and an id where two rows share an input."""
    lines: list[str] = []
    rows: set[str] = set()
    counts: dict[str, int] = {}
    for case in cases:
        row: dict[str, JsonValue] = {"input": case.input}
        if case.expected is not None:
            row["expected"] = case.expected
        if case.tags:
            row["tags"] = list(case.tags)
        if case.metadata:
            row["metadata"] = dict(case.metadata)
        line = json.dumps(row, ensure_ascii=False)
        if line in rows:
            continue
        rows.add(line)
        identity = input_id(case.input)
        counts[identity] = counts.get(identity, 0) + 1
        if counts[identity] > 1:
            line = json.dumps({"id": f"{identity}-{counts[identity]}", **row}, ensure_ascii=False)
        lines.append(line)
    return "".join(f"{line}\n" for line in lines)


def example_cases(variables: Sequence[str]) -> list[NewCase]:
    """Give eight rows that say what to put in their place, with the names that the prompt takes."""
    cases = []
    for number, idea in enumerate(_IDEAS, start=1):
        texts: dict[str, JsonValue] = {
            name: f"EXAMPLE {number}, {name}: put here {idea}" for name in (variables or ("input",))
        }
        given: JsonValue = texts["input"] if list(texts) == ["input"] else texts
        cases.append(NewCase(given, f"EXAMPLE {number}: put here the right answer", (EXAMPLE_TAG,)))
    return cases


def examples_left(cases: Sequence[_Expecting]) -> int:
    """How many of the cases are still the examples that `example_cases` made."""
    return sum(EXAMPLE_TAG in case.tags and str(case.expected).startswith("EXAMPLE ") for case in cases)


def fitting_scorers(cases: Sequence[_Expecting]) -> tuple[dict[str, JsonValue], ...]:
    """Choose scorers by the look of the expected answers.

    Numbers get `numeric`; few labels that come again get `classification`; short answers `exact_match`, longer ones
    `f1`; cases without any get a judge, and so do objects, of which only people know what matters.
    """
    expected = [case.expected for case in cases if case.expected is not None]
    if not expected or any(isinstance(value, dict) for value in expected):
        return ({"type": "judge"},)
    texts = [
        item if isinstance(item, str) else json.dumps(item, ensure_ascii=False)
        for value in expected
        for item in (value if isinstance(value, list) else [value])
    ]
    if all(_NUMBER.fullmatch(text.strip()) for text in texts):
        return ({"type": "numeric"},)
    labels = {text.strip().casefold() for text in texts}
    short = all(len(label) <= _LONGEST_LABEL and "\n" not in label for label in labels)
    distinct = len(labels) == len({text.strip() for text in texts})
    single = distinct and not any(isinstance(value, list) for value in expected)
    if single and short and len(texts) >= _FEWEST_LABELLED and len(labels) <= min(_MOST_LABELS, len(texts) // 2):
        return ({"type": "classification"},)
    if sum(len(text) for text in texts) / len(texts) <= _SHORT_ANSWER:
        return ({"type": "exact_match"},)
    return ({"type": "f1"},)
