"""Which requests cost nothing and are therefore forwarded beside those that are metered.

A short list of exact methods and paths. None of them makes a model write: what does is metered, or refused. A path is
matched as it will be sent, so that another spelling, which a provider may take for something else, is not free.
"""

import re
from collections import OrderedDict
from dataclasses import dataclass, field

from evaluator.gateway.door.routes import Dialect, Route

MOST_RESPONSES = 100_000
"""Of one side, whose names are remembered; of more, the oldest are forgotten."""
_MODELS = re.compile(r"(?:/v1)?/models(?:/[\w.:@-]+)*/?", re.A)
_RESPONSE = re.compile(r"/responses/(?P<name>resp[_-][A-Za-z0-9_-]{1,200})(?P<rest>|/cancel|/input_items)")
_OF_A_RESPONSE = frozenset({("GET", ""), ("GET", "/input_items"), ("POST", "/cancel")})
_AZURE = re.compile(r"/openai(?:/v1)?(?P<rest>/[\w.:@/-]+)", re.A)


@dataclass(frozen=True, slots=True)
class Free:
    """A request that costs nothing."""

    response: str = ""
    """The kept response that it is about, which has to be one that the same side's app has had made; else empty."""


def free(route: Route, method: str, path: str) -> Free | None:
    """What of a request makes it free; None if it is not known to be.

    Args:
        route: The provider's.
        method: Of HTTP.
        path: Below the provider's base URL, without the query.
    """
    if route.dialect is Dialect.AZURE:
        found = _AZURE.fullmatch(path)
        path = found["rest"] if found else ""
    if method in ("GET", "HEAD") and _MODELS.fullmatch(path):
        return Free()
    if route.dialect is Dialect.ANTHROPIC:
        return Free() if (method, path) == ("POST", "/v1/messages/count_tokens") else None
    if (method, path) == ("POST", "/responses/input_tokens"):
        return Free()
    if (method, path) == ("POST", "/moderations") and _moderates_for_nothing(route):
        return Free()
    response = _RESPONSE.fullmatch(path)
    if response is not None and (method, response["rest"]) in _OF_A_RESPONSE:
        return Free(response["name"])
    return None


def _moderates_for_nothing(route: Route) -> bool:
    """Whether it is OpenAI: others, such as Mistral, charge for it."""
    return route.dialect is Dialect.OPENAI and "openai" in (route.provider.name, route.provider.price_provider)


@dataclass(slots=True)
class OwnResponses:
    """The kept responses that one side's app has had made. Others of the account are nobody's here."""

    _known: OrderedDict[tuple[str, str], None] = field(default_factory=OrderedDict)

    def add(self, provider: str, name: str) -> None:
        """Remember one."""
        if name:
            self._known[provider, name] = None
            if len(self._known) > MOST_RESPONSES:
                self._known.popitem(last=False)

    def has(self, provider: str, name: str) -> bool:
        """Whether a response is one of them."""
        return (provider, name) in self._known
