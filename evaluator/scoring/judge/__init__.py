"""Scorers that ask a model: by a rubric, in pairs, and for retrieval."""
