"""Which path of the door leads to which provider, and how apps are told: by the variables that their clients read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from evaluator.config.model import Config, ProviderSection
from evaluator.gateway.providers import LOCAL, Provider, resolve_providers

ANTHROPIC_URL = "https://api.anthropic.com"


class Dialect(StrEnum):
    """Whose way of authentication, paths and errors a provider has."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    AZURE = "azure"


@dataclass(frozen=True, slots=True)
class Route:
    """One provider behind the door."""

    prefix: str
    """Where it is at the door, e.g. `/v1`; its base URL takes the prefix's place."""
    provider: Provider
    dialect: Dialect = Dialect.OPENAI
    url_names: tuple[str, ...] = ()
    """Environment variables that tell an app the address."""
    key_names: tuple[str, ...] = ()
    """Environment variables that tell an app its throw-away token."""

    def rest(self, path: str) -> str | None:
        """What follows the prefix in a path: empty, or from a slash on; None if the route is another's."""
        if path == self.prefix or path.startswith(f"{self.prefix}/"):
            return path[len(self.prefix) :]
        return None

    def environment(self, url: str, token: str) -> dict[str, str]:
        """The variables for an app: the door's address and the token."""
        return dict.fromkeys(self.url_names, url + self.prefix) | dict.fromkeys(self.key_names, token)


def find_route(routes: Sequence[Route], path: str) -> tuple[Route, str] | None:
    """The route of a path and what follows its prefix; the longest prefix wins."""
    found = None
    for route in routes:
        rest = route.rest(path)
        if rest is not None and (found is None or len(route.prefix) > len(found[0].prefix)):
            found = route, rest
    return found


def standard_routes(providers: Mapping[str, Provider], *, main: str = "openai") -> tuple[Route, ...]:
    """Routes to some providers.

    Args:
        providers: By name. `anthropic` and `azure`, and what the price list calls so, speak those dialects.
        main: The provider that `OPENAI_BASE_URL` leads to. Any other one is at `/NAME`, told as `NAME_BASE_URL` and
            `NAME_API_KEY`.
    """
    routes = []
    told: tuple[tuple[str, ...], tuple[str, ...]]
    for name, provider in providers.items():
        variable = "".join(letter if letter.isalnum() else "_" for letter in name.upper())
        dialect = _dialect(name, provider)
        if dialect is Dialect.ANTHROPIC:
            # Anthropic's clients add /v1 themselves.
            urls = tuple(url.removesuffix("/v1") for url in provider.base_urls)
            known = replace(provider, base_urls=urls, price_provider=provider.price_provider or "anthropic")
            told = ("ANTHROPIC_BASE_URL",), ("ANTHROPIC_API_KEY",)
        elif dialect is Dialect.AZURE:
            known = replace(provider, price_provider=provider.price_provider or "azure")
            told = ("AZURE_OPENAI_ENDPOINT",), ("AZURE_OPENAI_API_KEY",)
        elif name == main:
            told = ("OPENAI_BASE_URL", "OPENAI_API_BASE"), ("OPENAI_API_KEY",)
            known = provider
        else:
            known = provider
            told = (f"{variable}_BASE_URL",), (f"{variable}_API_KEY",)
        prefix = "/v1" if name == main and dialect is Dialect.OPENAI else f"/{name}"
        routes.append(Route(prefix, known, dialect, *told))
    return tuple(routes)


def _dialect(name: str, provider: Provider) -> Dialect:
    for known in (name, provider.price_provider):
        if known in (Dialect.ANTHROPIC, Dialect.AZURE):
            return Dialect(known)
    return Dialect.OPENAI


def app_providers(config: Config, environ: Mapping[str, str], *, main: str = "openai") -> dict[str, Provider]:
    """The providers that an app may ask: those of the config, and the well-known ones whose keys are set.

    Args:
        config: For its `providers:`.
        environ: The environment that holds the keys. A provider whose key is not there is left out: which ones an
            app asks is not known before it asks.
        main: The provider that the config's target names; it has to be there, unless it is `local`, which is
            started elsewhere.

    Raises:
        ConfigError: The main provider is not described, or its key is not set although the config names it.
    """
    sections = dict(config.providers)
    if "anthropic" not in sections and environ.get("ANTHROPIC_API_KEY"):
        url = environ.get("ANTHROPIC_BASE_URL") or ANTHROPIC_URL
        sections["anthropic"] = ProviderSection(
            base_url=url, api_key_env="ANTHROPIC_API_KEY", price_provider="anthropic"
        )
    if "azure" not in sections and environ.get("AZURE_OPENAI_API_KEY") and environ.get("AZURE_OPENAI_ENDPOINT"):
        sections["azure"] = ProviderSection(
            base_url=environ["AZURE_OPENAI_ENDPOINT"], api_key_env="AZURE_OPENAI_API_KEY", price_provider="azure"
        )
    there = {name for name, section in sections.items() if not section.api_key_env or environ.get(section.api_key_env)}
    if "openai" not in sections and (environ.get("OPENAI_API_KEY") or environ.get("OPENAI_BASE_URL")):
        there.add("openai")
    if main in config.providers:
        there.add(main)
    return resolve_providers(there - {LOCAL}, config.model_copy(update={"providers": sections}), environ)
