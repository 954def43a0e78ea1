"""The command `llm-eval-gate`: finds the command asked for, runs it, and turns every error into one clear message."""

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from evaluator import __version__
from evaluator.cli import action, compare, demo, gate, init, noise, report, run, validate
from evaluator.cli.world import World, nobody_reads
from evaluator.errors import EvalGateError, ExitCode, RunSubmitted
from evaluator.starting import collect_less_often, open_streams
from evaluator.stopping import interruptible

_COMMANDS = (gate, run, compare, report, noise, validate, init, demo, action)

_EXIT_CODES = """exit codes:
  0  pass
  1  the gate failed (or is inconclusive, where that is set to fail)
  2  configuration or usage error
  3  infrastructure error: provider, disk, budget spent before a verdict
  4  no verdict yet: the run is with a provider as a batch (`engine: batch`), run the same command again
"""


def make_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="llm-eval-gate",
        description="Runs an LLM app at two refs on one golden set and says whether the change may ship.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"llm-eval-gate {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in _COMMANDS:
        module.add_command(commands)
    return parser


def main(argv: Sequence[str] | None = None, world: World | None = None) -> int:
    """Run one command.

    Args:
        argv: The words after the program's name; the process's own if None.
        world: The outside; the process's own if None.

    Returns:
        The exit code.
    """
    ours = world is None  # the process is: nothing comes after this
    if ours:
        open_streams()
        collect_less_often()
    world = world or World(
        os.environ, Path.cwd(), sys.stdout, sys.stderr, interactive=sys.stdin.isatty() and sys.stdout.isatty()
    )
    arguments = make_parser().parse_args(argv)
    try:
        with interruptible(to_the_end=ours):
            return int(arguments.command(arguments, world))
    except EvalGateError as error:
        from evaluator.report.escape import terminal

        word = "submitted" if isinstance(error, RunSubmitted) else "error"
        world.note(terminal(f"{word}: {error}", lines=True))  # it may quote a change, a provider, a model
        return int(error.exit_code)
    except KeyboardInterrupt:
        # Where it came in the middle of an `exec`, as of an import, Python would end itself by the signal all the same.
        exec("")  # noqa: S102
        world.note("stopped before there was a result")
        return int(ExitCode.INFRASTRUCTURE)
    except BrokenPipeError:
        # The reader of our output went away (`| head`), and no verdict was told before: that is no pass.
        nobody_reads()
        return int(ExitCode.INFRASTRUCTURE)
    except Exception as error:
        # Never Python's own exit code 1, which would read as "the gate failed".
        where = traceback.extract_tb(error.__traceback__)[-1]
        world.note(
            f"internal error: {type(error).__name__}: {ascii(str(error))[:300]} ({where.name}, line {where.lineno})"
        )
        world.note("  hint: this is a defect of llm-eval-gate; please report it with these two lines")
        return int(ExitCode.INFRASTRUCTURE)


if __name__ == "__main__":
    sys.exit(main())
