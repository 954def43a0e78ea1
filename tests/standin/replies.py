"""How the stand-in writes an answer in each provider's format, whole or as server-sent events.

A token is four characters here; `tokens_in` counts a request's, `Reply.tokens` an answer's.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reply:
    """An answer with everything that a provider may do about it."""

    text: str = ""
    tools: tuple[tuple[str, str], ...] = ()
    """(name, arguments as JSON) of each tool that is called."""
    cached: int = 0
    """Of the input tokens, read from the provider's prompt cache."""
    written: int = 0
    """Of the input tokens, written to it (Anthropic)."""
    tells_usage: bool = True
    pause_s: float = 0.0
    """Before each piece of a stream."""
    breaks_after: int | None = None
    """Pieces of a stream after which the connection is dropped."""

    @property
    def tokens(self) -> int:
        return max(1, (len(self.text) + sum(len(name) + len(given) for name, given in self.tools)) // 4)

    def pieces(self) -> list[str]:
        """The text in pieces of one token."""
        return [self.text[start : start + 4] for start in range(0, len(self.text), 4)]


def tokens_in(body: Mapping[str, Any]) -> int:
    sent = next((body[name] for name in ("messages", "input", "prompt") if name in body), "")
    return len(json.dumps(sent)) // 4


def chat_usage(body: Mapping[str, Any], reply: Reply, made: int | None = None) -> dict[str, Any]:
    given, out = tokens_in(body), reply.tokens if made is None else made
    found: dict[str, Any] = {"prompt_tokens": given, "completion_tokens": out, "total_tokens": given + out}
    return found | ({"prompt_tokens_details": {"cached_tokens": reply.cached}} if reply.cached else {})


def _chat_tools(reply: Reply) -> list[dict[str, Any]]:
    return [
        {"index": n, "id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": given}}
        for n, (name, given) in enumerate(reply.tools)
    ]


def chat_whole(body: Mapping[str, Any], reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text, "refusal": None}
    if reply.tools:
        message["tool_calls"] = [{k: v for k, v in call.items() if k != "index"} for call in _chat_tools(reply)]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_767_000_000, "model": body.get("model", "m")}
    return head | {"choices": [choice]} | ({"usage": chat_usage(body, reply)} if reply.tells_usage else {})


def chat_events(body: Mapping[str, Any], reply: Reply) -> Iterator[tuple[int, str]]:
    """(tokens that it holds, event) of a streamed chat completion."""
    asked = (body.get("stream_options") or {}).get("include_usage") is True
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": body.get("model", "m")}
    nothing = {"usage": None} if asked else {}

    def chunk(delta: dict[str, Any], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return f"data: {json.dumps(head | {'choices': [choice]} | nothing)}\n\n"

    yield 0, chunk({"role": "assistant", "content": ""})
    for piece in reply.pieces():
        yield 1, chunk({"content": piece})
    for call in _chat_tools(reply):
        arguments = call["function"].pop("arguments")
        yield 0, chunk({"tool_calls": [call | {"function": {**call["function"], "arguments": ""}}]})
        for start in range(0, len(arguments), 5):
            part = {"index": call["index"], "function": {"arguments": arguments[start : start + 5]}}
            yield 0, chunk({"tool_calls": [part]})
    yield 0, chunk({}, "stop")
    if asked and reply.tells_usage:
        yield 0, f"data: {json.dumps(head | {'choices': [], 'usage': chat_usage(body, reply)})}\n\n"
    yield 0, "data: [DONE]\n\n"


def response_whole(body: Mapping[str, Any], reply: Reply) -> dict[str, Any]:
    text = {"type": "output_text", "text": reply.text, "annotations": []}
    output: list[dict[str, Any]] = [
        {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [text]}
    ]
    output += [
        {"type": "function_call", "id": f"fc_{n}", "call_id": f"c_{n}", "name": name, "arguments": given}
        for n, (name, given) in enumerate(reply.tools)
    ]
    given = tokens_in(body)
    usage = {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": reply.cached},
        "output_tokens": reply.tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": given + reply.tokens,
    }
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": body.get("model", "m"),
        "output": output, "usage": usage if reply.tells_usage else None, "error": None, "incomplete_details": None,
        "instructions": None, "metadata": {}, "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
    }  # fmt: skip


def response_events(body: Mapping[str, Any], reply: Reply) -> Iterator[tuple[int, str]]:
    whole = response_whole(body, reply)
    begun = whole | {"status": "in_progress", "output": [], "usage": None}

    def event(number: int, kind: str, **fields: Any) -> str:
        return f"event: {kind}\ndata: {json.dumps({'type': kind, 'sequence_number': number, **fields})}\n\n"

    yield 0, event(0, "response.created", response=begun)
    for n, piece in enumerate(reply.pieces(), 1):
        where = {"item_id": "msg_1", "output_index": 0, "content_index": 0, "logprobs": []}
        yield 1, event(n, "response.output_text.delta", delta=piece, **where)
    yield 0, event(len(reply.pieces()) + 1, "response.completed", response=whole)


def _message_usage(body: Mapping[str, Any], reply: Reply, made: int) -> dict[str, Any]:
    return {
        "input_tokens": tokens_in(body) - reply.cached - reply.written,
        "cache_read_input_tokens": reply.cached,
        "cache_creation_input_tokens": reply.written,
        "output_tokens": made,
    }


def message_whole(body: Mapping[str, Any], reply: Reply) -> dict[str, Any]:
    content: list[dict[str, Any]] = [{"type": "text", "text": reply.text}]
    content += [
        {"type": "tool_use", "id": f"t_{n}", "name": name, "input": json.loads(given)}
        for n, (name, given) in enumerate(reply.tools)
    ]
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": body.get("model", "m")}
    told = {"usage": _message_usage(body, reply, reply.tokens)} if reply.tells_usage else {}
    return head | {"content": content, "stop_reason": "end_turn", "stop_sequence": None} | told


def message_events(body: Mapping[str, Any], reply: Reply) -> Iterator[tuple[int, str]]:
    def event(kind: str, **fields: Any) -> str:
        return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"

    whole = message_whole(body, reply)
    begun = whole | {"content": []} | ({"usage": _message_usage(body, reply, 1)} if reply.tells_usage else {})
    yield 0, event("message_start", message=begun)
    yield 0, event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    for piece in reply.pieces():
        yield 1, event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
    yield 0, event("content_block_stop", index=0)
    for n, (name, given) in enumerate(reply.tools, 1):
        block = {"type": "tool_use", "id": f"t_{n}", "name": name, "input": {}}
        yield 0, event("content_block_start", index=n, content_block=block)
        for start in range(0, len(given), 5):
            delta = {"type": "input_json_delta", "partial_json": given[start : start + 5]}
            yield 0, event("content_block_delta", index=n, delta=delta)
        yield 0, event("content_block_stop", index=n)
    told = {"usage": {"output_tokens": reply.tokens}} if reply.tells_usage else {}
    yield 0, event("message_delta", delta={"stop_reason": "end_turn"}, **told)
    yield 0, event("message_stop")


WHOLE = {"chat": chat_whole, "responses": response_whole, "messages": message_whole}
EVENTS = {"chat": chat_events, "responses": response_events, "messages": message_events}


async def paced(reply: Reply, events: Iterator[tuple[int, str]]) -> AsyncIterator[tuple[int, str]]:
    """Events with the reply's pauses; ends early where it breaks."""
    for number, event in enumerate(events):
        if reply.breaks_after is not None and number >= reply.breaks_after:
            return
        if reply.pause_s:
            await asyncio.sleep(reply.pause_s)
        yield event
