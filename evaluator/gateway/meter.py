"""Reads a provider's answer: text, tool calls, vectors and tokens, in OpenAI's format, tolerant of its relatives."""

import json
from collections.abc import Mapping
from typing import Any

from evaluator.errors import ProviderError
from evaluator.gateway.interface import ChatAnswer, EmbeddingAnswer
from evaluator.records import Call, FailureKind, JsonValue, ToolCall, Usage

DEFAULT_MAX_OUTPUT = 4096
"""Tokens reserved for an answer whose request sets no limit."""

MOST_TOKENS = 1_000_000_000


def is_complete(path: str, body: Mapping[str, Any]) -> bool:
    """True if an answer holds what its path promises; a half-made one is asked again and never kept."""
    if path == "/embeddings":
        return isinstance(body.get("data"), list)
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    return isinstance(choice, dict) and isinstance(choice.get("message"), dict)


def read_chat(body: Mapping[str, Any], call: Call) -> ChatAnswer:
    """Read a complete chat completion; whether it refuses is for the caller to see in the body."""
    choice = body["choices"][0]
    message = choice["message"]
    content = message.get("content")
    if isinstance(content, list):  # some providers give parts
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ChatAnswer(
        text=content if isinstance(content, str) else "",
        tool_calls=read_tool_calls(message.get("tool_calls")),
        finish_reason=str(choice.get("finish_reason") or ""),
        call=call,
        body=body,
    )


def read_embeddings(body: Mapping[str, Any], call: Call, count: int) -> EmbeddingAnswer:
    """Read an embeddings answer.

    Raises:
        ProviderError: It has not one vector for each text; the kind is INVALID_ANSWER.
    """
    try:
        rows = sorted(body["data"], key=lambda row: int(row["index"]))
        vectors = tuple(tuple(float(number) for number in row["embedding"]) for row in rows)
    except (KeyError, TypeError, ValueError):
        vectors = ()
    if len(vectors) != count or len({len(vector) for vector in vectors}) > 1:
        raise ProviderError(
            f"{call.provider}: expected {count} embeddings of one length, found {len(vectors)}",
            kind=FailureKind.INVALID_ANSWER,
        )
    return EmbeddingAnswer(vectors, call)


def read_usage(body: Mapping[str, Any]) -> Usage | None:
    """Tokens of an answer (chat completions, responses or embeddings), or None if it does not tell them."""
    usage = body.get("usage")
    if not isinstance(usage, dict):
        return None
    given = token_count(usage.get("prompt_tokens", usage.get("input_tokens")))
    made = token_count(usage.get("completion_tokens", usage.get("output_tokens", 0)))
    if given is None or made is None:
        return None
    details = usage.get("prompt_tokens_details", usage.get("input_tokens_details"))
    cached = token_count(details.get("cached_tokens", 0)) if isinstance(details, dict) else 0
    return Usage(given, made, min(cached or 0, given))


def token_count(found: object) -> int | None:
    """A number of tokens that can be one: a negative or absurd count would falsify the bill."""
    return found if type(found) is int and 0 <= found <= MOST_TOKENS else None


def worst_usage(body: Mapping[str, Any], size: int) -> Usage:
    """The most tokens that a request can use: one a byte in (no tokenizer makes more), and its own limit out."""
    limit = next(iter(_limits(body)), DEFAULT_MAX_OUTPUT)
    choices = body.get("n")
    return Usage(size, limit * (choices if isinstance(choices, int) and choices > 0 else 1))


def is_limited(body: Mapping[str, Any]) -> bool:
    """Whether a request limits its answer itself."""
    return bool(_limits(body))


def _limits(body: Mapping[str, Any]) -> list[int]:
    found = (body.get("max_completion_tokens"), body.get("max_tokens"))
    return [value for value in found if isinstance(value, int) and value > 0]


def read_tool_calls(found: object) -> tuple[ToolCall, ...]:
    """The tool calls of a chat completion's message."""
    calls = []
    for item in found if isinstance(found, list) else []:
        function = item.get("function") if isinstance(item, dict) else None
        if isinstance(function, dict):
            calls.append(ToolCall(str(function.get("name", "")), read_arguments(function.get("arguments"))))
    return tuple(calls)


def read_arguments(found: object) -> JsonValue:
    """A tool's arguments: parsed where they are JSON, else the string as it is."""
    if not isinstance(found, str):
        return found if isinstance(found, dict | list) else None
    try:
        parsed: JsonValue = json.loads(found)
    except (ValueError, RecursionError):
        return found
    return parsed
