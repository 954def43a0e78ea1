"""`setup:` — makes a ref's checkout ready to run, in an environment of its own."""

from evaluator.setup.request import Ready, SetupRequest
from evaluator.setup.set_up import set_up

__all__ = ["Ready", "SetupRequest", "set_up"]
