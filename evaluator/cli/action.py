"""`llm-eval-gate action`: the GitHub Action's job on the runner itself, without the container."""

import argparse

from evaluator.cli.world import Commands, World


def add_command(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("action", help="do what the GitHub Action does, in a workflow's `run:` step")
    parser.set_defaults(command=_action)


def _action(arguments: argparse.Namespace, world: World) -> int:
    from evaluator.action.main import run_action

    return run_action(world.environ, world.out)
