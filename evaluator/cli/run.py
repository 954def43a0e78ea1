"""`llm-eval-gate run`: one ref alone, held against the absolute bounds."""

import argparse
from dataclasses import replace

from evaluator.cli.gate import add_run_options, make_job, publish, require_config
from evaluator.cli.world import Commands, World, run_until_stopped
from evaluator.errors import UsageError

_MOST_REPEATS = 20


def add_command(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("run", help="run one ref and hold it against the absolute bounds")
    parser.add_argument(
        "--ref", default="HEAD", help="ref to run; WORKTREE for uncommitted work (default: %(default)s)"
    )
    parser.add_argument("--repeats", type=int, default=1, help="answers a case, 1 to 20 (default: %(default)s)")
    add_run_options(parser)
    parser.set_defaults(command=_run)


def _run(arguments: argparse.Namespace, world: World) -> int:
    from evaluator.pipeline import gate

    if not 1 <= arguments.repeats <= _MOST_REPEATS:
        raise UsageError(f"--repeats is {arguments.repeats}, expected 1 to {_MOST_REPEATS}")
    job = replace(make_job(arguments, world, base=None, head=arguments.ref, command="run"), repeats=arguments.repeats)
    require_config(job)
    return publish(run_until_stopped(gate(job), world, group="Evaluating"), arguments, world)
