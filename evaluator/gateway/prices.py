"""What an answer costs: the config's prices first, then a maintained price list (`genai-prices`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isclose

from evaluator.config.model import PriceSection
from evaluator.records import Usage


@dataclass(frozen=True, slots=True)
class CacheWrites:
    """Input tokens that were written to the provider's prompt cache, which Anthropic charges dearer than plain ones."""

    short: int = 0
    """For five minutes."""
    long: int = 0
    """For an hour."""


BATCH_SHARE = 0.5
"""What OpenAI and its relatives take for a request in a batch, as a share of the price of a single call."""


@dataclass(slots=True)
class Prices:
    """Prices in US dollars; looking one up does no I/O."""

    own: Mapping[str, PriceSection] = field(default_factory=dict)
    """By model: prices per million tokens that override the list."""
    share: float = 1.0
    """Of these prices, what is charged: `BATCH_SHARE` where all is asked in batches."""
    _unknown: set[tuple[str | None, str]] = field(default_factory=set)
    _flat: dict[tuple[str | None, str], tuple[float, float, float] | None] = field(default_factory=dict)

    def cost(
        self, model: str, usage: Usage, *, price_provider: str | None = None, written: CacheWrites | None = None
    ) -> float | None:
        """Price of an answer in US dollars, or None if the model has no known price.

        Args:
            model: The model's name as it was asked for.
            usage: Tokens of the answer.
            price_provider: The provider's name in the price list, if known.
            written: Which of the input tokens were written to the provider's prompt cache.
        """
        own = self.own.get(model)
        if own is not None:
            cached_price = own.input if own.cached_input is None else own.cached_input
            fresh: float = usage.input_tokens - usage.cached_input_tokens
            if written is not None:  # the config has no price for these: Anthropic's shares of the plain one
                fresh += 0.25 * written.short + 1.0 * written.long
            total = fresh * own.input + usage.cached_input_tokens * cached_price + usage.output_tokens * own.output
            return self.share * total / 1_000_000
        key = price_provider, model
        if key in self._unknown:
            return None
        if key not in self._flat:
            try:
                self._flat[key] = _flat_rates(model, price_provider)
            except LookupError:
                self._unknown.add(key)
                return None
        rates = self._flat[key]
        if rates is None or written is not None:
            return self.share * _by_the_list(model, usage, price_provider, written)
        fresh_tokens = usage.input_tokens - usage.cached_input_tokens
        dear = fresh_tokens * rates[0] + usage.cached_input_tokens * rates[1] + usage.output_tokens * rates[2]
        return self.share * dear

    def known(self, model: str, *, price_provider: str | None = None) -> bool:
        """True if the model has a price."""
        return self.cost(model, Usage(1, 1), price_provider=price_provider) is not None


def _by_the_list(model: str, usage: Usage, price_provider: str | None, written: CacheWrites | None) -> float:
    """Price by the list.

    Raises:
        LookupError: The list has no such model.
    """
    from genai_prices import Usage as ListUsage
    from genai_prices import calc_price

    tokens = ListUsage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_input_tokens,
        cache_write_tokens=written.short + written.long if written else None,
        cache_write_5m_tokens=written.short if written else None,
        cache_write_1h_tokens=written.long if written else None,
    )
    return float(calc_price(tokens, model_ref=model, provider_id=price_provider).total_price)


_PROBES = (
    Usage(1000, 100, 400),
    Usage(150_000, 20_000, 1000),
    Usage(900_000, 100_000, 300_000),
    Usage(5_000_000, 7, 0),
)


def _flat_rates(model: str, price_provider: str | None) -> tuple[float, float, float] | None:
    """Dollars a token (fresh in, cached in, out) where that is all there is to a model's price; else None.

    The list takes 65 us a call, these a hundredth. They are found by asking it, and checked over the range where
    prices change with the length of a request.
    """
    from genai_prices import Usage as ListUsage
    from genai_prices import calc_price

    found = calc_price(ListUsage(input_tokens=1, output_tokens=1), model_ref=model, provider_id=price_provider)
    if isinstance(found.model.prices, list):  # they hang on the time too
        return None
    fresh, cached, out = (
        _by_the_list(model, usage, price_provider, None) / 1000
        for usage in (Usage(1000), Usage(1000, 0, 1000), Usage(0, 1000))
    )
    for probe in _PROBES:
        expected = _by_the_list(model, probe, price_provider, None)
        plain = probe.input_tokens - probe.cached_input_tokens
        if not isclose(expected, plain * fresh + probe.cached_input_tokens * cached + probe.output_tokens * out):
            return None
    return fresh, cached, out
