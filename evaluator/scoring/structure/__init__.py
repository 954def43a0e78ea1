"""Scorers that look at the structure of an answer: labels, JSON, tool calls."""
