"""Holds requests and answers against GitHub's own API description (`api-slice.json`, see NOTICE.md).

Stricter than the description where a typing error would pass unnoticed: a field or a query parameter that it does not
name is a breach. Looser only where GitHub itself departs from it: see `AS_SERVED`.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema_rs

SLICE = Path(__file__).with_name("api-slice.json")
ERRORS = {
    422: {
        "type": "object",
        "required": ["message"],
        "properties": {"message": {"type": "string"}, "errors": {"type": "array"}},
    }
}
ANY_ERROR = {"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}}
"""Every path may answer 401, 403, 404, 422, 429 and 5xx; the description names them for some paths only."""

AS_SERVED = {
    # The head repository of a pull request is null when its fork was deleted.
    "pull-request": ("head", "repo"),
    "pull-request-simple": ("head", "repo"),
}
"""Fields that GitHub serves as null though its description says otherwise."""

LIMITS = ("maxLength", "maxItems")
SEVERAL_SEGMENTS = {"path", "ref", "branch", "basehead", "commit_sha", "sha"}


@dataclass(frozen=True)
class Operation:
    """One method of one path of the description."""

    method: str
    template: str
    described: Mapping[str, Any]


@dataclass(frozen=True)
class Breach:
    """Where a document departs from the description."""

    where: str
    message: str
    limit: bool
    """It is only too long: GitHub answers 422 to that, it is no mistake in the shape."""
    pointer: tuple[str | int, ...] = ()


class Description:
    """GitHub's API description, compiled when first used."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self._compiled: dict[str, jsonschema_rs.Draft202012Validator] = {}
        self._components = {
            "lax": {"schemas": _rewritten(_as_served(document["components"]["schemas"]), strict=False)},
            "strict": {"schemas": _rewritten(_as_served(document["components"]["schemas"]), strict=True)},
        }
        patterns = [(_pattern(template), template) for template in document["paths"]]
        # `commits/{ref}/status` before `commits/{ref}`, whose `ref` may hold slashes.
        self._patterns = sorted(patterns, key=lambda pair: -len(re.sub(r"\{\w+\}", "", pair[1])))

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """The operation that a path names, with the path's parameters."""
        for pattern, template in self._patterns:
            if match := pattern.fullmatch(path):
                described = self.document["paths"][template].get(method.lower())
                if described is not None:
                    parameters = {name: unquote(value) for name, value in match.groupdict().items()}
                    return Operation(method, template, described), parameters
        return None

    def request_breaches(
        self, operation: Operation, parameters: Mapping[str, str], query: Mapping[str, str], body: object
    ) -> Iterator[Breach]:
        """What is wrong with a request."""
        described = [self._resolved(item) for item in operation.described.get("parameters", ())]
        for name in query.keys() - {item["name"] for item in described if item["in"] == "query"}:
            yield Breach(f"query {name}", "is not in the description", limit=False)
        for item in described:
            values = query if item["in"] == "query" else parameters
            if item["name"] in values:
                value = _typed(values[item["name"]], item["schema"])
                yield from self._breaches(f"{item['in']} {item['name']}", item["schema"], value, strict=True)
            elif item.get("required"):
                yield Breach(f"{item['in']} {item['name']}", "is missing", limit=False)
        wanted = operation.described.get("requestBody")
        if wanted is None:
            if body is not None:
                yield Breach("body", "none is expected", limit=False)
            return
        yield from self._breaches("body", wanted["content"]["application/json"]["schema"], body, strict=True)

    def answer_breaches(self, operation: Operation, status: int, body: object, kind: str) -> Iterator[Breach]:
        """What is wrong with an answer; `kind` is its content type."""
        described = operation.described["responses"].get(str(status))
        if described is None:
            if status < 400:
                yield Breach("answer", f"{operation.method} {operation.template} knows no status {status}", limit=False)
            elif kind == "application/json":
                yield from self._breaches("answer", ERRORS.get(status, ANY_ERROR), body, strict=False)
            return
        content = self._resolved(described).get("content")
        if content is None:
            if body is not None:
                yield Breach("answer", f"status {status} has no body", limit=False)
        elif kind not in content:
            if status < 500:  # What stands before GitHub answers 5xx in HTML.
                yield Breach("answer", f"content type {kind}, described are {', '.join(content)}", limit=False)
        else:
            yield from self._breaches("answer", content[kind]["schema"], body, strict=status < 400)
            if status >= 400:
                yield from self._breaches("answer", ANY_ERROR, body, strict=False)

    def _resolved(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" not in node:
            return node
        _, _, kind, name = node["$ref"].split("/")
        found: Mapping[str, Any] = self.document["components"][kind][name]
        return found

    def _breaches(self, where: str, schema: Mapping[str, Any], value: object, *, strict: bool) -> Iterator[Breach]:
        key = f"{strict}{json.dumps(schema, sort_keys=True)}"
        validator = self._compiled.get(key)
        if validator is None:
            root = {**_rewritten(schema, strict=strict), "components": self._components["strict" if strict else "lax"]}
            validator = jsonschema_rs.Draft202012Validator(root, validate_formats=True)
            self._compiled[key] = validator
        for error in validator.iter_errors(value):
            pointer = tuple(error.instance_path)
            at = ".".join(map(str, (where, *pointer)))
            limit = bool(error.schema_path) and error.schema_path[-1] in LIMITS
            yield Breach(at, error.message[:500], limit, pointer)


@cache
def description() -> Description:
    """The description, read once."""
    return Description(json.loads(SLICE.read_text("utf-8")))


def _pattern(template: str) -> re.Pattern[str]:
    parts = []
    for literal, name in re.findall(r"([^{]+)|\{(\w+)\}", template):
        if literal:
            parts.append(re.escape(literal))
        elif name in SEVERAL_SEGMENTS:
            parts.append(f"(?P<{name}>.{'*' if name == 'path' else '+'})")
        else:
            parts.append(f"(?P<{name}>[^/]+)")
    return re.compile("".join(parts))


def _typed(text: str, schema: Mapping[str, Any]) -> object:
    """A parameter's text as the type that the description gives it, or as it is where it does not fit."""
    if schema.get("type") == "integer" and re.fullmatch(r"-?\d+", text):
        return int(text)
    if schema.get("type") == "boolean":
        return {"true": True, "false": False}.get(text, text)
    return text


def _as_served(schemas: Mapping[str, Any]) -> dict[str, Any]:
    changed = json.loads(json.dumps(schemas))
    for name, (outer, inner) in AS_SERVED.items():
        fields = changed[name]["properties"][outer]["properties"]
        fields[inner] = {"nullable": True, "anyOf": [fields[inner]]}
    return dict(changed)


def _rewritten(node: Any, *, strict: bool, names: bool = False) -> Any:
    """OpenAPI 3.0's `nullable` as JSON Schema; strict is for requests and results, not for errors: no unnamed field."""
    if isinstance(node, list):
        return [_rewritten(item, strict=strict) for item in node]
    if not isinstance(node, dict):
        return node
    out = {
        key: _rewritten(value, strict=strict, names=key == "properties" and not names) for key, value in node.items()
    }
    if names:
        return out
    if strict and "properties" in out and "additionalProperties" not in out and "required" not in out.get("not", {}):
        out["additionalProperties"] = False
    if not strict and "oneOf" in out:  # Kinds of errors, which overlap.
        out["anyOf"] = out.pop("oneOf")
    if out.pop("nullable", False) is True:
        return {"anyOf": [out, {"type": "null"}]}
    return out
