"""The assertions of promptfoo, read into our own kinds of checks; those without a counterpart get a reason."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evaluator.dataset.strict_json import StrictJsonError, decode
from evaluator.records import JsonValue
from evaluator.starter.checks import TextCheck, bad_pattern
from evaluator.starter.files import as_text, short
from evaluator.starter.templating import fill, is_template

_TEXT: dict[str, tuple[Any, bool, bool]] = {
    "equals": ("equals", True, False),
    "contains": ("contains", True, False),
    "icontains": ("contains", True, True),
    "contains-all": ("contains", True, False),
    "contains-any": ("contains", False, False),
    "icontains-all": ("contains", True, True),
    "icontains-any": ("contains", False, True),
    "starts-with": ("starts_with", True, False),
    "regex": ("regex", True, False),
}
"""Type -> our kind, all of the values or one of them, ignore case."""
_COMPARERS: dict[str, tuple[dict[str, JsonValue], str]] = {
    "similar": ({"type": "similarity", "model": "text-embedding-3-small"}, ""),
    "rouge-n": ({"type": "rouge_l"}, "measured as ROUGE-L"),
    "f-score": ({"type": "f1"}, "measured as token F1"),
    "factuality": ({"type": "judge"}, "a judge with our rubric compares with the model answer"),
    "model-graded-factuality": ({"type": "judge"}, "a judge with our rubric compares with the model answer"),
}
_CRITERIA = ("llm-rubric", "model-graded-closedqa", "g-eval")
_REASONS = {
    "javascript": "code is not carried over: write it as a scorer `python: evals/own.py:score`",
    "python": "its function has another form: write it as a scorer `python: evals/own.py:score`",
    "ruby": "code is not carried over: write it as a scorer `python: evals/own.py:score`",
    "webhook": "a scorer must not send answers to an address",
    "levenshtein": "there is no edit distance here; `f1` or `rouge_l` come near",
    "context-faithfulness": "see the scorer `faithfulness`",
    "context-recall": "see the scorer `context_recall`",
    "is-valid-openai-tools-call": "see the scorer `tool_calls`",
    "tool-call-f1": "see the scorer `tool_calls`",
    "contains-json": "JSON inside other text is not looked for; `json_schema` wants the whole answer to be JSON",
    "assert-set": "groups of checks are not carried over",
}
_FROM_TEXT = re.compile(r"^(not-)?([a-z][a-z0-9-]*)(?:\((\d+(?:\.\d+)?)\))?(?::([\s\S]*))?$")
_KNOWN = {*_TEXT, *_COMPARERS, *_CRITERIA, *_REASONS, "is-json", "cost", "latency", "answer-relevance", "bleu",
          "classifier", "context-relevance", "contains-html", "contains-sql", "contains-xml", "finish-reason",
          "guardrails", "gleu", "is-html", "is-refusal", "is-sql", "is-xml", "is-valid-function-call",
          "is-valid-openai-function-call", "max-score", "meteor", "moderation", "perplexity", "perplexity-score",
          "pi", "search-rubric", "select-best", "word-count"}  # fmt: skip


class NoCounterpart(ValueError):
    """An assertion that cannot be carried over; its text says why."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one assertion is here: just one of the fields is set, and perhaps `adapted`."""

    check: TextCheck | None = None
    reference: str | None = None
    comparer: Mapping[str, JsonValue] | None = None
    criterion: str | None = None
    json_schema: JsonValue = None
    limit: tuple[str, float] | None = None
    """(metric, most), in US dollars or seconds."""
    judge: str | None = None
    """The provider that judges."""
    adapted: str = ""
    """How it changes; empty if it means the same."""
    same_everywhere: bool = False
    """True if nothing in it comes from the case."""


def read_assertion(raw: JsonValue, variables: Mapping[str, JsonValue]) -> Found:
    """Read one assertion, with the `{{ names }}` in it filled in.

    Raises:
        NoCounterpart: There is nothing like it here.
        TemplateProblem: It holds a template that cannot be filled in.
    """
    if not isinstance(raw, dict) or not isinstance(raw.get("type"), str):
        referred = isinstance(raw, dict) and "$ref" in raw
        raise NoCounterpart("`$ref` is not read" if referred else "it has no `type`")
    kind = str(raw["type"])
    negated = kind.startswith("not-")
    kind = kind.removeprefix("not-")
    value = raw.get("value")
    threshold = raw.get("threshold")
    if raw.get("transform") is not None:
        raise NoCounterpart("it changes the answer first (`transform`), which is code")
    if isinstance(value, str) and value.startswith("file://"):
        raise NoCounterpart("its value is in a file of its own")
    if kind in ("cost", "latency") and not negated:
        return _limit(kind, threshold)
    if kind in _TEXT:
        return _text_check(kind, value, variables, negated=negated)
    if negated:
        raise NoCounterpart("only checks of text can be turned around (`not-`)")
    if kind == "is-json":
        return Found(json_schema=_schema(value), same_everywhere=True)
    if kind in _COMPARERS or kind in _CRITERIA:
        return _judged(kind, raw, _texts(value), variables)
    raise NoCounterpart(_REASONS.get(kind, "there is no scorer like it here"))


