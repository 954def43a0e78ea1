"""`llm-eval-gate init`: looks at the repository, asks little, and writes config, first golden set and workflow."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evaluator.cli.world import Commands, World
from evaluator.errors import ExitCode, UsageError

if TYPE_CHECKING:  # looking through a repository needs much that --help does not
    from evaluator.starter.interface import Note
    from evaluator.starter.plan import Plan
    from evaluator.starter.scan import Choice, Scan

Ask = Callable[[str], str]
"""Shows a question and gives the answer; an empty one takes what is proposed."""

_MOST_LISTED = 20
_MOST_NOTES = 40


def add_command(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("init", help="write a first config, golden set and workflow; import what is there")
    parser.add_argument("--dir", type=Path, default=Path(), help="the app's repository (default: here)")
    parser.add_argument("--prompt", metavar="PATH", help="the prompt file to test (default: ask, or the first found)")
    parser.add_argument("--dataset", metavar="PATH", help="a golden set that is there already")
    parser.add_argument("--provider", metavar="NAME", help="who serves the model: openai, github, local ...")
    parser.add_argument("--model", metavar="NAME", help="the model to ask, where the prompt file names none")
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    parser.add_argument("--yes", action="store_true", help="ask nothing, take what is proposed")
    parser.set_defaults(command=_init)


def _init(arguments: argparse.Namespace, world: World) -> int:
    def ask(question: str) -> str:
        world.out.write(question)
        world.out.flush()
        return sys.stdin.readline().strip()

    return run_init(arguments, world, ask)


def run_init(arguments: argparse.Namespace, world: World, ask: Ask) -> int:
    """Look, ask, write and say what was written.

    Args:
        arguments: As parsed from the command line.
        world: The outside.
        ask: How questions are asked; not called with `--yes` or where nobody can answer.

    Raises:
        EvalGateError: Nothing was written; the message says why.
    """
    from evaluator.starter.plan import Answers, make_plan
    from evaluator.starter.scan import scan
    from evaluator.starter.write import write_files

    root = (world.cwd / arguments.dir).resolve()
    if not root.is_dir():
        raise UsageError(f"{arguments.dir} is no folder", hint="name the folder of the app's repository")
    asker = ask if world.interactive and not arguments.yes else None
    _stop_if_there(root, arguments.force, _fixed_paths())
    found = scan(root)
    choice = _choose_target(root, arguments.prompt, found, asker)
    provider, model = _choose_model(choice, arguments.provider, arguments.model, asker)
    plan = make_plan(root, Answers(choice, provider, model, dataset=arguments.dataset, replace=arguments.force))
    _stop_if_there(root, arguments.force, list(plan.files))
    write_files(root, plan.files, replace=arguments.force)
    _say_what_happened(root, plan, found, choice, world)
    return ExitCode.PASS


def _fixed_paths() -> list[str]:
    from evaluator.config.loading import CONFIG_NAMES
    from evaluator.starter.plan import WORKFLOW_PATH

    return [*CONFIG_NAMES, WORKFLOW_PATH]


def _stop_if_there(root: Path, force: bool, paths: Sequence[str]) -> None:
    """Say which files exist, before anything is written or asked.

    Raises:
        UsageError: Some do, and they may not be replaced.
    """
    from evaluator.starter.write import conflicts

    there = conflicts(root, paths)
    if there and not force:
        raise UsageError(
            f"{', '.join(there)} {'is' if len(there) == 1 else 'are'} there already; nothing was written",
            hint="`llm-eval-gate validate` checks what is there; `init --force` replaces it",
        )


def _choose_target(root: Path, wanted: str | None, found: "Scan", ask: Ask | None) -> "Choice":
    from evaluator.starter.plan import example_choice

    if wanted is not None:
        return _named_target(root, wanted, found)
    choices = list(found.choices)
    if not choices:
        return example_choice()
    if ask is None or len(choices) == 1:
        return choices[0]
    lines = [f"  {number}  {choice.label}" for number, choice in enumerate(choices[:_MOST_LISTED], start=1)]
    question = "\n".join(["Which prompt is to be tested?", *lines, "number or path [1]: "])
    while True:
        answer = ask(question)
        if not answer:
            return choices[0]
        if answer.isascii() and answer.isdigit() and 1 <= int(answer) <= len(choices):
            return choices[int(answer) - 1]
        try:
            return _named_target(root, answer, found)
        except UsageError as error:
            question = f"{error.message}\nnumber or path [1]: "


def _named_target(root: Path, wanted: str, found: "Scan") -> "Choice":
    from evaluator.errors import EvalGateError
    from evaluator.source import resolve
    from evaluator.starter.files import short
    from evaluator.starter.interface import Prompt
    from evaluator.starter.scan import Choice
    from evaluator.target.prompt_file import load_prompt

    name = wanted.removeprefix("./")
    for choice in found.choices:
        if name in (choice.prompt.path, choice.imported.source if choice.imported else None):
            return choice
    for imported in found.unusable:
        if imported.source == name:
            reasons = "; ".join(f"{note.what}: {note.reason}" for note in imported.left_out[:3])
            raise UsageError(f"{short(name, 200)} gives no prompt to test: {reasons}")
    try:
        path = resolve(root, name, key="--prompt")
        prompt = load_prompt(path, name=short(name, 200))
    except EvalGateError as error:
        raise UsageError(error.message, hint=error.hint) from None
    relative = path.relative_to(root).as_posix()
    return Choice(Prompt(relative, model=prompt.model, variables=prompt.variables))


def _choose_model(choice: "Choice", provider: str | None, model: str | None, ask: Ask | None) -> tuple[str, str | None]:
    from evaluator.starter.plan import check_provider
    from evaluator.starter.providers import DEFAULT_PROVIDER, KNOWN_PROVIDERS

    imported = choice.imported
    proposed = (imported.provider if imported else None) or DEFAULT_PROVIDER
    asked = False
    while provider is None:
        asked = ask is not None
        question = f"Who serves the model? ({', '.join(KNOWN_PROVIDERS)}) [{proposed}]: "
        answer = (ask(question) if ask is not None else "") or proposed
        provider = answer if not asked or answer in KNOWN_PROVIDERS else None
    check_provider(provider)
    if model is not None:
        return provider, model
    if choice.prompt.model is not None:
        return provider, None
    if imported is not None and imported.model is not None and provider == proposed:
        return provider, imported.model
    suggestion = KNOWN_PROVIDERS[provider].model
    if ask is not None:
        model = ask(f"Which model? [{suggestion}]: " if suggestion else "Which model? ") or suggestion
    model = model or suggestion
    if not model:
        raise UsageError(f"no model is named, and {provider} has none to propose", hint="add --model NAME")
    return provider, model


def _say_what_happened(root: Path, plan: "Plan", found: "Scan", choice: "Choice", world: World) -> None:
    from evaluator.starter.files import short

    source = choice.imported
    if source is not None and source.cases:
        world.say(f"imported {len(source.cases)} cases from {short(source.source, 200)} ({source.kind})")
    for path in plan.files:
        world.say(f"wrote {short(path, 200)}")
    for note in plan.notes:
        world.say(f"note: {note}")
    if not (root / ".git").exists():
        world.say("note: this folder is no repository's root, where GitHub looks for workflows")
    _list("carried over in another form:", plan.adapted, world)
    lost = [*plan.left_out, *found.notes]
    lost += [note for imported in found.unusable for note in imported.left_out]
    _list("not carried over:", lost, world)
    others = [other.label for other in found.choices if other is not choice]
    if others:
        world.say("also found (`init --force --prompt PATH` takes one of them instead):")
        for label in others[:_MOST_LISTED]:
            world.say(f"  {label}")
        if len(others) > _MOST_LISTED:
            world.say(f"  ... and {len(others) - _MOST_LISTED} more")
    world.say()
    world.say("next, after looking at llm-eval-gate.yml:")
    world.say("  llm-eval-gate validate")
    world.say("  llm-eval-gate gate --base main --head WORKTREE")


def _list(title: str, notes: "Sequence[Note]", world: World) -> None:
    if not notes:
        return
    world.say(title)
    for note in notes[:_MOST_NOTES]:
        world.say(f"  {note.where}: {note.what}: {note.reason}")
    if len(notes) > _MOST_NOTES:
        world.say(f"  ... and {len(notes) - _MOST_NOTES} more")
