"""`llm-eval-gate validate`: checks config, golden set and prompts, and tells what a run will call and cost."""

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from evaluator.cli.world import Commands, World, run_until_stopped
from evaluator.errors import EvalGateError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evaluator.records import Objective
    from evaluator.runner.baselines import Known
    from evaluator.runner.estimate import Estimate
    from evaluator.runner.policy import GoldenSet, Policy
    from evaluator.scoring.interface import Scorer
    from evaluator.target.interface import Target


def add_command(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("validate", help="check config, golden set and prompts; estimate calls and cost")
    parser.add_argument("--repo", type=Path, default=Path(), help="the app's repository (default: here)")
    parser.add_argument("--config", metavar="PATH", help="config file in the repository (default: llm-eval-gate.yml)")
    parser.set_defaults(command=_validate)


def _validate(arguments: argparse.Namespace, world: World) -> int:
    from evaluator.config.loading import find_config
    from evaluator.dataset.lint import lint
    from evaluator.report.escape import terminal
    from evaluator.runner.policy import load_golden_set, load_policy

    start = (world.cwd / arguments.repo).resolve()
    # As `gate` does: from a folder inside the repository too.
    above = (start, *start.parents)
    root = next((folder for folder in above if find_config(folder) or (folder / ".git").exists()), start)
    policy = load_policy(root, root, name=arguments.config)
    golden = load_golden_set(policy, None)
    world.say(f"{policy.loaded.name}: valid")
    estimate, objectives = run_until_stopped(_check(policy, golden, root, world))
    world.say(f"{policy.loaded.config.dataset.path}: {len(golden.cases)} cases, all fit the target")
    world.say(f"objectives: {', '.join(objective.name for objective in objectives)}")
    for line in _sight_lines(objectives, len(golden.cases), policy, _known(policy, golden, root, world)):
        world.say(line)
    for line in _estimate_lines(estimate, policy):
        world.say(line)
    report = lint(golden.cases)
    if report.labels:
        world.say("labels: " + ", ".join(f"{terminal(label)} {count}" for label, count in report.labels[:12]))
    for finding in report.findings:
        world.say(f"{finding.severity}: {terminal(finding.message)}")
    _warn_of_keys(policy, world)
    return ExitCode.PASS


async def _check(policy: "Policy", golden: "GoldenSet", root: Path, world: World) -> "tuple[Estimate, list[Objective]]":
    """Set up all that a run would, without a single call: what fails here would fail there."""
    from evaluator.config.objectives import bind_objectives
    from evaluator.gateway.offline import Offline
    from evaluator.gateway.prices import Prices
    from evaluator.runner.estimate import estimate
    from evaluator.runner.scorers import dataset_labels, make_scorers, require_expected
    from evaluator.runner.setup import require_prices
    from evaluator.runner.targets import make_target
    from evaluator.scoring.builtin import BUILTIN_METRICS

    config = policy.loaded.config
    prices = Prices(config.prices)
    with tempfile.TemporaryDirectory(prefix="llm-eval-gate-") as scratch:
        require_expected(policy.loaded, golden.cases)
        labels = dataset_labels(config.scorers, golden.cases)
        scorers = make_scorers(policy.loaded, root, Offline(), labels, environ=world.environ, scratch=Path(scratch))
        metrics = [metric for scorer in scorers for metric in scorer.metrics] + list(BUILTIN_METRICS)
        objectives = bind_objectives(config.objectives, policy.loaded.where, metrics)
        require_prices(policy.loaded, {"base": root}, prices)
        target = make_target(
            "base", root, policy.loaded, Offline(), environ=world.environ, scratch=Path(scratch), slots=1
        )
        parts: list[Scorer | Target] = [*scorers, target]
        try:
            for part in parts:
                await part.start()
        finally:
            for part in parts:
                await part.close()
    return await estimate(policy.loaded, root, golden.cases, prices), objectives


def _known(policy: "Policy", golden: "GoldenSet", root: Path, world: World) -> "Known | None":
    """Values of earlier runs of this content alone, whose noise is this app's own."""
    from evaluator.runner.baselines import Baselines
    from evaluator.runner.opening import content_of
    from evaluator.runner.state import home_folder
    from evaluator.source.git import Git, GitFailed

    section = policy.loaded.config.baseline
    try:
        tree = Git(root, world.environ).text(["rev-parse", "HEAD^{tree}"])
    except GitFailed:  # not committed yet: then nothing has been run either
        return None
    key = content_of(policy, golden, root, tree, world.environ)
    ids = [case.id for case in golden.cases]
    kept = Baselines(home_folder(world.environ) / "baselines")
    return kept.known(key, ids, most_runs=max(1, section.pool), max_age_s=section.max_age)


def _sight_lines(objectives: "Sequence[Objective]", cases: int, policy: "Policy", known: "Known | None") -> list[str]:
    """What so many cases can be expected to show: by the noise of earlier runs, else by what is common."""
    from evaluator.gate import expected_sight

    lines, bases = [], set()
    baseline = None if known is None else known.columns
    sights = expected_sight(objectives, cases, max_repeats=policy.loaded.config.max_repeats, baseline=baseline)
    for name, sight in sights.items():
        if sight.smallest is None:
            continue
        bases.add(sight.basis)
        needed = f"; {sight.cases_needed} cases for the bound's far edge" if (sight.cases_needed or 0) > cases else ""
        lines.append(
            f"{name}: with {cases} cases a change of {sight.smallest:.1%} would be seen 80% of the time{needed}"
        )
    if "baseline" in bases and known is not None:
        lines.append(f"(by the noise of {known.runs} earlier runs of this content)")
    if "assumed" in bases:
        lines.append("(assumes common noise; `llm-eval-gate noise` measures yours, and keeps it for this command)")
    return lines


def _estimate_lines(estimate: "Estimate", policy: "Policy") -> list[str]:
    repeats = policy.loaded.config.max_repeats
    calls = "made by the app itself" if estimate.target_calls is None else f"{estimate.target_calls} of the app"
    lines = [
        f"calls of one gate run (base and head, every case once, nothing cached): {calls},"
        f" {estimate.judge_calls} of judges, {estimate.embedding_calls} of embeddings;"
        f" fewer if it is decided early, up to {repeats} times as many if it stays close"
    ]
    if estimate.usd is not None:
        lines.append(f"cost of one gate run: about ${estimate.usd:.2f} (assumes 200 tokens an answer, 4 bytes a token)")
    elif estimate.unpriced:
        lines.append(f"cost: unknown, no price for {', '.join(estimate.unpriced)}; add it under `prices:`")
    return lines


def _warn_of_keys(policy: "Policy", world: World) -> None:
    from evaluator.gateway.providers import resolve_providers
    from evaluator.runner.setup import provider_names

    try:
        resolve_providers(provider_names(policy.loaded), policy.loaded.config, world.environ)
    except EvalGateError as error:
        if "environment variable" not in error.message:
            raise
        world.say(f"warning: {error.message}")  # the key may be there where the gate will run
