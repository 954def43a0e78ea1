"""Scorers that compare an answer with a text, a pattern or a number."""
