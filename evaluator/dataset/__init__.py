"""The golden set: reading, checking and linting data files. Files of scores are in `scores`, which needs numpy."""

from evaluator.dataset.load import load_cases, stream_cases

__all__ = ["load_cases", "stream_cases"]
