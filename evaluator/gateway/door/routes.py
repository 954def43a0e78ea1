"""Which path of the door leads to which provider, and how apps are told: by the variables that their clients read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from evaluator.config.model import Config, ProviderSection
from evaluator.gateway.providers import LOCAL, Provider, own_url, resolve_providers

ANTHROPIC_URL = "https://api.anthropic.com"
UNKNOWN_URL = "https://unknown.invalid"
"""Of a provider whose address is not known: it is never asked."""
_WELL_KNOWN_NAMES = {
    "anthropic": ("ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
    "azure": ("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT"),
    "openai": ("OPENAI_API_KEY", "OPENAI_BASE_URL"),
}


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
        main: The provider that `OPENAI_BASE_URL` leads to; any other one is at `/NAME`. Each is told as `NAME_BASE_URL`
            and `NAME_API_KEY` too. Names that the config gives come on top, and win over all of these.
    """
    routes = []
    named = {name for provider in providers.values() for name in (*provider.url_env, *provider.key_env)}
    mains = {word for name, provider in providers.items() if name == main for word in _main_names(name, provider)}
    for name, provider in providers.items():
        dialect = _dialect(name, provider)
        known = provider
        if dialect is Dialect.ANTHROPIC:
            # Anthropic's clients add /v1 themselves.
            urls = tuple(url.removesuffix("/v1") for url in provider.base_urls)
            known = replace(provider, base_urls=urls, price_provider=provider.price_provider or "anthropic")
        elif dialect is Dialect.AZURE:
            known = replace(provider, price_provider=provider.price_provider or "azure")
        taken = named if name == main else named | mains
        urls, keys = (tuple(word for word in words if word not in taken) for words in _told(name, dialect, main))
        prefix = "/v1" if name == main and dialect is Dialect.OPENAI else f"/{name}"
        routes.append(Route(prefix, known, dialect, (*urls, *provider.url_env), (*keys, *provider.key_env)))
    return tuple(routes)


def _main_names(name: str, provider: Provider) -> tuple[str, ...]:
    urls, keys = _told(name, _dialect(name, provider), name)
    return (*urls, *keys)


def _told(name: str, dialect: Dialect, main: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(address, token): the variables that clients read, or that follow from a provider's name."""
    if dialect is Dialect.ANTHROPIC:
        return ("ANTHROPIC_BASE_URL",), ("ANTHROPIC_API_KEY",)
    if dialect is Dialect.AZURE:
        return ("AZURE_OPENAI_ENDPOINT",), ("AZURE_OPENAI_API_KEY",)
    variable = "".join(letter if letter.isalnum() else "_" for letter in name.upper())
    urls, keys = (f"{variable}_BASE_URL",), (f"{variable}_API_KEY",)
    if name != main:
        return urls, keys
    mains = (("OPENAI_BASE_URL", "OPENAI_API_BASE"), ("OPENAI_API_KEY",))
    return mains if name == "openai" else ((*mains[0], *urls), (*mains[1], *keys))


def _dialect(name: str, provider: Provider) -> Dialect:
    for known in (name, provider.price_provider):
        if known in (Dialect.ANTHROPIC, Dialect.AZURE):
            return Dialect(known)
    return Dialect.OPENAI


def app_providers(config: Config, environ: Mapping[str, str], *, main: str = "openai") -> dict[str, Provider]:
    """The providers that an app may ask: the main one, those of the config, and the well-known ones that are set up.

    Which ones an app asks is not known before it asks. So a provider whose key is not there is given as well, marked by
    `Provider.missing`: an app that finds no address dies of that, which looks like the change's fault, while one that
    asks lets us say what is missing. A well-known one is left out where none of its variables is set, since some apps
    go by which of them are there; unless there is no key at all, when it can be any that is missed.

    Args:
        config: For its `providers:`.
        environ: The environment that holds the keys.
        main: The provider that the config's target names. It may be `local`, which is started elsewhere.

    Raises:
        ConfigError: The main provider is not described, or its key is not set although the config names it.
    """
    sections = {**_well_known(environ), **config.providers}
    wanted = {*config.providers, main} - {LOCAL}
    there = {name for name in _WELL_KNOWN_NAMES if _any_set(name, environ)}
    if main == LOCAL or (main in sections and _speaks_openai(main, sections)):
        there -= {"openai"}  # its variables lead to the main provider
    strict = {main} - (set() if "openai" in config.providers else {"openai"})
    wide = config.model_copy(update={"providers": sections})
    found = resolve_providers(wanted | there, wide, environ, may_lack={*sections, "openai"} - strict)
    if main != LOCAL and all(provider.missing for provider in found.values()):
        found |= resolve_providers(sections.keys() - found.keys(), wide, environ, may_lack=sections.keys())
    azure = found.get("azure")
    if azure is not None and azure.base_urls == (UNKNOWN_URL,):
        found["azure"] = replace(azure, missing=azure.missing or "AZURE_OPENAI_ENDPOINT")
    return found


def _speaks_openai(name: str, sections: Mapping[str, ProviderSection]) -> bool:
    return not {name, sections[name].price_provider} & {Dialect.ANTHROPIC, Dialect.AZURE}


def key_warnings(config: Config, environ: Mapping[str, str]) -> list[str]:
    """What an app may miss: providers without their key, unless a well-known one is all that it seems to need.

    Raises:
        ConfigError: As `app_providers`.
    """
    main = config.target.provider
    found = app_providers(config, environ, main=main)
    others = {name for name, provider in found.items() if not provider.missing} - {*config.providers}
    asked = {*config.providers} if others and not config.providers else {*config.providers, main}
    return [
        f"the environment variable {provider.missing} is not set: an app that asks '{name}' ends the run as an error"
        for name, provider in found.items()
        if provider.missing and name in asked
    ]


def offline_environment(config: Config) -> dict[str, str]:
    """Variables for an app that is only started, such as by `validate`: all that it may look for, to no avail.

    Clients that want a key to be made get one that opens nothing (port 9 is "discard").
    """
    sections = {**_well_known({}), **config.providers}
    wide = config.model_copy(update={"providers": sections})
    main = config.target.provider
    names = {*sections, "openai", *({main} & sections.keys())}
    providers = resolve_providers(names, wide, {}, may_lack=names)
    routes = standard_routes(providers, main=main if main in providers else "openai")
    told: dict[str, str] = {}
    for route in routes:
        told |= route.environment("http://127.0.0.1:9", "no-key-while-checking")
    return told


def _well_known(environ: Mapping[str, str]) -> dict[str, ProviderSection]:
    """Providers that need no description beside the variables that their own clients read.

    Raises:
        ConfigError: One of them holds no address.
    """
    anthropic = own_url("ANTHROPIC_BASE_URL", environ, ANTHROPIC_URL)
    azure = own_url("AZURE_OPENAI_ENDPOINT", environ, UNKNOWN_URL)
    return {
        "anthropic": ProviderSection(base_url=anthropic, api_key_env="ANTHROPIC_API_KEY", price_provider="anthropic"),
        "azure": ProviderSection(base_url=azure, api_key_env="AZURE_OPENAI_API_KEY", price_provider="azure"),
    }


def _any_set(name: str, environ: Mapping[str, str]) -> bool:
    """Whether one of a well-known provider's variables is set."""
    return any(environ.get(variable, "").strip() for variable in _WELL_KNOWN_NAMES.get(name, ()))
