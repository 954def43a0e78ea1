"""`llm-eval-gate compare`: two runs, or two plain files of scores from any tool; no model is called."""

import argparse
import shlex
from datetime import UTC, datetime
from pathlib import Path

from evaluator import __version__
from evaluator.cli.world import Commands, World
from evaluator.errors import UsageError


def add_command(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("compare", help="compare two files of scores; no model is called")
    parser.add_argument("base", type=Path, help="JSONL or CSV with id and a column a metric, or a run's --out folder")
    parser.add_argument("head", type=Path, help="likewise")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="file with `objectives:` (default: no metric may get 5%% worse)"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the reports (default: none are written)")
    parser.add_argument("--json", action="store_true", help="print the result document instead of the summary")
    parser.set_defaults(command=_compare)


def _compare(arguments: argparse.Namespace, world: World) -> int:
    from evaluator.comparison import compare_files
    from evaluator.config.loading import parse_objectives
    from evaluator.pipeline import exit_code
    from evaluator.report.document import dump
    from evaluator.report.files import write_reports
    from evaluator.report.terminal import terminal_report

    bounds = None
    if arguments.config is not None:
        try:
            text = (world.cwd / arguments.config).read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{arguments.config} cannot be read: {error}") from None
        bounds = parse_objectives(text, str(arguments.config))
    document, verdict = compare_files(
        world.cwd / arguments.base,
        world.cwd / arguments.head,
        bounds=bounds,
        version=__version__,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        rerun=shlex.join(
            ["llm-eval-gate", "compare", str(arguments.base), str(arguments.head)]
            + (["--config", str(arguments.config)] if arguments.config else [])
        ),
    )
    if arguments.out is not None:
        files = write_reports(document, world.cwd / arguments.out)
        world.note(f"report: {files.html}")
    if arguments.json:
        world.tell(dump(document))
    else:
        world.tell(terminal_report(document, colour=world.interactive and "NO_COLOR" not in world.environ) + "\n")
    return exit_code(verdict, bounds.on_inconclusive if bounds else "warn")
