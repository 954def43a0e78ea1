"""What the app under test can reach, and nothing more: the kernel's own means, without namespaces or containers.

`docs/sandbox.md` says what holds where. Everything beside `cage.py` runs in the launcher, a process of its own that
imports the standard library only and starts in a few milliseconds.
"""

from evaluator.sandbox.cage import Cage, Limits, SandboxError, confine, launch_environment
from evaluator.sandbox.notices import not_held
from evaluator.sandbox.ourselves import hide_our_memory
from evaluator.sandbox.ownership import prepare
from evaluator.sandbox.processes import end_descendants

__all__ = [
    "Cage",
    "Limits",
    "SandboxError",
    "confine",
    "end_descendants",
    "hide_our_memory",
    "launch_environment",
    "not_held",
    "prepare",
]
