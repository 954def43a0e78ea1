"""`llm-eval-gate validate`: checks config, golden set and prompts, and tells what a run will call and cost."""

import argparse
import shlex
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from evaluator.cli.gate import no_config
from evaluator.cli.world import Commands, World, run_until_stopped
from evaluator.errors import EvalGateError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evaluator.policy import GoldenSet, Policy
    from evaluator.records import Objective
    from evaluator.runner.baselines import Known
    from evaluator.runner.estimate import Estimate
    from evaluator.scoring.interface import Scorer
    from evaluator.target.interface import Target


def add_command(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("validate", help="check config, golden set and prompts; estimate calls and cost")
    parser.add_argument(
        "--base", default="main", help="ref whose earlier runs the estimate rests on (default: %(default)s)"
    )
    parser.add_argument("--repo", type=Path, default=Path(), help="the app's repository (default: here)")
    parser.add_argument("--config", metavar="PATH", help="config file in the repository (default: llm-eval-gate.yml)")
    parser.set_defaults(command=_validate)


def _validate(arguments: argparse.Namespace, world: World) -> int:
    from evaluator.cli.references import find_anchor, idle_patterns, small_slices
    from evaluator.config.loading import find_config
    from evaluator.policy import load_golden_set, load_policy
    from evaluator.report.escape import terminal
    from evaluator.wiring.unmet import unmet_openings

    start = (world.cwd / arguments.repo).resolve()
    # As `gate` does: from a folder inside the repository too.
    above = (start, *start.parents)
    root = next((folder for folder in above if find_config(folder) or (folder / ".git").exists()), start)
    there = (root / arguments.config).is_file() if arguments.config else find_config(root) is not None
    if not there:
        raise no_config(root, arguments.config)
    policy = load_policy(root, root, name=arguments.config)
    golden = load_golden_set(policy, None)
    # All that can be wrong comes before the first word: "valid" must not stand above an error.
    anchor = find_anchor(policy.loaded, root, world.environ)
    warnings = small_slices(policy.loaded, golden.cases)
    warnings += idle_patterns(policy.loaded, root, world.environ)
    warnings += _missing_keys(policy, world)
    warnings += _unmetered(policy)
    warnings += unmet_openings(policy.loaded, world.environ)
    asked = anchor is not None and anchor.there
    known = _known(policy, golden, root, world, base=arguments.base)
    estimate, objectives = run_until_stopped(_check(policy, golden, root, world, anchor=asked, known=known), world)
    lines = [f"{policy.loaded.config.dataset.path}: {len(golden.cases)} cases, all fit the target"]
    lines.append(f"objectives: {', '.join(objective.name for objective in objectives)}")
    lines += _sight_lines(objectives, golden, policy, known)
    lines += [] if anchor is None else [anchor.told if anchor.there else f"note: {anchor.told}"]
    lines += _estimate_lines(estimate, policy, base=arguments.base)
    warnings += _too_small_a_budget(estimate, policy)
    told, notes = _golden_set_lines(policy, golden)
    warnings += told
    for line in [*lines, *notes, *(f"warning: {warning}" for warning in warnings)]:
        world.say(terminal(line))
    count = f", with {len(warnings)} warning{'s' if len(warnings) > 1 else ''}" if warnings else ""
    world.say(f"{policy.loaded.name}: valid{count}")
    return ExitCode.PASS


def _golden_set_lines(policy: "Policy", golden: "GoldenSet") -> tuple[list[str], list[str]]:
    """What makes the golden set weak: (warnings, notes)."""
    from evaluator.dataset.lint import lint
    from evaluator.starter.golden import examples_left

    report = lint(golden.cases)
    labels = ", ".join(f"{label} {count}" for label, count in report.labels[:12])
    warnings = [finding.message for finding in report.findings if finding.severity == "warning"]
    notes = [f"note: {finding.message}" for finding in report.findings if finding.severity == "note"]
    examples = examples_left(golden.cases)
    if examples:
        path = policy.loaded.config.dataset.path
        warnings.insert(0, f"{path} still holds {examples} EXAMPLE cases of `init`: put real ones in their place")
    return warnings, [*([f"labels: {labels}"] if labels else []), *notes]


async def _check(
    policy: "Policy", golden: "GoldenSet", root: Path, world: World, *, anchor: bool, known: "Known | None"
) -> "tuple[Estimate, list[Objective]]":
    """Set up all that a run would, without a single call: what fails here would fail there."""
    from evaluator.config.objectives import bind_objectives
    from evaluator.gateway.offline import Offline
    from evaluator.gateway.prices import BATCH_SHARE, Prices
    from evaluator.runner.estimate import earlier, estimate
    from evaluator.scoring.builtin import BUILTIN_METRICS
    from evaluator.source.scratch import scratch_folder
    from evaluator.wiring.prepare import require_prices
    from evaluator.wiring.scorers import dataset_labels, make_scorers, require_expected
    from evaluator.wiring.targets import make_target

    config = policy.loaded.config
    prices = Prices(config.prices, share=BATCH_SHARE if config.engine == "batch" else 1.0)
    with scratch_folder() as scratch:
        require_expected(policy.loaded, golden.cases)
        labels = dataset_labels(config.scorers, golden.cases)
        scorers = make_scorers(policy.loaded, root, Offline(), labels, environ=world.environ, scratch=scratch)
        metrics = [metric for scorer in scorers for metric in scorer.metrics] + list(BUILTIN_METRICS)
        objectives = bind_objectives(config.objectives, policy.loaded.where, metrics)
        require_prices(policy.loaded, {"base": root}, prices)
        target = make_target("base", root, policy.loaded, Offline(), environ=world.environ, scratch=scratch, slots=1)
        parts: list[Scorer | Target] = [*scorers, target]
        try:
            for part in parts:
                await part.start()
        finally:
            for part in parts:
                await part.close()
    before = earlier(known) if config.target.prompt is None else None
    return await estimate(policy.loaded, root, golden.cases, prices, anchor=anchor, before=before), objectives


def _known(policy: "Policy", golden: "GoldenSet", root: Path, world: World, *, base: str) -> "Known | None":
    """Values of earlier runs of one ref alone, whose noise is this app's own: of base, or else of HEAD."""
    from evaluator.journal.folder import home_folder
    from evaluator.runner.baselines import Baselines
    from evaluator.runner.identity import content_of
    from evaluator.source.git import Git, GitFailed

    section, git, trees = policy.loaded.config.baseline, Git(root, world.environ), []
    with suppress(GitFailed):  # no such ref, or nothing in common
        left = git.text(["merge-base", "--end-of-options", base, "HEAD"])
        trees += [
            git.text(["rev-parse", "--verify", "--end-of-options", f"{commit}^{{tree}}"]) for commit in (left, base)
        ]
    with suppress(GitFailed):  # not committed yet: then nothing has been run either
        trees.append(git.text(["rev-parse", "HEAD^{tree}"]))
    ids = [case.id for case in golden.cases]
    kept = Baselines(home_folder(world.environ) / "baselines")
    for tree in dict.fromkeys(trees):
        key = content_of(replace(policy, tree=tree), golden, root, tree, world.environ)
        known = kept.known(key, ids, most_runs=max(1, section.pool), max_age_s=section.max_age)
        if known is not None:
            return known
    return None


def _sight_lines(
    objectives: "Sequence[Objective]", golden: "GoldenSet", policy: "Policy", known: "Known | None"
) -> list[str]:
    """What so many cases can be expected to show: by the noise of earlier runs, else by what is common."""
    from evaluator.gate import expected_sight
    from evaluator.gate.rule import Rule
    from evaluator.gate.wording import change
    from evaluator.results.table import cluster_numbers

    lines, bases, cases = [], set(), len(golden.cases)
    sights = expected_sight(
        objectives,
        cases,
        max_repeats=policy.loaded.config.max_repeats,
        baseline=None if known is None else known.columns,
        clusters=cluster_numbers(golden.cases),
    )
    for objective in objectives:
        sight = sights.get(objective.name)
        if sight is None or sight.smallest is None:
            continue
        bases.add(sight.basis)
        bound = next(bound for bound in objective.bounds if bound.kind.relative_to_base)
        word = "a drop" if objective.metric.higher_is_better else "an increase"
        seen = change(objective.metric, sight.smallest, relative=bound.relative)
        line = f"{objective.name}: with {cases} cases {word} of {seen} would be seen 80% of the time"
        if sight.cases_needed is not None and sight.cases_needed > cases:
            edge = change(objective.metric, Rule().edges(bound)[1], relative=bound.relative)
            line += f"; with {sight.cases_needed:,} cases, {word} of {edge} (the far edge of the bound's zone)"
        lines.append(line)
    if "baseline" in bases and known is not None:
        lines.append(f"(by the noise of {known.runs} earlier runs of this content)")
    if "assumed" in bases:
        lines.append("(assumes common noise; `llm-eval-gate noise` measures yours, and keeps it for this command)")
    return lines


def _estimate_lines(estimate: "Estimate", policy: "Policy", *, base: str) -> list[str]:
    from evaluator.report.wording import duration, money

    config = policy.loaded.config
    calls = "made by the app itself" if estimate.target_calls is None else f"{estimate.target_calls} of the app"
    times = estimate.anchor_repeats
    at_anchor = f", {'once' if times == 1 else f'{times} times'} at the anchor" if times else ""
    most = f"; up to {config.max_repeats} times as many at base and head if it stays close"
    lines = [
        f"calls of one gate run (every case once at base and at head{at_anchor}; nothing cached): {calls},"
        f" {estimate.judge_calls} of judges, {estimate.embedding_calls} of embeddings;"
        f" fewer if it is decided early{most if config.max_repeats > 1 else ''}"
    ]
    if times:
        lines.append(f"(the anchor is asked once and its values are kept for {duration(config.baseline.max_age)})")
    if estimate.unpriced:
        lines.append(f"cost: unknown, no price for {', '.join(estimate.unpriced)}; add it under `prices:`")
    elif estimate.usd == 0 and estimate.local:
        lines.append("cost of one gate run: free (the embedded model)")
    elif estimate.usd is not None:
        lines.append(
            f"cost of one gate run: about {money(estimate.usd)} (assumes 200 tokens an answer, 4 bytes a token)"
        )
    else:
        lines.append(
            "cost: unknown before the app was run; after"
            f" `llm-eval-gate run --ref {shlex.quote(base)}` it is estimated from that"
        )
    return lines


def _too_small_a_budget(estimate: "Estimate", policy: "Policy") -> list[str]:
    """Warn of a cap that one gate run is likely to reach before it has a verdict."""
    from evaluator.report.wording import money

    budget = policy.loaded.config.budget
    found = []
    if budget.max_usd is not None and estimate.usd is not None and estimate.usd > budget.max_usd:
        found.append(f"max_usd is {money(budget.max_usd)}, and one gate run is estimated at {money(estimate.usd)}")
    if budget.max_calls is not None and estimate.calls is not None and estimate.calls > budget.max_calls:
        found.append(f"max_calls is {budget.max_calls:,}, and one gate run makes about {estimate.calls:,}")
    return [f"{told}: without cached answers it may end without a verdict" for told in found]


def _missing_keys(policy: "Policy", world: World) -> list[str]:
    from evaluator.gateway.providers import resolve_providers
    from evaluator.wiring.prepare import provider_names

    config = policy.loaded.config
    try:
        resolve_providers(provider_names(policy.loaded), config, world.environ)
        if config.target.process is not None:
            from evaluator.gateway.door import key_warnings

            return key_warnings(config, world.environ)
    except EvalGateError as error:
        if "environment variable" not in error.message:
            raise
        return [error.message]  # the key may be there where the gate will run
    return []


def _unmetered(policy: "Policy") -> list[str]:
    """Warn of what `sandbox.unmetered` cannot do beside the rest of the config."""
    config = policy.loaded.config
    if config.target.process is None or not config.sandbox.unmetered:
        return []
    found, bound = [], config.first_bounded("cost")
    if config.budget.max_usd is not None or config.budget.max_usd_per_case is not None:
        cap = "max_usd" if config.budget.max_usd is not None else "max_usd_per_case"
        found.append(
            f"sandbox.unmetered beside budget.{cap}: POST, PUT and PATCH to paths that are not metered are refused all"
            " the same, since what they cost would pass the cap unseen"
        )
    if bound is not None:
        found.append(
            f"sandbox.unmetered beside {bound}: a case that asks for what is not metered ends the run as an error,"
            " since its cost cannot be bounded"
        )
    return found
