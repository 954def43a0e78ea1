"""Reads what an app answered into an `Output`; the shape that `command` targets speak.

    {"output": text or any JSON, "tool_calls": [{"name", "arguments"}], "contexts": [text],
     "usage": {"input_tokens", "output_tokens", "cached_input_tokens"}, "cost_usd": number, "error": text}

Only `output` is needed, or `tool_calls`, or `error`, which makes the case a failure. An unknown key is refused: a
misspelt one would be an answer that silently lacks something.
"""

import difflib
import math

from evaluator.records import Failure, FailureKind, JsonValue, Output, ToolCall, Usage
from evaluator.worker import parse_json, printable

KEYS = ("output", "tool_calls", "contexts", "usage", "cost_usd", "error", "id")
USAGE_KEYS = ("input_tokens", "output_tokens", "cached_input_tokens")


def read_answer(answer: dict[str, JsonValue], latency_s: float | None) -> Output:
    """Make an output of an app's answer.

    Args:
        answer: What it said.
        latency_s: How long it took, in seconds; None if that was not measured.

    Returns:
        The output; a failure of kind INVALID_ANSWER if the shape is wrong, of kind CRASH if the app says `error`.
    """
    try:
        return _read(answer, latency_s)
    except ValueError as error:
        return Output(failure=Failure(FailureKind.INVALID_ANSWER, f"the app's answer: {error}"))


def read_plain(stdout: bytes, latency_s: float | None) -> Output:
    """Make an output of all that a program wrote: an object of the shape above, other JSON, or plain text."""
    try:
        text = stdout.decode("utf-8")
    except UnicodeDecodeError as error:
        message = f"the app's answer is not UTF-8 (byte {error.start + 1} of {len(stdout)})"
        return Output(failure=Failure(FailureKind.INVALID_ANSWER, message))
    value = _structure(text)
    if isinstance(value, dict) and value.keys() & {"output", "error", "tool_calls"}:
        return read_answer(value, latency_s)
    return Output(text=text.removesuffix("\n").removesuffix("\r"), data=value, latency_s=latency_s)


def read_value(value: JsonValue, latency_s: float | None) -> Output:
    """Make an output of what an app gave as JSON: an object of the shape above, text, or any other value but null."""
    if isinstance(value, dict) and value.keys() & {"output", "error", "tool_calls"}:
        return read_answer(value, latency_s)
    if value is None:
        return Output(failure=Failure(FailureKind.INVALID_ANSWER, "the app's answer: it is null (None)"))
    text = value if isinstance(value, str) else None
    return Output(text=text, data=_structure(text) if text is not None else value, latency_s=latency_s)


def _read(answer: dict[str, JsonValue], latency_s: float | None) -> Output:
    for key in answer:
        if key not in KEYS:
            near = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.6)
            meant = f" (did you mean {near[0]!r}?)" if near else ""
            raise ValueError(f"unknown key {printable(key, 60)!r}{meant}, expected {', '.join(KEYS[:-1])}")
    error = answer.get("error")
    if error is not None:
        said = error if isinstance(error, str) else str(error)
        return Output(failure=Failure(FailureKind.CRASH, f"the app says: {printable(said)}"))
    value, tool_calls = answer.get("output"), _tool_calls(answer.get("tool_calls"))
    if value is None and not tool_calls:
        raise ValueError("it has no 'output'")
    text = value if isinstance(value, str) else None
    return Output(
        text=text,
        data=_structure(text) if text is not None else value,
        tool_calls=tool_calls,
        contexts=_contexts(answer.get("contexts")),
        latency_s=latency_s,
        usage=_usage(answer.get("usage")),
        cost_usd=_cost(answer.get("cost_usd")),
    )


def _structure(text: str) -> JsonValue:
    """Give the object or list that a text is, else None."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        value = parse_json(text.encode("utf-8", "replace"))
    except ValueError:
        return None
    return value if isinstance(value, dict | list) else None


def _tool_calls(found: JsonValue) -> tuple[ToolCall, ...]:
    if found is None:
        return ()
    if not isinstance(found, list):
        raise ValueError("'tool_calls' must be a list")
    calls = []
    for item in found:
        inner = item.get("function", item) if isinstance(item, dict) else None  # OpenAI's form nests name and arguments
        if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
            raise ValueError("each of 'tool_calls' must be an object with a 'name'")
        arguments = inner.get("arguments")
        if isinstance(arguments, str):
            try:
                arguments = parse_json(arguments.encode("utf-8", "replace"))
            except ValueError:
                arguments = inner["arguments"]  # kept as the app wrote it; the scorer says what is wrong
        calls.append(ToolCall(str(inner["name"]), arguments))
    return tuple(calls)


def _contexts(found: JsonValue) -> tuple[str, ...]:
    if found is None:
        return ()
    if not isinstance(found, list):
        raise ValueError("'contexts' must be a list of texts")
    texts = [item for item in found if isinstance(item, str)]
    if len(texts) < len(found):
        raise ValueError("'contexts' must be a list of texts")
    return tuple(texts)


def _usage(found: JsonValue) -> Usage | None:
    if found is None:
        return None
    if not isinstance(found, dict) or not found.keys() <= set(USAGE_KEYS):
        raise ValueError(f"'usage' must be an object of {', '.join(USAGE_KEYS)}")
    counts = {}
    for key in USAGE_KEYS:
        count = found.get(key, 0)
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise ValueError(f"'usage.{key}' must be a whole number from 0")
        counts[key] = count
    return Usage(**counts)


def _cost(found: JsonValue) -> float | None:
    if found is None:
        return None
    if not isinstance(found, int | float) or isinstance(found, bool) or not math.isfinite(found) or found < 0:
        raise ValueError("'cost_usd' must be a number from 0, in US dollars")
    return float(found)
