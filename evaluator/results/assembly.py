"""Puts the result document together from a finished run: journal, numbers and verdict in, one document out."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from evaluator.gate import SliceResult, describe, detectable_changes
from evaluator.gateway.budget import Account
from evaluator.journal.journal import Journal
from evaluator.journal.trials import trials_of
from evaluator.policy import GoldenSet, Policy
from evaluator.records import SIDES, Case, Metric, MetricKind, ObjectiveResult, Side, Verdict
from evaluator.report.build import from_verdict, spend_part
from evaluator.report.build_cases import CaseSelection, Observed, distribution, most_important
from evaluator.report.build_labels import label_table
from evaluator.report.document import ResultDocument
from evaluator.report.document_parts import (
    ConfigInfo,
    DatasetInfo,
    Distribution,
    EstimatePart,
    LabelTable,
    PolicyChange,
    RefInfo,
    Spend,
)
from evaluator.report.redaction import without_texts
from evaluator.results.slices import slice_parts, tag_counts
from evaluator.results.table import Table
from evaluator.source.worktrees import Checkout
from evaluator.wiring.prepare import Prepared

_SAID = 300
"""Characters of a failure's message."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much of the golden set it took."""

    cases: int
    """Cases that the verdict rests on."""
    of: int
    """Cases there are."""
    repeats: int
    """Complete repeats of each."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known of a run beside its numbers."""

    version: str
    created_at: str
    duration_s: float
    base: Checkout | None
    head: Checkout
    effort: Effort
    rerun: str
    notes: tuple[str, ...]
    gated_slices: tuple[SliceResult, ...] = ()
    beside_usd: float = 0.0
    """What was paid for beside base and head: the anchor, where it had to be asked."""
    beside_calls: int = 0
    accounts: Mapping[str, Account] = field(default_factory=dict)
    """What each side spent, for what its app asked outside of any case."""
    estimate: EstimatePart | None = None
    show_texts: bool = True
    """Whether questions, answers and reasons may stand in the report."""


def build_document(
    facts: RunFacts,
    policy: Policy,
    golden: GoldenSet,
    ready: Prepared,
    journal: Journal,
    table: Table,
    verdict: Verdict,
) -> ResultDocument:
    """The result document of a run of one or two refs."""
    config = policy.loaded.config
    most = max(config.max_repeats, facts.effort.repeats)
    bound = {objective.metric.source for objective in ready.objectives}
    others = [
        metric
        for metric in ready.metrics
        if metric.name not in verdict.objectives and metric.source in table.columns["head"]
    ]
    # Of the many latencies and token counts only those that tell something new are worth a row.
    others = [metric for metric in others if metric.source not in bound or metric.kind is not MetricKind.QUANTILE]
    cases = _cases(golden, frozenset(table.case_ids), journal, ready.metrics, most, compared=facts.base is not None)
    return from_verdict(
        verdict,
        version=facts.version,
        kind="gate" if facts.base else "run",
        created_at=facts.created_at,
        duration_s=facts.duration_s,
        base=_ref(facts.base) if facts.base else None,
        head=_ref(facts.head),
        config=ConfigInfo(path=policy.loaded.name, source=policy.side, digest=policy.loaded.digest),
        dataset=DatasetInfo(
            path=config.dataset.path, digest=golden.digest, cases=len(golden.gated), tags=tag_counts(golden.cases)
        ),
        repeats=facts.effort.repeats,
        detectable=_detectable(verdict, table, facts.effort, config.max_repeats),
        other_metrics=_described(others, table),
        slices=slice_parts(golden, ready.metrics, table, facts.gated_slices),
        # Labels may be whole answers of the golden set.
        label_tables=_label_tables(ready.metrics, golden, journal, facts.base is not None) if facts.show_texts else [],
        distributions=_distributions(ready.metrics, table),
        spend=_spend(spend_part(_everything(journal, golden, most)), facts),
        cases=cases if facts.show_texts else without_texts(cases),
        policy_changes=[
            PolicyChange(path=change.path, what=change.what, effect=change.effect)
            for change in (*policy.changes, *golden.changes)
        ],
        estimate=facts.estimate,
        notes=_notes(facts, policy, table, verdict, journal),
        rerun=facts.rerun,
    )


