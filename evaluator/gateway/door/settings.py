"""What may be set about a door."""

from dataclasses import dataclass, field

from evaluator.gateway.meter import DEFAULT_MAX_OUTPUT


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an app may keep a connection waiting, in seconds. How long a provider may take is the provider's."""

    head_s: float = 30.0
    """From a request's first byte to the end of its headers; also from a new connection to its first request."""
    body_s: float = 30.0
    """For a request's body, and a second more for each megabyte of it."""
    idle_s: float = 3600.0
    """Between two requests: longer than clients keep a connection, whose next request would fail. Where connections are
    few the longest idle one goes before that."""
    write_s: float = 60.0
    """Until the app has taken what it was sent; a second more for each megabyte."""
    reading_s: float = 20.0
    """For reading one large JSON text."""


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
    """Largest request and largest answer; also half of what the requests of one side may hold together."""
    connections: int = 1024
    """Most connections of one side; fewer where this process may not open so many files."""
    calls_per_slot: int = 64
    """Most calls in flight of one process of the app; more wait, at the app's own expense."""
    patience: Patience = field(default_factory=Patience)
    unmetered: bool = True
    """Whether paths that are neither metered nor free (files, images, batches ...) are forwarded. It lends the app the
    real key for all that the account can do, such as reading and deleting its files. Where dollars are capped, POST,
    PUT and PATCH to them are refused all the same: what they cost would pass the cap unseen."""
