"""The config file: models, loading, units, and the binding of objectives to metrics."""
