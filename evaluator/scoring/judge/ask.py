"""Asks a judge until it answers in the form that was demanded, and keeps account of all calls."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from evaluator.errors import BudgetError, ProviderError
from evaluator.gateway.interface import ChatRequest, ModelCaller
from evaluator.records import Call, Failure, FailureKind
from evaluator.scoring.failures import failure_of

ATTEMPTS = 3
"""How often one judgement is asked for while the answers are malformed."""

T = TypeVar("T")
Read = Callable[[Mapping[str, Any]], T]
"""Reads the members of an answer; raises ValueError, KeyError or TypeError if they are not as demanded."""


@dataclass(frozen=True, slots=True)
class Asked(Generic[T]):
    """A judgement, or why there is none; with all calls that it took."""

    value: T | None
    calls: tuple[Call, ...]
    failure: Failure | None = None


async def ask(models: ModelCaller, question: ChatRequest, read: Read[T], index: int) -> Asked[T]:
    """Ask for one judgement; a malformed answer is asked for again, under another repeat index.

    Args:
        models: The way to the model.
        question: What to ask.
        read: See `Read`.
        index: Number of the judgement among those of the same question, from 0.
    """
    calls: list[Call] = []
    problem = ""
    for attempt in range(ATTEMPTS):
        # Another index for each attempt: a cache would give the same malformed answer again.
        request = replace(question, repeat=index * ATTEMPTS + attempt)
        try:
            answer = await models.chat(request)
        except (ProviderError, BudgetError) as error:
            return Asked(None, tuple(calls), failure_of(error))
        calls.append(answer.call)
        try:
            return Asked(read(_members(answer.text)), tuple(calls))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            what = f"has no {error}" if isinstance(error, KeyError) else str(error)
            problem = f"{what[:200]} (finish reason {answer.finish_reason!r}): {answer.text[:200]!r}"
    message = f"the judge {question.model!r} answered {ATTEMPTS} times in another form than demanded: {problem}"
    return Asked(None, tuple(calls), Failure(FailureKind.INVALID_ANSWER, message))


async def ask_all(
    models: ModelCaller, questions: Sequence[ChatRequest], read: Read[T], *, repeats: int, repeat: int
) -> tuple[list[T], tuple[Call, ...], Failure | None]:
    """Ask each question `repeats` times, all at once; judgements in order: first all of the first question.

    If one fails, all are void: an average of those that are left would not be the one that was asked for.
    """
    indices = range(repeat * repeats, (repeat + 1) * repeats)
    asked = await asyncio.gather(*(ask(models, question, read, index) for question in questions for index in indices))
    calls = tuple(call for one in asked for call in one.calls)
    failure = next((one.failure for one in asked if one.failure is not None), None)
    return [one.value for one in asked if one.value is not None], calls, failure


def _members(text: str) -> Mapping[str, Any]:
    """Read a JSON object; also inside a Markdown fence, which models without structured output put around it."""
    bare = text.strip()
    if bare.startswith("```") and bare.endswith("```"):
        bare = bare[3:-3].removeprefix("json").strip()
    value = json.loads(bare, object_pairs_hook=_once)
    if not isinstance(value, dict):
        raise ValueError(f"expected a JSON object, found {type(value).__name__}")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object whose members are named once: of two verdicts it would be the reader who chooses."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is named twice")
    return members