def _texts(value: JsonValue) -> list[str]:
    return [as_text(item) for item in (value if isinstance(value, list) else [value]) if item is not None]


def _judged(kind: str, raw: Mapping[str, JsonValue], texts: list[str], variables: Mapping[str, JsonValue]) -> Found:
    """Read an assertion that compares with a model answer, or gives a judge a criterion."""
    if not texts or not texts[0].strip():
        raise NoCounterpart("it has no `value`")
    if kind in _CRITERIA:
        criterion = "\n".join(fill(text, variables) for text in texts)
        constant = not any(is_template(text) for text in texts)
        return Found(criterion=criterion, judge=_judge(raw), same_everywhere=constant)
    scorer, adapted = _COMPARERS[kind]
    threshold = raw.get("threshold")
    lost = f"its threshold of {short(threshold)} became a bound on the change" if threshold is not None else ""
    adapted = "; ".join(part for part in (adapted, lost) if part)
    judge = _judge(raw) if scorer["type"] == "judge" else None
    return Found(reference=fill(texts[0], variables), comparer=scorer, judge=judge, adapted=adapted)


_LISTS = ("contains-all", "contains-any", "icontains-all", "icontains-any")


def _text_check(kind: str, value: JsonValue, variables: Mapping[str, JsonValue], *, negated: bool) -> Found:
    if isinstance(value, dict) or (isinstance(value, list) and kind not in _LISTS):
        raise NoCounterpart("its value is no text")
    texts = [part.strip() for part in value.split(",")] if kind in _LISTS and isinstance(value, str) else _texts(value)
    ours, every, ignore_case = _TEXT[kind]
    values = tuple(fill(text, variables) for text in texts)
    if not values or not all(values):
        raise NoCounterpart("it has no `value`, or an empty one")
    check = TextCheck(ours, values, every=every, ignore_case=ignore_case, negated=negated)
    if problem := bad_pattern(check):
        raise NoCounterpart(problem)
    return Found(check=check, same_everywhere=not any(is_template(text) for text in texts))


def _limit(kind: str, threshold: JsonValue) -> Found:
    if isinstance(threshold, bool) or not isinstance(threshold, int | float) or threshold <= 0:
        raise NoCounterpart("it has no `threshold`")
    if kind == "cost":
        return Found(limit=("cost_per_request", float(threshold)), adapted="it bounds the mean of all cases here")
    adapted = "it bounds the 95th percentile of all cases here"
    return Found(limit=("latency_p95", float(threshold) / 1000), adapted=adapted)


def _schema(value: JsonValue) -> JsonValue:
    if isinstance(value, str) and value.strip():
        try:
            value = decode(value)
        except StrictJsonError:
            raise NoCounterpart("its schema is not JSON") from None
    if value is None or value == "":
        return {}
    if not isinstance(value, dict):
        raise NoCounterpart("its schema is no object")
    from evaluator.errors import ScorerError
    from evaluator.scoring.structure.json_schema import make_validator

    try:
        make_validator(value, "the schema")
    except ScorerError as error:
        raise NoCounterpart(error.message) from None
    return value


def _judge(raw: Mapping[str, JsonValue]) -> str | None:
    provider = raw.get("provider")
    if isinstance(provider, dict):
        provider = provider.get("id")
    return provider if isinstance(provider, str) else None


def assertion_from_text(text: str) -> dict[str, JsonValue]:
    """Read the short form of an assertion in a table's cell: `contains: Paris`, `similar(0.8): Hello`, `Paris`."""
    for start, kind in (("javascript:", "javascript"), ("fn:", "javascript"), ("eval:", "javascript"),
                        ("python:", "python"), ("grade:", "llm-rubric"), ("file://", "javascript")):  # fmt: skip
        if text.startswith(start):
            return {"type": kind, "value": text.removeprefix(start).strip()}
    match = _FROM_TEXT.match(text)
    if match is None or match[2] not in _KNOWN:
        return {"type": "equals", "value": text}
    found: dict[str, JsonValue] = {"type": (match[1] or "") + match[2], "value": (match[4] or "").strip()}
    if match[3]:
        found["threshold"] = float(match[3])
    return found
