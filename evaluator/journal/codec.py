"""Outputs and scores as JSON text and back, for the journal; and the checksum of a row."""

import hashlib
import json
from typing import Any

from evaluator.records import Call, Failure, FailureKind, JsonValue, Output, Score, ToolCall, TracedRequest, Usage

_LONGEST_ARGUMENTS = 2_000
"""Characters of a tool's arguments that are kept with each request; the output's own are kept whole."""


def checksum_of(*row: object) -> bytes:
    """What a row of the journal must match: SQLite does not check what is in its pages."""
    return hashlib.blake2b("\x1f".join(map(repr, row)).encode("utf-8", "replace"), digest_size=8).digest()


def output_to_json(output: Output) -> str:
    """Write an output as one line of ASCII JSON; empty fields are left out."""
    return _text(
        {
            "text": output.text,
            "data": output.data,
            "tool_calls": [[call.name, call.arguments] for call in output.tool_calls],
            "contexts": list(output.contexts),
            "latency_s": output.latency_s,
            "calls": [_call(call) for call in output.calls],
            "usage": _usage(output.usage),
            "cost_usd": output.cost_usd,
            "failure": _failure(output.failure),
            "requests": _requests(output),
            "waited_s": output.waited_s or None,
        }
    )


def output_from_json(text: str) -> Output:
    """Read what `output_to_json` wrote."""
    found = json.loads(text)
    calls = _calls(found)
    return Output(
        text=found.get("text"),
        data=found.get("data"),
        tool_calls=tuple(ToolCall(name, arguments) for name, arguments in found.get("tool_calls", ())),
        contexts=tuple(found.get("contexts", ())),
        latency_s=found.get("latency_s"),
        calls=calls,
        usage=Usage(*found["usage"]) if found.get("usage") else None,
        cost_usd=found.get("cost_usd"),
        failure=_read_failure(found),
        requests=tuple(_read_request(row, calls) for row in found.get("requests", ())),
        waited_s=found.get("waited_s", 0.0),
    )


def score_to_json(score: Score) -> str:
    """Write a score as one line of ASCII JSON; empty fields are left out."""
    return _text(
        {
            "values": dict(score.values),
            "labels": list(score.labels) if score.labels else None,
            "reason": score.reason,
            "details": dict(score.details),
            "calls": [_call(call) for call in score.calls],
            "failure": _failure(score.failure),
        }
    )


def score_from_json(scorer: str, text: str) -> Score:
    """Read what `score_to_json` wrote."""
    found = json.loads(text)
    labels = found.get("labels")
    return Score(
        scorer=scorer,
        values=found.get("values", {}),
        labels=(labels[0], labels[1]) if labels else None,
        reason=found.get("reason", ""),
        details=found.get("details", {}),
        calls=_calls(found),
        failure=_read_failure(found),
    )


def _text(fields: dict[str, Any]) -> str:
    kept = {key: value for key, value in fields.items() if value not in (None, [], {}, "")}
    if fields.get("text") == "":
        kept["text"] = ""  # an empty answer is an answer
    return json.dumps(kept, separators=(",", ":"))


def _usage(usage: Usage | None) -> list[int] | None:
    return [usage.input_tokens, usage.output_tokens, usage.cached_input_tokens] if usage else None


def _failure(failure: Failure | None) -> list[str] | None:
    return [failure.kind.value, failure.message] if failure else None


def _read_failure(found: dict[str, Any]) -> Failure | None:
    failure = found.get("failure")
    return Failure(FailureKind(failure[0]), failure[1]) if failure else None


def _call(call: Call) -> list[Any]:
    row = [
        call.provider,
        call.model,
        _usage(call.usage),
        call.cost_usd,
        call.latency_s,
        call.cached,
        call.measured_in,
        call.attempts,
    ]
    return row if call.usage is not None else [*row, _usage(call.most_usage), call.most_usd]


def _calls(found: dict[str, Any]) -> tuple[Call, ...]:
    return tuple(_read_call(row) for row in found.get("calls", ()))


def _read_call(row: list[Any]) -> Call:
    provider, model, usage, cost_usd, latency_s, cached, measured_in, attempts, *most = row
    most_usage, most_usd = most or (None, None)
    return Call(
        provider, model, None if usage is None else Usage(*usage), cost_usd, latency_s, cached, measured_in, attempts,
        Usage(*most_usage) if most_usage else None, most_usd,
    )  # fmt: skip


def _requests(output: Output) -> list[list[Any]]:
    """The requests, each with the number of its call; a tool's arguments only where they are short."""
    places = {id(call): place for place, call in enumerate(output.calls)}
    return [
        [
            request.method, request.path, request.status, _milli(request.started_s), _milli(request.ended_s),
            [[_milli(since), _milli(until)] for since, until in request.waits], _milli(request.first_byte_s),
            request.streamed, places.get(id(request.call)), request.charged_usd,
            [[call.name, _short(call.arguments)] for call in request.tool_calls], _failure(request.failure),
        ]
        for request in output.requests
    ]  # fmt: skip


def _read_request(row: list[Any], calls: tuple[Call, ...]) -> TracedRequest:
    method, path, status, started_s, ended_s, waits, first_byte_s, streamed, place, charged_usd, tools, failure = row
    return TracedRequest(
        method, path, status, started_s, ended_s, tuple((since, until) for since, until in waits), first_byte_s,
        streamed, None if place is None else calls[place], charged_usd,
        tuple(ToolCall(name, arguments) for name, arguments in tools),
        Failure(FailureKind(failure[0]), failure[1]) if failure else None,
    )  # fmt: skip


def _milli(seconds: float | None) -> float | None:
    """To the tenth of a millisecond: more is noise, and takes room."""
    return None if seconds is None else round(seconds, 4)


def _short(arguments: JsonValue) -> JsonValue:
    return arguments if len(json.dumps(arguments)) <= _LONGEST_ARGUMENTS else None
