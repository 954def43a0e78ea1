"""Which paths are metered, and what a request to one of them can cost at most."""

import re
from dataclasses import dataclass
from enum import StrEnum

from evaluator.gateway.door.reading import Asked
from evaluator.gateway.door.routes import Dialect
from evaluator.records import Usage

MEDIA_TOKENS = 20_000
"""Reserved for each image or file that a request only points to: its tokens are not in the body."""
CONTEXT_TOKENS = 128_000
"""Reserved for a conversation that the provider holds, which a request only names."""
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
_LIMITED_BY = {
    Endpoint.CHAT: frozenset({"max_tokens", "max_completion_tokens"}),
    Endpoint.COMPLETIONS: frozenset({"max_tokens"}),
    Endpoint.RESPONSES: frozenset({"max_output_tokens"}),
    Endpoint.MESSAGES: frozenset({"max_tokens"}),
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


def worst_usage(endpoint: Endpoint, asked: Asked, size: int, default_max_output: int) -> Usage:
    """The most tokens that a request can use.

    In: one a byte, as no tokenizer makes more, and an allowance for what the body only points to. Out: the request's
    own limit for each answer, else the default.

    Args:
        endpoint: What is asked for.
        asked: The request.
        size: Of its body, in bytes.
        default_max_output: For a request without a limit.
    """
    given = float(size + MEDIA_TOKENS * asked.media)
    if endpoint is Endpoint.RESPONSES and asked.held_by_provider:
        given += CONTEXT_TOKENS
    if endpoint is Endpoint.MESSAGES and asked.writes_cache:
        given *= _FOR_CACHE_WRITES
    if endpoint is Endpoint.EMBEDDINGS:
        return Usage(int(given), 0)
    answers = asked.answers * (asked.prompts if endpoint is Endpoint.COMPLETIONS else 1)
    limit = _limit(endpoint, asked)
    return Usage(int(given), (default_max_output if limit is None else limit) * answers)


def most_usage(endpoint: Endpoint, asked: Asked, size: int) -> Usage | None:
    """As `worst_usage`, or None where nothing in the request limits its answer."""
    if endpoint is not Endpoint.EMBEDDINGS and _limit(endpoint, asked) is None:
        return None
    return worst_usage(endpoint, asked, size, 0)


def _limit(endpoint: Endpoint, asked: Asked) -> int | None:
    """The request's own limit, if there is one in a field that holds on this path: servers pass over any other."""
    read = _LIMITED_BY.get(endpoint, frozenset())
    return asked.limit if read.intersection(asked.limited_by.split()) else None
