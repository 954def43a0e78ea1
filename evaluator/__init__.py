"""llm-eval-gate: runs an LLM app at two refs on one golden set and says whether the change may ship."""

__version__ = "0.1.0"
