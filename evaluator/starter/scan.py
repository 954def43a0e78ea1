"""Looks through a repository for what a first configuration can start from: prompts, and evaluations of other tools."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from evaluator.errors import EvalGateError
from evaluator.source import read_text_below
from evaluator.starter.files import MAX_PROMPT_BYTES, short
from evaluator.starter.github_models import import_prompt_file
from evaluator.starter.interface import Imported, Note, Prompt
from evaluator.starter.openai_evals import import_registry_file
from evaluator.starter.promptfoo import import_config
from evaluator.starter.templating import TemplateProblem, variables_of

MAX_ENTRIES = 50_000
"""Most files and folders that are looked at."""
MAX_DEPTH = 8
MAX_CANDIDATES = 200
"""Most files that are read."""
_SKIPPED = frozenset({"node_modules", "venv", "site-packages", "__pycache__", "dist", "build", "target", "vendor"})
_PROMPTFOO = tuple(f"promptfooconfig{suffix}" for suffix in (".yaml", ".yml", ".json"))
_TEXT_SUFFIXES = (".txt", ".md", ".j2", ".jinja", ".jinja2")


@dataclass(frozen=True, slots=True)
class Choice:
    """A possible target, with the evaluation that it comes from."""

    prompt: Prompt
    imported: Imported | None = None

    @property
    def label(self) -> str:
        """How a list shows it."""
        if self.imported is None or not self.imported.cases:
            return short(self.prompt.path, 120)
        return f"{short(self.prompt.path, 120)} ({self.imported.kind}, {len(self.imported.cases)} cases)"


@dataclass(frozen=True, slots=True)
class Scan:
    """What was found, the most promising first."""

    choices: tuple[Choice, ...]
    unusable: tuple[Imported, ...]
    """Evaluations without a prompt that can be a target; their notes say why."""
    notes: tuple[Note, ...]
    """Files that could not be read at all."""


def scan(root: Path) -> Scan:
    """Look for prompts and evaluations below a folder; links are not followed, nothing is run.

    Args:
        root: The repository's root.
    """
    notes: list[Note] = []
    imports: list[Imported] = []
    plain: list[Prompt] = []
    for path in _candidates(root, notes):
        try:
            if path.name in _PROMPTFOO:
                imports.append(import_config(root, str(path)))
            elif path.name.endswith((".prompt.yml", ".prompt.yaml")):
                imports.append(import_prompt_file(root, str(path)))
            elif path.suffix in (".yaml", ".yml"):
                imports += import_registry_file(root, str(path))
            else:
                text = read_text_below(root, str(path), max_bytes=MAX_PROMPT_BYTES, key="file")
                if names := variables_of(text):
                    plain.append(Prompt(str(path), variables=names))
        except TemplateProblem:
            continue  # a text that is no prompt for Jinja2; `--prompt` says why, should it be meant
        except EvalGateError as error:
            notes.append(Note(short(str(path), 200), "the file", error.message))
    choices = [Choice(prompt, imported) for imported in imports for prompt in imported.prompts]
    taken = {choice.prompt.path for choice in choices}
    choices += [Choice(prompt) for prompt in plain if prompt.path not in taken]
    choices.sort(key=lambda choice: -len(choice.imported.cases) if choice.imported else 0)
    unusable = tuple(imported for imported in imports if not imported.prompts)
    return Scan(tuple(choices), unusable, tuple(notes))


def _candidates(root: Path, notes: list[Note]) -> Iterator[PurePosixPath]:
    entries = 0
    found = 0
    for folder, folders, files in os.walk(root, followlinks=False):
        relative = PurePosixPath(Path(folder).relative_to(root).as_posix())
        entries += len(folders) + len(files)
        if entries > MAX_ENTRIES or found > MAX_CANDIDATES:
            notes.append(
                Note(short(str(relative), 200), "this and what follows", "there are too many files to look at")
            )
            return
        folders[:] = sorted(name for name in folders if _worth_entering(relative, name))
        for name in sorted(files):
            path = relative / name
            if _worth_reading(path) and not (root / path).is_symlink():
                found += 1
                yield path


def _worth_entering(parent: PurePosixPath, name: str) -> bool:
    return len(parent.parts) < MAX_DEPTH and name not in _SKIPPED and (not name.startswith(".") or name == ".github")


def _worth_reading(path: PurePosixPath) -> bool:
    if path.name in _PROMPTFOO or path.name.endswith((".prompt.yml", ".prompt.yaml")):
        return True
    if path.suffix in (".yaml", ".yml"):
        return path.parts[-3:-1] == ("registry", "evals")
    return path.suffix in _TEXT_SUFFIXES and "prompts" in path.parts[:-1] and path.stem.lower() != "readme"
