"""What a JSON text of a metered path holds, as far as the door needs to know: of requests, and of answers.

The standard library alone, and no other module of ours: `large_child.py` runs it in a process of its own, so that a
large text, which Python reads in one go, holds up nobody.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MEDIA = re.compile(rb'"(?:image_url|input_image|input_file|input_audio|file_id|file_url|document|image)"')
_HELD_BY_PROVIDER = ("previous_response_id", "conversation", "prompt", "container")
_RUN_BY_THE_APP = ("function", "custom")
_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
_MOST = 10**12
_LONGEST_NAME = 1_000
_SPACES = (",", ":")
_DEEP, _WIDE, _LONG = 12, 500, 100_000


class NotJson(ValueError):
    """A text is no JSON object."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for; numbers and short texts only, so that it can be told from another process."""

    model: str = ""
    """As the body names it; empty if it does not."""
    streams: bool = False
    usage_added: bool = False
    """True if the usage of the stream is asked for by us, and not by the app."""
    limit: int | None = None
    """Tokens of each answer at most; None if the request sets no limit."""
    limited_by: str = ""
    """The fields that set it, with spaces between: which of them a server reads depends on the path."""
    answers: int = 1
    """How many answers to one prompt."""
    prompts: int = 1
    """How many prompts there are, where completions are asked for."""
    media: int = 0
    """Images and files that it may only point to."""
    held_by_provider: bool = False
    """True if it names a conversation that the provider holds, or has the provider run tools in the background: what
    they find is read by the model too, and the tokens are never told in the answer."""
    writes_cache: bool = False
    """True if it may ask Anthropic to write its prompt cache."""
    digest: str = ""
    """SHA-256 of the canonical body, where that is large."""


def read_request(
    body: bytes, *, extras: Mapping[str, Any], token: str, on_demand: bool, drop_usage: bool = False
) -> tuple[Asked, bytes]:
    """Read a request, and write it anew, so that what we read is what the provider reads.

    Args:
        body: As the app sent it.
        extras: Fields that the provider gets with every request.
        token: Struck out of the body.
        on_demand: Whether the usage of a stream has to be asked for.
        drop_usage: Take out again that usage is asked for, for a provider that does not know it.

    Returns:
        What it asks for, and the canonical body.

    Raises:
        NotJson: It is no JSON object, or one that has no canonical form.
    """
    secret = token.encode()
    body = body.replace(secret, b"*" * len(secret)) if secret else body
    fields = json_object(body) | dict(extras)
    added = on_demand and not drop_usage and _ask_for_usage(fields)
    if drop_usage and isinstance(fields.get("stream_options"), dict):
        options = {name: value for name, value in fields.pop("stream_options").items() if name != "include_usage"}
        fields |= {"stream_options": options} if options else {}
    sent = _encoded(fields)
    prompt = fields.get("prompt")
    many = isinstance(prompt, list) and bool(prompt) and not isinstance(prompt[0], int)
    # Some servers read one of them and some another, so the largest counts.
    limits = {name: number for name in _LIMITS if (number := _number(fields.get(name))) is not None}
    asked = Asked(
        model=model if isinstance(model := fields.get("model"), str) and len(model) <= _LONGEST_NAME else "",
        streams=fields.get("stream") is True,
        usage_added=added,
        limit=max(1, *limits.values()) if limits else None,
        limited_by=" ".join(limits),
        answers=max(1, _number(fields.get("n")) or 1, _number(fields.get("best_of")) or 1),
        prompts=len(prompt) if many and isinstance(prompt, list) else 1,
        media=len(MEDIA.findall(sent)),
        held_by_provider=any(fields.get(name) is not None for name in _HELD_BY_PROVIDER) or _runs_tools_unseen(fields),
        writes_cache=b'"cache_control"' in sent,
    )
    return asked, sent


def digest_of(body: bytes) -> str:
    """SHA-256 of a body, as text."""
    return hashlib.sha256(body).hexdigest()


def json_object(text: bytes, *, strict: bool = True) -> dict[str, Any]:
    """The object that a JSON text holds.

    Args:
        text: The text.
        strict: Whether NaN and Infinity are refused, which some servers write and JSON does not know.

    Raises:
        NotJson: It holds none, is nested too deeply, or has a number that Python does not read.
    """
    try:
        parsed = json.loads(text, parse_constant=_refuse if strict else None)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise NotJson("the body is no JSON object")
    return parsed


def pruned(value: Any, depth: int = 0) -> Any:
    """A JSON value without what is too deep, too many or too long to tell anything about an answer's cost.

    Numbers in lists go too: they are embeddings.
    """
    if isinstance(value, str):
        return value[:_LONG]
    if isinstance(value, dict):
        return {key: pruned(item, depth + 1) for key, item in list(value.items())[:_WIDE]} if depth < _DEEP else {}
    if isinstance(value, list):
        return [pruned(item, depth + 1) for item in value[:_WIDE] if type(item) is not float] if depth < _DEEP else []
    return value


def _ask_for_usage(fields: dict[str, Any]) -> bool:
    options = fields.get("stream_options")
    if fields.get("stream") is not True or not isinstance(options, dict | None):
        return False
    if options is not None and "include_usage" in options and options["include_usage"] is not False:
        return False
    fields["stream_options"] = {**(options or {}), "include_usage": True}
    return True


def _runs_tools_unseen(fields: Mapping[str, Any]) -> bool:
    """Whether tools that the provider runs itself, such as a web search, are part of a background response."""
    tools = fields.get("tools")
    if not fields.get("background") or not isinstance(tools, list):
        return False
    return any(not isinstance(tool, dict) or tool.get("type") not in _RUN_BY_THE_APP for tool in tools)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _encoded(fields: Mapping[str, Any]) -> bytes:
    try:
        try:
            return json.dumps(fields, ensure_ascii=False, separators=_SPACES, allow_nan=False).encode()
        except UnicodeEncodeError:  # half a surrogate pair, which JSON can hold and UTF-8 cannot
            return json.dumps(fields, separators=_SPACES, allow_nan=False).encode()
    except (ValueError, RecursionError):  # 1e999 is read as infinity, which cannot be written
        raise NotJson("the body has a number that is too large") from None


def _number(found: object) -> int | None:
    """A number as lax servers read one: `100.0` and `"100"` too."""
    if isinstance(found, bool):
        return None
    try:
        return min(int(float(found)), _MOST) if isinstance(found, int | float | str) else None
    except (ValueError, OverflowError):
        return None
