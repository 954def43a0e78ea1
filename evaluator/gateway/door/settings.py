"""What may be set about a door."""

from dataclasses import dataclass

from evaluator.gateway.meter import DEFAULT_MAX_OUTPUT


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """Limits of a door."""

    max_usd_per_case: float | None = None
    """Most that the calls of one case may cost; cached answers count with what they cost when they were asked."""
    max_calls_per_case: int | None = None
    default_max_output: int = DEFAULT_MAX_OUTPUT
    """Tokens reserved for an answer whose request sets no limit. A longer answer is charged in full, and can so pass a
    cap by the difference: an app that must not should set its limit."""
    max_body_bytes: int = 64_000_000
    """Largest request and largest answer; also a quarter of what all requests being read may hold together."""
    only_models: bool = False
    """Of the paths that are not metered, forward only the list of models: any other would lend the app the real key for
    all that the account can do, such as reading and deleting its files."""
    unmetered_posts: bool | None = None
    """Whether POST, PUT and PATCH to paths that are not metered (images, batches ...) are forwarded. None: yes, unless
    dollars are capped, since what they cost is unknown."""
