"""The run journal: what a run has been answered and has spent, on disk."""
