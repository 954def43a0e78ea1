"""GitHub: what happened, what to do about it, and how the outcome gets back there. Knows nothing of the pipeline."""
