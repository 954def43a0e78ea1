"""Which headers pass the door, and how the token is exchanged for the key."""

import hashlib
import re
from collections.abc import Mapping

from multidict import CIMultiDict, CIMultiDictProxy

from evaluator.gateway.door.routes import Dialect

# RFC 9110, section 7.6.1: these belong to one connection. Length and encoding are our own on either side.
_OF_ONE_HOP = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade", "content-length", "content-encoding",
    }
)  # fmt: skip
_KEY_HEADERS = ("authorization", "x-api-key", "api-key", "x-goog-api-key")
# Some servers take these for the method and path that they are asked for: it must be the ones that we metered.
_OTHER_REQUEST = {
    "x-http-method", "x-http-method-override", "x-method-override", "x-original-url", "x-rewrite-url",
    "x-original-uri", "x-forwarded-host", "x-forwarded-prefix", "x-forwarded-uri", "x-forwarded-method",
}  # fmt: skip
_NOT_FORWARDED = (
    _OF_ONE_HOP | _OTHER_REQUEST | {*_KEY_HEADERS, "host", "accept-encoding", "expect", "cookie", "forwarded"}
)
_NOT_RETURNED = _OF_ONE_HOP | {"set-cookie", "alt-svc", "strict-transport-security"}
# What differs from one request to the next, or from one client to the other, and asks for nothing else.
_CHANGES_NO_ANSWER = re.compile(
    r"user-agent|x-stainless-.*|accept(-.*)?|content-(type|length)|date|origin|referer|via|priority|x-forwarded-.*"
    r"|idempotency-key|x-idempotency-key|traceparent|tracestate|baggage|sentry-trace|b3|x-b3-.*|x-datadog-.*"
    r"|uber-trace-id|x-amzn-trace-id|x-cloud-trace-context|(x-)?(ms-|ms-client-|client-)?(request|correlation)-id"
)
Headers = Mapping[str, str]


def find_token(headers: Headers) -> str:
    """The token that a request carries in one of the headers that clients use; empty if none."""
    for name in _KEY_HEADERS:
        value = headers.get(name)
        if value:
            scheme, _, rest = value.partition(" ")
            return rest.strip() if scheme.lower() == "bearer" else value.strip()
    return ""


def outgoing(headers: CIMultiDictProxy[str], *, token: str, key: str | None, dialect: Dialect) -> CIMultiDict[str]:
    """The headers for the provider: the app's own, without what ends here, with the key in place of the token."""
    sent = _without(headers, _NOT_FORWARDED)
    for name in [name for name, value in sent.items() if token in value]:
        sent.popall(name, None)
    # Uncompressed: usage must be readable, and a few kilobytes must not become gigabytes here.
    sent["Accept-Encoding"] = "identity"
    if key:
        name, value = {
            Dialect.OPENAI: ("Authorization", f"Bearer {key}"),
            Dialect.ANTHROPIC: ("x-api-key", key),
            Dialect.AZURE: ("api-key", key),
        }[dialect]
        sent[name] = value
    return sent


def told_by_headers(headers: CIMultiDictProxy[str], *, token: str) -> str:
    """A digest of the forwarded headers that may change an answer, such as a beta feature's; equal for all clients."""
    sent = outgoing(headers, token=token, key=None, dialect=Dialect.OPENAI)
    rows = sorted((name.lower(), value) for name, value in sent.items())
    told = [row for row in rows if not _CHANGES_NO_ANSWER.fullmatch(row[0])]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:32]


def returning(headers: CIMultiDictProxy[str], *, key: str | None) -> CIMultiDict[str]:
    """The provider's headers as the app gets them; one that holds the key is left out."""
    back = _without(headers, _NOT_RETURNED)
    if key:
        for name in [name for name, value in back.items() if key in value]:
            back.popall(name, None)
    return back


def _without(headers: CIMultiDictProxy[str], dropped: frozenset[str]) -> CIMultiDict[str]:
    named = headers.getall("Connection", ())
    also = {name.strip().lower() for value in named for name in value.split(",")}
    return CIMultiDict(
        (name, value) for name, value in headers.items() if (lower := name.lower()) not in dropped and lower not in also
    )
