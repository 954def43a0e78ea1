"""`llm-eval-gate report`: renders a result document again, in any form."""

import argparse
from pathlib import Path

from evaluator.cli.world import Commands, World
from evaluator.errors import ExitCode, UsageError

_FORMATS = ("terminal", "markdown", "summary", "html", "junit", "json")


def add_command(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("report", help="render a result.json as Markdown, HTML, JUnit or text")
    parser.add_argument("result", type=Path, help="a result.json, or the folder that holds it")
    parser.add_argument("--format", choices=_FORMATS, default="terminal", help="what to make (default: %(default)s)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="file to write (default: standard output)")
    parser.set_defaults(command=_report)


def _report(arguments: argparse.Namespace, world: World) -> int:
    from evaluator.report.document import dump, load
    from evaluator.report.html import html_report
    from evaluator.report.junit import junit
    from evaluator.report.markdown import comment, summary
    from evaluator.report.terminal import terminal_report

    path = world.cwd / arguments.result
    path = path / "result.json" if path.is_dir() else path
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{arguments.result} cannot be read: {error}", hint="name a result.json, or the folder that holds it"
        ) from None
    document = load(text)
    renderers = {
        "terminal": lambda: terminal_report(document, colour=False),
        "markdown": lambda: comment(document),
        "summary": lambda: summary(document),
        "html": lambda: html_report(document),
        "junit": lambda: junit(document),
        "json": lambda: dump(document),
    }
    rendered = renderers[arguments.format]()
    if arguments.out is None:
        world.say(rendered.rstrip("\n"))
        return ExitCode.PASS
    try:
        (world.cwd / arguments.out).write_text(rendered, "utf-8")
    except OSError as error:
        raise UsageError(f"{arguments.out} cannot be written: {error}") from None
    return ExitCode.PASS
