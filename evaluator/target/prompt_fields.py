"""The fields of a `.prompt.yml` that go into the request's body: model parameters and the response format."""

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from evaluator.config.yaml_text import YamlText
from evaluator.errors import TargetError
from evaluator.records import JsonValue

if TYPE_CHECKING:
    from evaluator.gateway.interface import ResponseFormat

FORMATS = ("text", "json_object", "json_schema")
RESERVED = frozenset({"model", "messages", "stream", "stream_options", "n", "response_format"})
"""Fields of the body that are ours to set."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """What values a parameter takes."""

    words: str
    types: tuple[type, ...]
    low: float = float("-inf")
    high: float = float("inf")

    def accepts(self, value: object) -> bool:
        """Tell whether a value is of this kind; True and False are no numbers."""
        if isinstance(value, bool) and bool not in self.types:
            return False
        if not isinstance(value, self.types):
            return False
        return not isinstance(value, int | float) or self.low <= value <= self.high


_COUNT = _Kind("a whole number from 1 to 10 million", (int,), 1, 10_000_000)
_PENALTY = _Kind("a number from -2 to 2", (int, float), -2, 2)
_WORD = _Kind("a word", (str,))

PARAMETERS: Mapping[str, tuple[str, _Kind]] = {
    "temperature": ("temperature", _Kind("a number from 0 to 2", (int, float), 0, 2)),
    "topP": ("top_p", _Kind("a number from 0 to 1", (int, float), 0, 1)),
    "topK": ("top_k", _COUNT),
    "maxTokens": ("max_tokens", _COUNT),
    "maxCompletionTokens": ("max_completion_tokens", _COUNT),
    "frequencyPenalty": ("frequency_penalty", _PENALTY),
    "presencePenalty": ("presence_penalty", _PENALTY),
    "seed": ("seed", _Kind("a whole number", (int,), -(2**63), 2**63 - 1)),
    "stop": ("stop", _Kind("text or a list of texts", (str, list))),
    "reasoningEffort": ("reasoning_effort", _WORD),
    "verbosity": ("verbosity", _WORD),
    "tools": ("tools", _Kind("a list of tools", (list,))),
    "toolChoice": ("tool_choice", _Kind("a word or a mapping", (str, dict))),
    "parallelToolCalls": ("parallel_tool_calls", _Kind("true or false", (bool,))),
    "logitBias": ("logit_bias", _Kind("a mapping", (dict,))),
}
"""Name in the file -> name in the request's body, and what it may be. The body's own names are accepted too."""

_NAMES = ", ".join(PARAMETERS)
_BY_BODY_NAME = {body: (body, kind) for body, kind in PARAMETERS.values()}


def read_parameters(parsed: YamlText, name: str) -> dict[str, JsonValue]:
    """Give `modelParameters` under the names of the request's body.

    Raises:
        TargetError: An unknown parameter, a value of the wrong kind, or one parameter under both of its names.
    """
    found = parsed.data.get("modelParameters")
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise TargetError(f"{name}:{parsed.line(('modelParameters',))}: `modelParameters` must be a mapping")
    known = {**_BY_BODY_NAME, **PARAMETERS}
    body: dict[str, JsonValue] = {}
    for key, value in found.items():
        where = f"{name}:{parsed.line(('modelParameters', str(key)))}"
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.6)
            hint = f"did you mean {near[0]}?" if near else ""
            raise TargetError(f"{where}: parameter {str(key)[:60]!r} is not known, expected {_NAMES}", hint=hint)
        field, kind = known[key]
        if field in body:
            raise TargetError(f"{where}: {field} is there twice", hint="keep one of the two names")
        if not kind.accepts(value):
            raise TargetError(f"{where}: {key} is {str(value)[:60]!r}, expected {kind.words}")
        body[field] = value
    return body


def read_response_format(parsed: YamlText, name: str) -> "ResponseFormat | None":
    """Give `responseFormat` and `jsonSchema` as the body's `response_format`; None for text.

    `jsonSchema` is, as in the GitHub Models format, a text of JSON with `name`, `strict` and `schema`; a mapping and a
    bare schema are accepted too.

    Raises:
        TargetError: An unknown format, a schema that is missing, not asked for, or no JSON.
    """
    chosen, schema = parsed.data.get("responseFormat"), parsed.data.get("jsonSchema")
    where = f"{name}:{parsed.line(('responseFormat',))}"
    if chosen is not None and chosen not in FORMATS:
        raise TargetError(f"{where}: responseFormat is {str(chosen)[:60]!r}, expected one of {', '.join(FORMATS)}")
    if schema is not None and chosen != "json_schema":
        line = parsed.line(("jsonSchema",))
        hint = "add `responseFormat: json_schema`, or remove jsonSchema"
        raise TargetError(f"{name}:{line}: jsonSchema has no effect with responseFormat {chosen or 'text'}", hint=hint)
    if chosen is None or chosen == "text":
        return None
    if chosen == "json_object":
        return {"type": "json_object"}
    if schema is None:
        raise TargetError(f"{where}: json_schema needs a `jsonSchema`", hint="add `jsonSchema: |` and JSON below it")
    return cast("ResponseFormat", {"type": "json_schema", "json_schema": _read_schema(parsed, schema, name)})


def _read_schema(parsed: YamlText, found: object, name: str) -> dict[str, Any]:
    line = parsed.line(("jsonSchema",))
    schema = found
    if isinstance(found, str):
        try:
            schema = json.loads(found)
        except json.JSONDecodeError as error:
            # The text begins on the key's line or, as a block, on the next.
            raise TargetError(
                f"{name}:{line}: jsonSchema is not JSON: {error.msg} (line {error.lineno} of it)",
                hint="write JSON, or a YAML mapping",
            ) from None
        except RecursionError:
            raise TargetError(f"{name}:{line}: jsonSchema is nested too deeply") from None
    if not isinstance(schema, dict):
        raise TargetError(f"{name}:{line}: jsonSchema must be an object, found {type(schema).__name__}")
    if "schema" not in schema:
        return {"name": "answer", "schema": schema}
    label = schema.get("name", "answer")
    if not isinstance(label, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", label):
        expected = "expected up to 64 letters, digits, _ or -"
        raise TargetError(f"{name}:{line}: the schema's name is {str(label)[:60]!r}, {expected}")
    if not isinstance(schema["schema"], dict):
        raise TargetError(f"{name}:{line}: `schema` in jsonSchema must be an object")
    return {**schema, "name": label}
