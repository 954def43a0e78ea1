"""Outputs and scores as JSON text and back, for the journal."""

import json
from typing import Any

from evaluator.records import Call, Failure, FailureKind, Output, Score, ToolCall, Usage


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
        }
    )


def output_from_json(text: str) -> Output:
    """Read what `output_to_json` wrote."""
    found = json.loads(text)
    return Output(
        text=found.get("text"),
        data=found.get("data"),
        tool_calls=tuple(ToolCall(name, arguments) for name, arguments in found.get("tool_calls", ())),
        contexts=tuple(found.get("contexts", ())),
        latency_s=found.get("latency_s"),
        calls=_calls(found),
        usage=Usage(*found["usage"]) if found.get("usage") else None,
        cost_usd=found.get("cost_usd"),
        failure=_read_failure(found),
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
    return [
        call.provider,
        call.model,
        _usage(call.usage),
        call.cost_usd,
        call.latency_s,
        call.cached,
        call.measured_in,
        call.attempts,
    ]


def _calls(found: dict[str, Any]) -> tuple[Call, ...]:
    return tuple(Call(row[0], row[1], Usage(*row[2]), *row[3:]) for row in found.get("calls", ()))