def _spend(spend: Spend, facts: RunFacts) -> Spend:
    """With what was asked outside of any case, and what the anchor cost: the evaluation's money, not the app's."""
    outside = [account for account in facts.accounts.values() if account.outside_calls]
    if outside:
        usd, calls = sum(one.outside_usd for one in outside), sum(one.outside_calls for one in outside)
        unknown = sum(one.outside_unknown for one in outside)
        more: dict[str, float] = {
            name: (getattr(spend, name) or 0.0) + usd for name in ("target_usd", "total_usd", "real_usd")
        }
        more |= {"outside_usd": usd, "outside_calls": calls, "outside_unknown": unknown}
        more |= {"calls": spend.calls + calls, "unpriced_calls": spend.unpriced_calls + unknown}
        spend = spend.model_copy(update=more)
    if not facts.beside_calls:
        return spend
    sums = {
        name: (getattr(spend, name) or 0.0) + facts.beside_usd for name in ("evaluation_usd", "total_usd", "real_usd")
    }
    return spend.model_copy(update={**sums, "calls": spend.calls + facts.beside_calls})


def _detectable(verdict: Verdict, table: Table, effort: Effort, max_repeats: int) -> dict[str, float | None]:
    """What the gate could have seen; not told where base and head gave the same values, which shows no noise."""
    base, head = table.columns.get("base"), table.columns["head"]
    found = detectable_changes(verdict, base, head, clusters=table.clusters, cases=effort.of, max_repeats=max_repeats)
    for name, result in verdict.objectives.items():
        column = result.objective.metric.source
        if base is not None and column in base and np.array_equal(base[column], head[column], equal_nan=True):
            found[name] = None
    return found


def _notes(facts: RunFacts, policy: Policy, table: Table, verdict: Verdict, journal: Journal) -> list[str]:
    notes = list(facts.notes)
    if facts.effort.cases < facts.effort.of:
        notes.append(f"{facts.effort.cases} of {facts.effort.of} cases were enough to decide every objective")
    if facts.base is not None and policy.side == "head":
        notes.append("base has no config file, so head's rules were used; from the next change on base's rule")
    notes += _outside(facts.accounts, verdict)
    notes += _nothing_to_lose(verdict)
    notes += _commonest_failures(journal, table, said=facts.show_texts)
    if table.incomparable_latencies:
        notes.append(
            f"{table.incomparable_latencies} pairs of latencies were measured in different runs and are not compared"
        )
    return notes


def _outside(accounts: Mapping[str, Account], verdict: Verdict) -> list[str]:
    """What apps asked outside of any case: what it cost, and where that is not known."""
    bounded = any(result.objective.metric.unit == "usd" for result in verdict.objectives.values())
    told = []
    for side in SIDES:
        account = accounts.get(side, Account())
        known = account.outside_calls - account.outside_unknown
        if known:
            spread = f", spread over the costs of {side}'s answers" if bounded else ", which is in no case's cost"
            told.append(f"{side}: {known} calls outside of any case cost ${account.outside_usd:.4f}{spread}")
        if account.outside_unknown:
            closed = ", so no bound on cost can pass" if bounded and side == "head" else ""
            told.append(f"{side}: the cost of {account.outside_unknown} calls outside of any case is not known{closed}")
    return told


def _nothing_to_lose(verdict: Verdict) -> list[str]:
    """A metric at the worst end on both sides cannot fall: its pass says nothing."""
    stuck = [
        name
        for name, result in verdict.objectives.items()
        if result.objective.metric.higher_is_better
        and result.base is not None
        and result.base == result.head == (result.objective.metric.low or 0.0)
    ]
    if not stuck:
        return []
    return [f"{', '.join(stuck)}: at the lowest possible value on both sides, so no drop could be seen"]


