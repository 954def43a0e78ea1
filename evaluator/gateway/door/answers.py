"""Reads whole answers of the metered paths: tokens, tool calls, and whether they are complete."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evaluator.gateway.door.endpoints import Endpoint
from evaluator.gateway.meter import read_arguments, read_tool_calls, read_usage, token_count
from evaluator.gateway.prices import CacheWrites
from evaluator.records import ToolCall, Usage

LONGEST_NAME = 1_000


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer tells."""

    usage: Usage | None
    """None if the provider did not tell."""
    written: CacheWrites | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    complete: bool = False
    """Whether it holds what was asked for, and so may be kept."""
    response: str = ""
    """The name under which the provider keeps a response; empty where it told none."""


def read_answer(endpoint: Endpoint, body: Mapping[str, Any]) -> Reading:
    """Read an answer that came as one JSON object."""
    if endpoint is Endpoint.MESSAGES:
        usage, written = anthropic_usage(body.get("usage"))
        content = _objects(body.get("content"))
        return Reading(usage, written, anthropic_tools(content), body.get("type") == "message")
    usage = read_usage(body)
    if endpoint is Endpoint.EMBEDDINGS:
        return Reading(usage, complete=isinstance(body.get("data"), list))
    if endpoint is Endpoint.RESPONSES:
        whole = body.get("status") in ("completed", "incomplete")
        return Reading(usage, None, response_tools(body), whole, response_name(body))
    choices = _objects(body.get("choices"))
    messages = [choice["message"] for choice in choices if isinstance(choice.get("message"), dict)]
    tools = tuple(call for message in messages for call in read_tool_calls(message.get("tool_calls")))
    return Reading(usage, None, tools, bool(messages) if endpoint is Endpoint.CHAT else bool(choices))


def anthropic_usage(found: object) -> tuple[Usage | None, CacheWrites | None]:
    """Tokens by Anthropic's count, whose `input_tokens` leave out what was read from or written to the cache."""
    if not isinstance(found, dict):
        return None, None
    given, made = token_count(found.get("input_tokens")), token_count(found.get("output_tokens"))
    if given is None or made is None:
        return None, None
    read = token_count(found.get("cache_read_input_tokens")) or 0
    written = token_count(found.get("cache_creation_input_tokens")) or 0
    kinds = found.get("cache_creation")
    hour = (token_count(kinds.get("ephemeral_1h_input_tokens")) or 0) if isinstance(kinds, dict) else 0
    hour = min(hour, written)
    return Usage(given + read + written, made, read), CacheWrites(written - hour, hour) if written else None


def anthropic_tools(content: list[dict[str, Any]]) -> tuple[ToolCall, ...]:
    """Tool calls among the blocks of a message."""
    return tuple(
        ToolCall(str(block.get("name", "")), read_arguments(block.get("input")))
        for block in content
        if block.get("type") == "tool_use"
    )


def response_tools(response: Mapping[str, Any]) -> tuple[ToolCall, ...]:
    """Tool calls among the items of a response."""
    return tuple(
        ToolCall(str(item.get("name", "")), read_arguments(item.get("arguments", item.get("input"))))
        for item in _objects(response.get("output"))
        if item.get("type") in ("function_call", "custom_tool_call")
    )


def response_name(response: Mapping[str, Any]) -> str:
    """The name of a response, by which it can be asked for later."""
    name = response.get("id")
    return name[:LONGEST_NAME] if isinstance(name, str) else ""


def _objects(found: object) -> list[dict[str, Any]]:
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
