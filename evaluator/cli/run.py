"""`llm-eval-gate run`: one ref alone, held against the absolute bounds."""

import argparse

from evaluator.cli.gate import add_run_options, make_job, publish
from evaluator.cli.world import Commands, World, run_until_stopped


def add_command(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("run", help="run one ref and hold it against the absolute bounds")
    parser.add_argument(
        "--ref", default="HEAD", help="ref to run; WORKTREE for uncommitted work (default: %(default)s)"
    )
    add_run_options(parser)
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace, world: World) -> int:
    from evaluator.pipeline import gate

    return publish(run_until_stopped(gate(make_job(arguments, world, base=None, head=arguments.ref))), arguments, world)
