"""Targets: the system under test at one ref, behind one interface."""

from evaluator.target.command import CommandTarget
from evaluator.target.interface import Target
from evaluator.target.prompt import PromptTarget
from evaluator.target.prompt_file import PromptFile, PromptMessage, load_prompt

__all__ = ["CommandTarget", "PromptFile", "PromptMessage", "PromptTarget", "Target", "load_prompt"]
