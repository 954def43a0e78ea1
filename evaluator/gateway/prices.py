"""What an answer costs: the config's prices first, then a maintained price list (`genai-prices`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from evaluator.config.model import PriceSection
from evaluator.records import Usage


@dataclass(slots=True)
class Prices:
    """Prices in US dollars; looking one up does no I/O."""

    own: Mapping[str, PriceSection] = field(default_factory=dict)
    """By model: prices per million tokens that override the list."""
    _unknown: set[tuple[str | None, str]] = field(default_factory=set)

    def cost(self, model: str, usage: Usage, *, price_provider: str | None = None) -> float | None:
        """Price of an answer in US dollars, or None if the model has no known price.

        Args:
            model: The model's name as it was asked for.
            usage: Tokens of the answer.
            price_provider: The provider's name in the price list, if known.
        """
        own = self.own.get(model)
        if own is not None:
            cached_price = own.input if own.cached_input is None else own.cached_input
            fresh = usage.input_tokens - usage.cached_input_tokens
            total = fresh * own.input + usage.cached_input_tokens * cached_price + usage.output_tokens * own.output
            return total / 1_000_000
        if (price_provider, model) in self._unknown:
            return None
        from genai_prices import Usage as ListUsage
        from genai_prices import calc_price

        try:
            found = calc_price(
                ListUsage(
                    input_tokens=usage.input_tokens,
                    output_tokens=usage.output_tokens,
                    cache_read_tokens=usage.cached_input_tokens,
                ),
                model_ref=model,
                provider_id=price_provider,
            )
        except LookupError:
            self._unknown.add((price_provider, model))
            return None
        return float(found.total_price)

    def known(self, model: str, *, price_provider: str | None = None) -> bool:
        """True if the model has a price."""
        return self.cost(model, Usage(1, 1), price_provider=price_provider) is not None
