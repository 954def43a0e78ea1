"""Which paths are metered, and what a request to one of them can cost at most."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from evaluator.gateway.door.routes import Dialect
from evaluator.records import Usage

MEDIA_TOKENS = 20_000
"""Reserved for each image or file that a request only points to: its tokens are not in the body."""
CONTEXT_TOKENS = 128_000
"""Reserved for a conversation that the provider holds, which a request only names."""
_MEDIA = re.compile(rb'"(?:image_url|input_image|input_file|input_audio|file_id|file_url|document|image)"')
_HELD_BY_PROVIDER = ("previous_response_id", "conversation", "prompt", "container")
_FOR_CACHE_WRITES = 2.0
"""Anthropic's dearest way to write its prompt cache, beside plain input."""


class Endpoint(StrEnum):
    """What a metered path answers."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    RESPONSES = "responses"
    EMBEDDINGS = "embeddings"
    MESSAGES = "messages"


@dataclass(frozen=True, slots=True)
class Metered:
    """A request to a metered path."""

    endpoint: Endpoint
    deployment: str = ""
    """The model's name at Azure, which stands in the path."""


_OPENAI = {
    "/chat/completions": Endpoint.CHAT,
    "/completions": Endpoint.COMPLETIONS,
    "/responses": Endpoint.RESPONSES,
    "/embeddings": Endpoint.EMBEDDINGS,
}
_AZURE = re.compile(r"/openai(?:/v1|/deployments/(?P<deployment>[\w.~-]+))?(?P<rest>/[a-z/]+)")


def metered(dialect: Dialect, method: str, path: str) -> Metered | None:
    """What a request asks for, or None if its path is not metered.

    Args:
        dialect: The provider's.
        method: Of HTTP.
        path: Below the provider's base URL, without the query, exactly as it will be sent: another spelling that a
            provider may take for the same is not metered, and is therefore refused where dollars are capped.
    """
    if method != "POST":
        return None
    if dialect is Dialect.ANTHROPIC:
        return Metered(Endpoint.MESSAGES) if path == "/v1/messages" else None
    if dialect is Dialect.AZURE:
        found = _AZURE.fullmatch(path)
        endpoint = _OPENAI.get(found["rest"]) if found else None
        return Metered(endpoint, (found and found["deployment"]) or "") if endpoint else None
    known = _OPENAI.get(path)
    return Metered(known) if known else None


def worst_usage(endpoint: Endpoint, body: Mapping[str, Any], sent: bytes, default_max_output: int) -> Usage:
    """The most tokens that a request can use.

    In: one a byte, as no tokenizer makes more, and an allowance for what the body only points to. Out: the request's
    own limit for each answer, else the default.

    Args:
        endpoint: What is asked for.
        body: The request.
        sent: The same, as bytes.
        default_max_output: For a request without a limit.
    """
    given = float(len(sent) + MEDIA_TOKENS * len(_MEDIA.findall(sent)))
    if endpoint is Endpoint.RESPONSES and any(body.get(name) is not None for name in _HELD_BY_PROVIDER):
        given += CONTEXT_TOKENS
    if endpoint is Endpoint.MESSAGES and b'"cache_control"' in sent:
        given *= _FOR_CACHE_WRITES
    if endpoint is Endpoint.EMBEDDINGS:
        return Usage(int(given), 0)
    limits = (_number(body.get(name)) for name in ("max_completion_tokens", "max_tokens", "max_output_tokens"))
    # Some servers read one of them and some another, so the largest counts.
    limit = max((number for number in limits if number is not None), default=default_max_output)
    answers = max(1, _number(body.get("n")) or 1, _number(body.get("best_of")) or 1)
    prompts = body.get("prompt") if endpoint is Endpoint.COMPLETIONS else None
    if isinstance(prompts, list) and prompts and not isinstance(prompts[0], int):
        answers *= len(prompts)
    return Usage(int(given), max(limit, 1) * answers)


def _number(found: object) -> int | None:
    """A number as lax servers read one: `100.0` and `"100"` too."""
    if isinstance(found, bool):
        return None
    try:
        return int(float(found)) if isinstance(found, int | float | str) else None
    except (ValueError, OverflowError):
        return None
