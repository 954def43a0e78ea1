"""Who can be called: base URL, key and limits of every provider that a config may name."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from evaluator.config.model import Config, ProviderSection
from evaluator.errors import ConfigError
from evaluator.gateway.pace import NO_LIMITS, Limits
from evaluator.records import JsonValue

OPENAI_URL = "https://api.openai.com/v1"
LOCAL = "local"
"""The provider that is the embedded model; see `embedded/`."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A model provider with an OpenAI-compatible API."""

    name: str
    base_urls: tuple[str, ...]
    """One URL; or several equal servers, of which each is asked for one answer at a time."""
    api_key: str | None = field(default=None, repr=False)
    timeout_s: float = 120.0
    price_provider: str | None = None
    exclusive: bool = False
    """True if a server answers one request at a time: our queue is kept out of its latency."""
    extras: Mapping[str, JsonValue] = field(default_factory=dict)
    """Fields added to every body."""
    identity: str = ""
    """What stands for the provider in the cache key; the base URL if empty."""
    limits: Limits = NO_LIMITS
    """What is known of its limits before it is asked."""
    missing: str = ""
    """The environment variable without which it cannot be asked, where that is not set; an app may never need it."""
    url_env: tuple[str, ...] = ()
    """Further variables that tell an app its address at the gateway."""
    key_env: tuple[str, ...] = ()
    """Further variables that tell an app its throw-away token."""


def price_provider(name: str, config: Config) -> str | None:
    """A provider's name in the price list; None lets the model's name alone find the price."""
    section = config.providers.get(name)
    return section.price_provider if section is not None else ("openai" if name == "openai" else None)


def own_url(variable: str, environ: Mapping[str, str], default: str) -> str:
    """The address that an environment variable holds, or a default where it is not set.

    Raises:
        ConfigError: It holds none.
    """
    url = environ.get(variable) or default
    if not url.startswith(("http://", "https://")) or any(sign.isspace() for sign in url):
        # Only clients of OpenAI's leave out the path's beginning.
        what = "the address up to and with /v1" if variable == "OPENAI_BASE_URL" else "the provider's address"
        raise ConfigError(
            f"{variable} is {ascii(url)[:80]}, expected an address that starts with http:// or https://",
            hint=f"set it to {what}, or unset it",
        )
    return url


def resolve_providers(
    names: set[str], config: Config, environ: Mapping[str, str], *, may_lack: Collection[str] = ()
) -> dict[str, Provider]:
    """Find the providers that a run needs, except the embedded model's, which is started later.

    Args:
        names: The providers named by target, judge and scorers.
        config: For its `providers:`.
        environ: The environment that holds the keys.
        may_lack: Providers that are given without their key too; `Provider.missing` then names it.

    Raises:
        ConfigError: A provider that is not described, or whose key is not in the environment.
    """
    found: dict[str, Provider] = {}
    for name in sorted(names - {LOCAL}):
        section = config.providers.get(name)
        if section is None and name == "openai":
            url = own_url("OPENAI_BASE_URL", environ, OPENAI_URL)
            section = ProviderSection(base_url=url, api_key_env="OPENAI_API_KEY", price_provider=None)
        if section is None:
            known = ", ".join(sorted({*config.providers, "openai", LOCAL}))
            raise ConfigError(
                f"provider '{name}' is not described (known: {known})",
                hint=f"add `providers: {{{name}: {{base_url: https://..., api_key_env: NAME_OF_THE_KEY}}}}`",
            )
        key = environ.get(section.api_key_env, "").strip() or None if section.api_key_env else None
        own_server = name == "openai" and name not in config.providers and bool(environ.get("OPENAI_BASE_URL"))
        lacks = bool(section.api_key_env) and not key and not own_server  # a server of one's own may ask for no key
        if lacks and name not in may_lack:
            raise ConfigError(
                f"provider '{name}': the environment variable {section.api_key_env} is not set",
                hint=f"export {section.api_key_env}=..., or write `provider: local` to use the embedded model",
            )
        found[name] = Provider(
            name=name,
            base_urls=(section.base_url.rstrip("/"),),
            api_key=key,
            timeout_s=section.timeout,
            price_provider=price_provider(name, config),
            limits=Limits(
                section.max_in_flight, section.requests_per_minute, section.tokens_per_minute, section.patience
            ),
            missing=section.api_key_env or "" if lacks else "",
            url_env=section.url_env,
            key_env=section.key_env,
        )
    return found
