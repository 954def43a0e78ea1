"""The only way out to a model provider: forward, meter, price, cap, cache."""
