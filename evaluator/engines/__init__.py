"""Who runs the cases of a run: this process, a provider's batches, a cluster."""
