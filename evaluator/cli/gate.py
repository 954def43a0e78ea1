"""`llm-eval-gate gate`: base against head, and a verdict."""

import argparse
import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from evaluator.cli.world import Commands, World, run_until_stopped
from evaluator.errors import ConfigError, EvalGateError, UsageError

if TYPE_CHECKING:  # the pipeline takes long to import, and --help does not need it
    from evaluator.pipeline import Outcome
    from evaluator.runner.opening import Job


def add_command(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("gate", help="run base and head, compare, decide")
    parser.add_argument("--base", default="main", help="ref that the head is compared with (default: %(default)s)")
    parser.add_argument(
        "--head", default="HEAD", help="ref under test; WORKTREE for work that is not committed (default: %(default)s)"
    )
    parser.add_argument(
        "--no-merge-base", action="store_true", help="compare with the tip of base, not with where head branched off"
    )
    add_run_options(parser)
    parser.set_defaults(command=_gate)


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that `gate` and `run` share."""
    parser.add_argument("--repo", type=Path, default=Path(), help="the app's repository (default: here)")
    parser.add_argument("--config", metavar="PATH", help="config file in the repository (default: llm-eval-gate.yml)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for the reports (default: one of our own)")
    parser.add_argument(
        "--resume",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="go on with an unfinished run of the same content, or start over; cached answers count in any case",
    )
    parser.add_argument("--fresh", dest="resume", action="store_false", help="the same as --no-resume")
    parser.add_argument(
        "--time-limit", metavar="TIME", help="such as 30m: end without a verdict after it (default: budget.max_time)"
    )
    parser.add_argument("--no-cache", action="store_true", help="ask for every answer anew")
    parser.add_argument(
        "--engine", choices=("local", "batch", "ray"), help="who runs the cases (default: what the config says)"
    )
    parser.add_argument("--json", action="store_true", help="print the result document instead of the summary")


def make_job(
    arguments: argparse.Namespace, world: World, *, base: str | None, head: str, command: str = "gate"
) -> "Job":
    """What the pipeline is asked to do by a command line.

    Raises:
        UsageError: An option that makes no sense.
    """
    from evaluator.config.overrides import Overrides
    from evaluator.journal.folder import home_folder
    from evaluator.report.escape import terminal
    from evaluator.report.files import try_folder
    from evaluator.runner.opening import Job
    from evaluator.runner.progress import choose_progress

    folder = _out(arguments, world)
    limit = time_limit(arguments.time_limit)
    words = ["llm-eval-gate", command, *(["--base", base, "--head", head] if base else ["--ref", head])]
    if command != "gate":
        words += ["--repeats", str(arguments.repeats)]
    if arguments.config:
        words += ["--config", arguments.config]
    if arguments.repo != Path():
        words += ["--repo", str(arguments.repo)]
    words += ["--no-merge-base"] if getattr(arguments, "no_merge_base", False) else []
    words += ["--no-cache"] if arguments.no_cache else []
    words += ["--engine", arguments.engine] if arguments.engine else []
    shown = ["--time-limit", arguments.time_limit] if arguments.time_limit else []
    shown += ["--out", str(arguments.out)] if arguments.out else []
    shown += ["--json"] if arguments.json else []
    return Job(
        repo=(world.cwd / arguments.repo).resolve(),
        head=head,
        base=base,
        home=home_folder(world.environ),
        environ=world.environ,
        show=lambda gateway, watched: choose_progress(gateway, watched, world.environ, world.err),
        say=lambda line: world.note(terminal(line)),
        rerun=shlex.join(words),
        resume=shlex.join([*words, *shown]),
        merge_base=not getattr(arguments, "no_merge_base", False),
        config=arguments.config,
        fresh=not arguments.resume,
        use_cache=not arguments.no_cache,
        overrides=Overrides(engine=arguments.engine, max_time=limit),
        opened=None if folder is None else lambda _: try_folder(folder),
    )


def _out(arguments: argparse.Namespace, world: World) -> Path | None:
    """The folder for reports that was asked for."""
    return (world.cwd / arguments.out).resolve() if arguments.out else None


def time_limit(given: str | None) -> float | None:
    """Seconds of `--time-limit`.

    Raises:
        UsageError: It is no time.
    """
    from evaluator.config.units import parse_duration

    try:
        return None if given is None else parse_duration(given)
    except ValueError as error:
        raise UsageError(f"--time-limit: {error}") from None


def require_config(job: "Job") -> None:
    """See before anything else that there is a config: who has none yet can make nothing of another complaint.

    Raises:
        ConfigError: Neither the checkout nor one of the refs has one.
    """
    from evaluator.config.loading import CONFIG_NAMES
    from evaluator.source.git import Git, GitFailed

    if not job.repo.is_dir():  # which is told where it is opened
        return
    above = (job.repo, *job.repo.parents)
    root = next((folder for folder in above if (folder / ".git").exists()), job.repo)
    names = (job.config,) if job.config else CONFIG_NAMES
    if any((root / name).is_file() for name in names):
        return
    git = Git(root, job.environ)
    for ref in (job.base, job.head):
        for name in names if ref else ():
            with suppress(GitFailed):  # no such ref, or no such file at it
                git.run(["rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}:{name}"])
                return
    raise no_config(root, job.config)


def no_config(root: Path, name: str | None) -> EvalGateError:
    """The error of a folder without a config."""
    from evaluator.config.loading import CONFIG_NAMES

    return ConfigError(
        f"no config file in {root} (looked for {name or ', '.join(CONFIG_NAMES)})",
        hint="run `llm-eval-gate init`: it writes one",
    )


def _gate(arguments: argparse.Namespace, world: World) -> int:
    from evaluator.pipeline import gate

    job = make_job(arguments, world, base=arguments.base, head=arguments.head)
    require_config(job)
    return publish(run_until_stopped(gate(job), world, group="Evaluating"), arguments, world)


def publish(outcome: "Outcome", arguments: argparse.Namespace, world: World) -> int:
    """Write the reports, note that the run is over, and print the summary; gives the exit code."""
    from evaluator.pipeline import finish
    from evaluator.report.document import dump
    from evaluator.report.files import write_reports
    from evaluator.report.terminal import terminal_report
    from evaluator.results.score_files import write_metrics, write_scores

    folder = _out(arguments, world) or outcome.folder / "report"
    files = write_reports(outcome.document, folder)
    write_scores(outcome.table, folder)
    write_metrics(outcome.metrics, folder)
    if arguments.json:
        told = dump(outcome.document)
    else:
        summary = terminal_report(outcome.document, colour=world.interactive and "NO_COLOR" not in world.environ)
        told = f"{summary}\n\nreport: {files.html}\n"
    finish(outcome)  # when nothing is left to do but to say it
    world.tell(told)
    return outcome.exit_code
