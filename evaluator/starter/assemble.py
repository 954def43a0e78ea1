"""From tests with their own checks to cases with one `expected` and scorers that apply to all of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from evaluator.records import JsonValue
from evaluator.starter.checks import TextCheck, agree, shared_scorer
from evaluator.starter.interface import NewCase, Note

CRITERIA_RUBRIC = (
    "EXPECTED states what a good answer to this question must fulfil; it is a criterion, not a model answer.\n"
    "Give the highest score if the answer fulfils it completely, the lowest if it does not fulfil it at all.\n"
)
"""The rubric where every case brings a criterion of its own."""


@dataclass(frozen=True, slots=True)
class Test:
    """A test of another tool, its templates filled in."""

    where: str
    """Fit to be printed."""
    input: JsonValue
    checks: tuple[TextCheck, ...] = ()
    reference: str | None = None
    """A model answer that scorers compare with."""
    criteria: tuple[str, ...] = ()
    """What a judge shall look for in this test alone."""
    json_schema: JsonValue = None
    """A schema that the answer must fit; {} for any JSON."""
    metadata: Mapping[str, JsonValue] = field(default_factory=dict)
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shared:
    """What holds for every test."""

    checks: tuple[TextCheck, ...] = ()
    criteria: tuple[str, ...] = ()
    json_schema: JsonValue = None
    comparers: tuple[dict[str, JsonValue], ...] = ()
    """Scorers that compare with the reference: f1, rouge_l, similarity, judge."""


@dataclass(frozen=True, slots=True)
class Assembled:
    """Cases and scorers."""

    cases: tuple[NewCase, ...]
    scorers: tuple[dict[str, JsonValue], ...]
    rubric: str | None
    left_out: tuple[Note, ...]
    adapted: tuple[Note, ...]


def assemble(source: str, tests: Sequence[Test], shared: Shared) -> Assembled:
    """Find one `expected` for each test and the scorers for all; what does not fit together is noted.

    Args:
        source: The file, for notes.
        tests: In the order of the file.
        shared: What the file sets for all tests.
    """
    left_out: list[Note] = []
    adapted: list[Note] = []
    scorers = [shared_scorer(check) for check in shared.checks]
    metadata = [dict(test.metadata) for test in tests]
    expected: list[JsonValue] = [None] * len(tests)
    agreed = agree([test.checks for test in tests])
    if agreed is not None:
        scorers.append(agreed.scorer)
        expected = list(agreed.expected)
        if agreed.compiled:
            reason = "each case's `expected` is one pattern (for `regex`) that means all of its checks"
            adapted.append(Note(source, "the tests' checks", reason))
    scorers += _references(source, tests, shared, expected, metadata, left_out)
    scorers += _json(source, tests, shared, left_out)
    rubric = "".join(f"- {text.strip()}\n" for text in shared.criteria) if shared.criteria else None
    judged = bool(shared.criteria) or any(scorer["type"] == "judge" for scorer in scorers)
    if any(test.criteria for test in tests):
        if any(value is not None for value in expected):
            for test, extra in zip(tests, metadata, strict=True):
                if test.criteria:
                    extra["criteria"] = list(test.criteria)
                    reason = "the case's `expected` is taken by its other checks; the text is kept in its metadata"
                    left_out.append(Note(test.where, "a criterion for the judge", reason))
        else:
            expected = ["\n".join(test.criteria) or None for test in tests]
            rubric = CRITERIA_RUBRIC + (rubric or "")
            judged = True
            adapted.append(Note(source, "criteria for the judge", "each case's `expected` is its criterion"))
    if judged and not any(scorer["type"] == "judge" for scorer in scorers):
        scorers.append({"type": "judge"})
    cases = tuple(
        NewCase(test.input, value, test.tags, extra)
        for test, value, extra in zip(tests, expected, metadata, strict=True)
    )
    return Assembled(cases, _named(scorers), rubric, tuple(left_out), tuple(adapted))


def _references(
    source: str,
    tests: Sequence[Test],
    shared: Shared,
    expected: list[JsonValue],
    metadata: list[dict[str, JsonValue]],
    left_out: list[Note],
) -> list[dict[str, JsonValue]]:
    """Put the references where `expected` is free everywhere; give the scorers that compare with them."""
    if not any(test.reference is not None for test in tests):
        return [dict(scorer) for scorer in shared.comparers if scorer["type"] == "judge"]
    if not any(test.checks for test in tests):
        expected[:] = [test.reference for test in tests]
    if expected == [test.reference for test in tests]:
        return [dict(scorer) for scorer in shared.comparers]
    for test, extra in zip(tests, metadata, strict=True):
        if test.reference is not None:
            extra["reference"] = test.reference
    names = ", ".join(str(scorer["type"]) for scorer in shared.comparers) or "its comparison"
    reason = "the cases' `expected` is taken by their other checks; the text is kept in the metadata as `reference`"
    left_out.append(Note(source, f"the model answers ({names})", reason))
    return []


def _json(source: str, tests: Sequence[Test], shared: Shared, left_out: list[Note]) -> list[dict[str, JsonValue]]:
    if shared.json_schema is not None:
        return [{"type": "json_schema", "inline": shared.json_schema}]
    schemas = [test.json_schema for test in tests]
    if not any(schema is not None for schema in schemas):
        return []
    if all(schema == schemas[0] for schema in schemas):
        return [{"type": "json_schema", "inline": schemas[0]}]
    count = sum(schema is not None for schema in schemas)
    reason = "a scorer applies to every case, and the tests differ in it"
    left_out.append(Note(source, f"the JSON check of {count} of {len(tests)} tests", reason))
    return []


def _named(scorers: Sequence[dict[str, JsonValue]]) -> tuple[dict[str, JsonValue], ...]:
    """Drop repeated scorers, and give those that share a type a name of their own."""
    unique = [scorer for index, scorer in enumerate(scorers) if scorer not in scorers[:index]]
    seen: Counter[str] = Counter()
    named = []
    for scorer in unique:
        kind = str(scorer["type"])
        base = "contains_none" if kind == "contains" and scorer.get("mode") == "none" else kind
        seen[base] += 1
        name = base if seen[base] == 1 else f"{base}_{seen[base]}"
        named.append(scorer if name == kind else {"type": kind, "name": name, **scorer})
    return tuple(named)