def _commonest_failures(journal: Journal, table: Table, *, said: bool) -> list[str]:
    """What most failed answers and scores of a side say, with their number; without their words unless `said`."""
    counts: dict[Side, Counter[str]] = {side: Counter() for side in table.columns}
    for _, side, _, output in journal.all_outputs():
        if output.failure is not None and side in counts:
            words = f": {output.failure.message[:_SAID]}" if said else ""
            counts[side][f"{output.failure.kind.value}{words}"] += 1
    for _, side, _, score in journal.all_scores():
        if score.failure is not None and side in counts:
            words = f": {score.failure.message[:_SAID]}" if said else ""
            counts[side][f"scorer {score.scorer}{words}"] += 1
    return [
        f"{side}: {sum(found.values())} answers or scores failed, most often ({found.most_common(1)[0][1]} times)"
        f" {found.most_common(1)[0][0]}"
        for side, found in counts.items()
        if found
    ]


def _ref(checkout: Checkout) -> RefInfo:
    return RefInfo(
        label=checkout.ref, ref=checkout.ref, sha=checkout.sha, subject=checkout.subject, dirty=checkout.dirty
    )


def _described(metrics: Sequence[Metric], table: Table) -> list[ObjectiveResult]:
    return describe(metrics, table.columns.get("base"), table.columns["head"], clusters=table.clusters)


def _label_tables(metrics: Sequence[Metric], golden: GoldenSet, journal: Journal, compared: bool) -> list[LabelTable]:
    scorers = dict.fromkeys(
        metric.source.removesuffix("_label") for metric in metrics if metric.kind is MetricKind.LABELS
    )
    tables = []
    for name in scorers:
        pairs: dict[Side, Counter[tuple[str, str]]] = {"base": Counter(), "head": Counter()}
        for case_id, side, _, score in journal.all_scores():
            if score.scorer == name and score.labels is not None and case_id in golden.gated:
                pairs[side][score.labels] += 1
        tables.append(label_table(name, pairs["base"] if compared else None, pairs["head"]))
    return tables


def _distributions(metrics: Sequence[Metric], table: Table) -> list[Distribution]:
    import numpy as np

    found, seen = [], set()
    for metric in metrics:
        if metric.source in seen or metric.source not in table.columns["head"] or metric.name == "error_rate":
            continue
        seen.add(metric.source)
        by_side: dict[Side, dict[str, float]] = {}
        for side, columns in table.columns.items():
            values = columns[metric.source]
            present = ~np.isnan(values)
            totals = np.where(present, values, 0.0).sum(axis=1)
            counts = present.sum(axis=1)
            by_side[side] = {
                case_id: float(total / count)
                for case_id, total, count in zip(table.case_ids, totals, counts, strict=True)
                if count
            }
        part = distribution(metric, by_side.get("base"), by_side["head"])
        if part is not None:
            found.append(part)
    return found


def _everything(journal: Journal, golden: GoldenSet, repeats: int) -> Iterator[Observed]:
    """Every answer of the run with its scores, one at a time: what the journal holds was paid for, now or before."""
    for case in golden.cases:
        for side in SIDES:
            yield from _observed(journal, case.id, side, repeats)
    yield trials_of(journal)


def _cases(
    golden: GoldenSet,
    judged: frozenset[str],
    journal: Journal,
    metrics: Sequence[Metric],
    repeats: int,
    *,
    compared: bool,
) -> CaseSelection:
    def answered() -> Iterator[tuple[Case, Sequence[Observed] | None, Sequence[Observed]]]:
        for case in golden.cases:
            # A run that stopped early has not asked every case, and some that it asked came too late to count.
            if case.id in judged or case.id not in golden.gated:
                base = list(_observed(journal, case.id, "base", repeats)) if compared else None
                head = list(_observed(journal, case.id, "head", repeats))
                if head or base:
                    yield case, base, head

    return most_important(answered(), metrics, gated=golden.gated)


def _observed(journal: Journal, case_id: str, side: Side, repeats: int) -> Iterator[Observed]:
    for repeat in range(repeats):
        output = journal.output(case_id, side, repeat)
        if output is not None:
            yield Observed(output, tuple(journal.scores(case_id, side, repeat).values()))
