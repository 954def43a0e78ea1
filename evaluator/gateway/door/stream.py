"""Reads answers that come as server-sent events: cut into events, metered, and relieved of what we asked for."""

import json
import re
from collections.abc import Iterator
from typing import Any

from evaluator.gateway.door.answers import LONGEST_NAME, Reading, anthropic_usage, response_name, response_tools
from evaluator.gateway.door.endpoints import Endpoint
from evaluator.gateway.meter import read_arguments, read_usage
from evaluator.records import ToolCall, Usage

LONGEST_EVENT = 16_000_000
MOST_TOOLS = 1_000
LONGEST_ARGUMENTS = 4_000_000
"""Characters; of a stream that does not end, no more is kept."""
_BOUNDARY = re.compile(rb"\r\n\r\n|\n\n|\r\r")
# An unescaped quote after a comma cannot be inside a string: this finds nothing but the field itself.
_EMPTY_USAGE = re.compile(rb',\s*"usage"\s*:\s*null')
_NO_CHOICES = re.compile(rb'"choices"\s*:\s*\[\s*\]')
_TELLING = re.compile(rb'"(?:usage"\s*:\s*(?!\s|null)|(?:tool_calls|tool_use|partial_json|error|response\.created)")')
"""Where usage was asked for, most events hold an empty one: they tell nothing."""


class EventTooLong(ValueError):
    """An event does not end."""


class EventCutter:
    """Cuts a stream into whole events, each with the empty line that ends it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._held = bytearray()

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The events that end in this piece.

        Raises:
            EventTooLong: One does not end.
        """
        searched = max(0, len(self._held) - 3)
        self._held += piece
        ends = [found.end() for found in _BOUNDARY.finditer(self._held, searched)]
        if ends:
            whole, start = bytes(memoryview(self._held)[: ends[-1]]), 0
            del self._held[: ends[-1]]
            for end in ends:
                yield whole[start:end]
                start = end
        if len(self._held) > LONGEST_EVENT:
            raise EventTooLong(f"an event of the answer is longer than {LONGEST_EVENT // 1_000_000} MB")

    def rest(self) -> bytes:
        """What follows the last whole event."""
        return bytes(self._held)


def event_data(event: bytes) -> bytes:
    """The data of an event, its lines joined."""
    lines = (line for line in event.splitlines() if line.startswith(b"data:"))
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines)


def without_usage(event: bytes) -> bytes:
    """An event as it would be had nobody asked for usage; empty if it would not be there at all."""
    if b'"usage"' not in event:
        return event
    if _NO_CHOICES.search(event):  # else it need not be parsed, as almost all need not
        data = _object(event_data(event))
        if data is not None and data.get("choices") == [] and isinstance(data.get("usage"), dict):
            return b""
    return _EMPTY_USAGE.sub(b"", event)


class StreamReader:
    """Gathers from events what `answers.read_answer` finds in a whole answer."""

    def __init__(self, endpoint: Endpoint) -> None:
        """Begin an answer of a metered path."""
        self._endpoint = endpoint
        self._usage: Usage | None = None
        self._counting = False
        """True as long as the usage may be only what was counted so far."""
        self._tools: dict[tuple[int, int], list[str]] = {}
        self._whole_tools: tuple[ToolCall, ...] = ()
        self._counted: dict[str, Any] = {}
        self._ended = self._failed = False
        self.response = ""
        """The response's name, once an event has told it."""

    def feed(self, event: bytes) -> None:
        """Read one event; most hold but text, and are not even parsed."""
        data = event_data(event)
        if data.strip() == b"[DONE]":
            self._ended = True
            return
        if not _TELLING.search(data) and b'"message_stop"' not in data:
            return
        found = _object(data)
        if found is None:
            return
        if isinstance(found.get("error"), dict) or found.get("type") == "error":
            self._failed = True
        if self._endpoint is Endpoint.MESSAGES:
            self._feed_message(found)
        elif self._endpoint is Endpoint.RESPONSES:
            self._feed_response(found)
        else:
            self._feed_chat(found)

    def reading(self) -> Reading:
        """What the events so far tell."""
        usage, written = None if self._counting and not self._ended else self._usage, None
        if self._endpoint is Endpoint.MESSAGES and self._ended:  # until then only a part of the output is counted
            usage, written = anthropic_usage(self._counted)
        pieces = (ToolCall(name, read_arguments(text or "{}")) for _, (name, text) in sorted(self._tools.items()))
        tools = self._whole_tools or tuple(pieces)
        return Reading(usage, written, tools, self._ended and not self._failed, self.response)

    def _feed_chat(self, found: dict[str, Any]) -> None:
        listed = found.get("choices")
        choices = [choice for choice in listed if isinstance(choice, dict)] if isinstance(listed, list) else []
        usage = read_usage(found)
        if usage is not None:
            # Some servers count in every event; the last one has no choices, or says why they end.
            self._usage, self._counting = usage, not all(choice.get("finish_reason") for choice in choices)
        for choice in choices:
            delta = choice.get("delta")
            calls = delta.get("tool_calls") if isinstance(delta, dict) else None
            for call in calls if isinstance(calls, list) else ():
                function = call.get("function") if isinstance(call, dict) else None
                if isinstance(function, dict):
                    place = (_index(choice), _index(call))
                    self._add_tool(place, function.get("name"), function.get("arguments"))

    def _feed_response(self, found: dict[str, Any]) -> None:
        response = found.get("response")
        kind = found.get("type")
        if isinstance(response, dict):
            self.response = self.response or response_name(response)
        if isinstance(response, dict) and kind in ("response.completed", "response.incomplete", "response.failed"):
            self._usage = read_usage(response) or self._usage
            self._whole_tools = response_tools(response)
            self._ended = True
            self._failed = self._failed or kind == "response.failed"

    def _feed_message(self, found: dict[str, Any]) -> None:
        kind = found.get("type")
        started = found.get("message")
        usage = started.get("usage") if isinstance(started, dict) else found.get("usage")
        if kind in ("message_start", "message_delta") and isinstance(usage, dict):
            self._counted |= {name: value for name, value in usage.items() if value is not None}  # counts so far
        elif kind == "content_block_start":
            block = found.get("content_block")
            if isinstance(block, dict) and block.get("type") == "tool_use":
                self._add_tool((0, _index(found)), block.get("name"), "")
        elif kind == "content_block_delta":
            delta = found.get("delta")
            if isinstance(delta, dict) and (0, _index(found)) in self._tools:
                self._add_tool((0, _index(found)), "", delta.get("partial_json"))
        elif kind == "message_stop":
            self._ended = True

    def _add_tool(self, place: tuple[int, int], name: object, arguments: object) -> None:
        if place not in self._tools and len(self._tools) >= MOST_TOOLS:
            return
        held = self._tools.setdefault(place, ["", ""])
        held[0] = (held[0] + (name if isinstance(name, str) else ""))[:LONGEST_NAME]
        if len(held[1]) < LONGEST_ARGUMENTS:
            held[1] += arguments if isinstance(arguments, str) else ""


def _index(found: dict[str, Any]) -> int:
    index = found.get("index")
    return index if isinstance(index, int) else 0


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        parsed = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None
