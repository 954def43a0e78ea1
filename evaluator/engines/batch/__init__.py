"""The batch engine: ask in batches at half the price, leave, and collect in a later run."""
