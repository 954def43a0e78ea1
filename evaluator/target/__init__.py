"""Targets: the system under test at one ref, behind one interface."""

from evaluator.target.command import CommandTarget
from evaluator.target.exchange import Exchange
from evaluator.target.http import HttpTarget
from evaluator.target.interface import Target
from evaluator.target.prompt import PromptTarget
from evaluator.target.prompt_file import PromptFile, PromptMessage, load_prompt
from evaluator.target.python import PythonTarget

__all__ = [
    "CommandTarget",
    "Exchange",
    "HttpTarget",
    "PromptFile",
    "PromptMessage",
    "PromptTarget",
    "PythonTarget",
    "Target",
    "load_prompt",
]
