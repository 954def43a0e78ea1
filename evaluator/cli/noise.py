"""`llm-eval-gate noise`: how much an app and its judge differ from themselves, and what a gate can see above that."""

import argparse
from typing import TYPE_CHECKING

from evaluator.cli.gate import add_run_options, make_job, require_config
from evaluator.cli.world import Commands, World, run_until_stopped
from evaluator.errors import ExitCode

if TYPE_CHECKING:
    from evaluator.gate import Sight
    from evaluator.noise import MetricNoise, NoiseReport
    from evaluator.records import Objective

_SHOWN_FLAKY = 5


def add_command(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("noise", help="run one ref against itself: noise floor, flaky cases, judge agreement")
    parser.add_argument(
        "--ref", default="HEAD", help="ref to run; WORKTREE for uncommitted work (default: %(default)s)"
    )
    parser.add_argument("--repeats", type=int, default=3, help="answers a case (default: %(default)s)")
    add_run_options(parser)
    parser.set_defaults(command=_noise)


def _noise(arguments: argparse.Namespace, world: World) -> int:
    from evaluator.noise import as_json, measure_noise

    job = make_job(arguments, world, base=None, head=arguments.ref, command="noise")
    require_config(job)
    report = run_until_stopped(measure_noise(job, arguments.repeats), world, group="Evaluating")
    if arguments.json:
        world.say(as_json(report))
    else:
        for line in _lines(report):
            world.say(line)
    return ExitCode.PASS


def _lines(report: "NoiseReport") -> list[str]:
    from evaluator.report.escape import terminal
    from evaluator.report.wording import value

    lines = [f"{terminal(report.ref)} ({report.sha[:12]}) against itself, {report.repeats} answers a case", ""]
    lines.append(f"{'metric':24} {'mean':>10} {'run to run':>12}   flaky cases")
    for row in report.metrics:
        moved = "-" if row.run_to_run is None else f"± {value(row.run_to_run, row.metric.unit)}"
        lines.append(f"{row.metric.name:24} {value(row.mean, row.metric.unit):>10} {moved:>12}   {_flaky(row)}")
    for judge in report.judges:
        share = judge.agreed / judge.answers if judge.answers else 0.0
        lines += [
            "",
            f"{judge.scorer}, asked twice about the same answer: the same score for {share:.0%} of {judge.answers},"
            f" on average {judge.difference:.2f} apart",
        ]
    lines.append("")
    lines += [_sight(objective, report.sights.get(objective.name)) for objective in report.objectives]
    return lines


def _flaky(row: "MetricNoise") -> str:
    from evaluator.report.escape import terminal

    if row.metric.unit not in ("score", "share"):
        return ""  # times and tokens always differ a little
    if not row.flaky:
        return f"none of {row.cases}"
    named = ", ".join(terminal(name) for name in row.flaky[:_SHOWN_FLAKY])
    return f"{len(row.flaky)} of {row.cases}: {named}" + (" ..." if len(row.flaky) > _SHOWN_FLAKY else "")


def _sight(objective: "Objective", sight: "Sight | None") -> str:
    bound = next((bound for bound in objective.bounds if bound.kind.relative_to_base), None)
    if bound is None or sight is None or sight.smallest is None:
        return f"{objective.name}: no bound on a change whose visibility is known"
    word = "a drop" if objective.metric.higher_is_better else "an increase"
    smallest, limit = (f"{x:.1%}" if bound.relative else f"{x:g}" for x in (sight.smallest, bound.limit))
    told = f"{objective.name}: {word} of {smallest} or more is seen 80% of the time; the bound is {limit}"
    if sight.smallest <= bound.limit * 2:
        return told
    needed = f", {sight.cases_needed} cases would see it" if sight.cases_needed else ""
    return f"{told}, which is below this noise{needed}"
