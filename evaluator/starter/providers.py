"""Model providers that can be written into a first config: their OpenAI-compatible addresses and keys."""

from dataclasses import dataclass

DEFAULT_PROVIDER = "openai"


@dataclass(frozen=True, slots=True)
class KnownProvider:
    """A provider with an OpenAI-compatible API."""

    model: str
    """The model that is proposed where nothing names one; empty if it has to be asked for."""
    base_url: str | None = None
    """None if the program knows it by itself."""
    api_key_env: str | None = None
    price_provider: str | None = None
    """The provider's name in the price list."""
    judge: str | None = None
    """A stronger model to judge with; the target's own if None."""


KNOWN_PROVIDERS: dict[str, KnownProvider] = {
    "openai": KnownProvider("gpt-5-mini", None, "OPENAI_API_KEY", "openai", "gpt-5"),
    "local": KnownProvider("smollm2-135m-instruct"),
    "github": KnownProvider("openai/gpt-4.1-mini", "https://models.github.ai/inference", "GITHUB_TOKEN"),
    "anthropic": KnownProvider("", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY", "anthropic"),
    "google": KnownProvider("", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY", "google"),
    "mistral": KnownProvider("", "https://api.mistral.ai/v1", "MISTRAL_API_KEY", "mistral"),
    "deepseek": KnownProvider("", "https://api.deepseek.com/v1", "DEEPSEEK_API_KEY", "deepseek"),
    "groq": KnownProvider("", "https://api.groq.com/openai/v1", "GROQ_API_KEY", "groq"),
    "xai": KnownProvider("", "https://api.x.ai/v1", "XAI_API_KEY", "x-ai"),
    "openrouter": KnownProvider("", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", "openrouter"),
    "ollama": KnownProvider("", "http://localhost:11434/v1"),
}
"""Name in the config -> provider."""
