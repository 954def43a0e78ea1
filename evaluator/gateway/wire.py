"""One request as it goes out to a provider."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evaluator.gateway.meter import is_limited, worst_usage
from evaluator.gateway.providers import Provider
from evaluator.records import Usage

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Wire:
    """One request as it goes out."""

    provider: Provider
    path: str
    body: bytes
    model: str
    worst: Usage
    most: Usage | None
    """The same, or None where nothing in the body limits the answer."""
    party: str = ""
    """Who spends; see `Budget`."""
    inputs: int = 1
    """Texts to embed; 1 for what is no embedding."""


def make_wire(provider: Provider, path: str, body: Mapping[str, Any], model: str, party: str, inputs: int = 1) -> Wire:
    """The request of a body, as it goes out."""
    # The order of keys is kept, in the body and so in the cache key: the order of a schema's properties is the order
    # in which a model fills them in.
    encoded = _encode(body).encode("utf-8", "replace")
    worst = worst_usage(body, len(encoded))
    most = worst if path == "/embeddings" or is_limited(body) else None
    return Wire(provider, path, encoded, model, worst, most, party, inputs)
