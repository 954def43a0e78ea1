"""The gate that asks for evidence bit by bit, and stops as soon as every objective is decided.

It asks, it is told, it never runs anything itself. Stage A: one repeat of the cases in random order, with tests that
are valid at every look (`monitors`). Stage B: repeats of all cases; each complete repeat is one look. Which repeats
are asked never hangs on what a single case showed: that would hide regressions.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from evaluator.errors import EvalGateError
from evaluator.gate.bounds import Excluded, Finding, check_bound
from evaluator.gate.columns import Columns, check_clusters, read_baseline, read_columns
from evaluator.gate.decide import Judged, check_objectives, combine, enough, judge, settled
from evaluator.gate.missing import COST_COLUMN, COST_OF_FAILURE, ERROR_COLUMN, Tally, blamed, spread
from evaluator.gate.monitors import BettingMonitor, Chunk, IntervalMonitor, Monitor, attainable, can_bet, needs_all
from evaluator.gate.plan import Plan, Portion, Request, make_plan
from evaluator.gate.rule import ALPHA, EARLY_ALPHA, Rule
from evaluator.gate.standing import Standing, after_a_repeat, on_the_way
from evaluator.records import SIDES, Bound, Failure, Metric, Objective, Side, Verdict
from evaluator.stats import FloatArray, case_means

_MOST_REPEATS = 100


class SequentialGate:
    """Ask-and-tell: `ask` for requests, `tell` their answers, until `ask` gives none; then read `verdict`.

    The verdict hangs on the objectives, the values and the seed alone, not on the order in which answers are told; but
    for costs, over which is spread what was paid beside answers by the time of a look.
    Memory is 8 bytes a column, side, case and repeat; time is linear in the answers.

    Example:
        >>> from evaluator.records import Bound, BoundKind, Metric, MetricKind, Objective
        >>> judge = Metric("judge", MetricKind.MEAN, low=1, high=5)
        >>> gate = SequentialGate(200, [Objective(judge, (Bound(BoundKind.MAX_DROP, 0.05),))])
        >>> while requests := gate.ask():
        ...     for side, case, repeat in requests:
        ...         gate.tell(side, case, repeat, {"judge": 4.0 + case % 2})
        >>> gate.verdict().state, gate.cases_used, gate.repeats_used
        ('pass', 60, 1)
    """

    def __init__(
        self,
        n_cases: int,
        objectives: Sequence[Objective],
        *,
        max_repeats: int = 3,
        seed: int = 0,
        baseline: Mapping[str, npt.ArrayLike] | None = None,
        clusters: npt.ArrayLike | None = None,
        strict: bool = False,
        early: bool = True,
        others: int = 0,
        beside: Callable[[Side], float] | None = None,
    ) -> None:
        """Set up; nothing is asked yet.

        Args:
            n_cases: How many cases there are.
            objectives: The bounds to keep.
            max_repeats: Most repeats of each case and side; 3 does for 100 cases, take 5 below.
            seed: Of the order of cases. The bootstrap has one seed for all runs: the same values, the same verdict.
            baseline: Base's known values by column, (cases,) or (cases, repeats), NaN for missing: all earlier repeats
                of the same content, pooled. Base is then not asked. Leave out latencies that were not measured now.
            clusters: As for `decide`.
            strict: As for `decide`.
            early: Whether to look before all cases are known once. Quantiles of two runs and label statistics have no
                valid test on the way: with one of these among the objectives there is no early look either.
            others: Objectives that are judged beside these, by a gate of their own: the error rate is shared with them.
            beside: What a side has paid by now outside of its answers, in US dollars: it is spread over their costs.

        Raises:
            EvalGateError: If objectives, clusters, baseline or a number is not as it should be.
        """
        check_objectives(objectives)
        if n_cases < 1 or not 1 <= max_repeats <= _MOST_REPEATS:
            raise EvalGateError(
                f"found {n_cases} cases and max_repeats {max_repeats}",
                hint=f"there must be a case, and max_repeats from 1 to {_MOST_REPEATS}",
            )
        self._objectives = list(objectives)
        self._clusters = check_clusters(clusters, n_cases)
        self._max_repeats = max_repeats
        names = {objective.metric.source for objective in objectives}
        shape = (n_cases, max_repeats)
        self._asked: tuple[Side, ...] = SIDES if baseline is None else ("head",)
        self._values = {side: {name: np.full(shape, np.nan) for name in names} for side in self._asked}
        # Flat views of the same memory: many times cheaper to write one value to.
        self._cells = {
            side: [(name, array.reshape(-1).data.cast("B").cast("d")) for name, array in columns.items()]
            for side, columns in self._values.items()
        }
        self._told = {side: bytearray(n_cases * max_repeats) for side in self._asked}
        self._baseline = None if baseline is None else read_baseline(baseline, names, n_cases)
        known = self._baseline or {}
        self._base_means = {name: case_means(values) for name, values in known.items()}
        early = early and not any(needs_all(wanted.metric, bound) for wanted in objectives for bound in wanted.bounds)
        self._plan: Plan = make_plan(
            n_cases, max_repeats, self._clusters, np.random.default_rng([seed, n_cases]), early=early
        )
        early = len(self._plan.looks) > 1
        alpha = ALPHA - EARLY_ALPHA if early else ALPHA
        self._rule = Rule(len(self._objectives) + others, looks=max_repeats, alpha=alpha, strict=strict, last=False)
        self._monitors = {
            (place, number): self._monitor(wanted.metric, bound)
            for place, wanted in enumerate(self._objectives)
            for number, bound in enumerate(wanted.bounds)
            if early
        }
        self._hopeless = {
            (place, number)
            for place, wanted in enumerate(self._objectives)
            for number, bound in enumerate(wanted.bounds)
            if wanted.implied or not attainable(wanted.metric, bound, self._clusters, n_cases)
        }
        self._beside = beside
        self._wasted: dict[Side, float] = dict.fromkeys(self._asked, 0.0)
        self._tallies = {key: Tally() for key in self._monitors}
        self._open: dict[Request, int] = {}
        self._pending: list[int] = []
        self._done = 0
        self._allowed = 0
        self._verdict: Verdict | None = None
        self._whole: tuple[list[Judged], list[bool]] | None = None
        self.cases_used = 0
        """Cases of the first repeat that count by now."""
        self.repeats_used = 0
        """Complete repeats that count; 1 from the first look on."""
        self._extend_round()

    @property
    def used(self) -> list[int]:
        """Indices of the cases that count by now, in the order of the golden set."""
        return sorted(self._plan.order[: self.cases_used].tolist())

    @property
    def standing(self) -> Standing:
        """How far it is, at its last look."""
        if self._whole is not None:
            return after_a_repeat(*self._whole, self._plan.cases, self._plan.portions[self._allowed - 1].repeat + 1)
        return on_the_way(self._monitors, self._hopeless, len(self._objectives), self.cases_used, self._plan.cases)

    def ask(self, at_least: int = 1) -> list[Request]:
        """The requests that are open: wanted, and not told yet. Empty when the verdict is there.

        Open requests are given again until they are told, so whoever runs them at the same time keeps a list.

        Args:
            at_least: Run ahead of the next look until so many are open, or the repeat ends: for runners that keep many
                requests in flight. What turns out not to have been needed is left out of the verdict.
        """
        self._advance()
        while self._verdict is None and len(self._open) < at_least and len(self._pending) < self._allowed:
            self._hand_out()
            self._advance()
        return list(self._open)

    def tell(self, side: Side, case: int, repeat: int, values: Mapping[str, float] | Failure | Exception) -> None:
        """Take in an answer, asked for or not (a resumed run tells what it has before it asks).

        Args:
            side: Whose answer.
            case: Index of the case.
            repeat: From 0.
            values: By column (`Metric.source`); a column without a value is missing. Or why there is no answer: it
                counts as 1 in the column `error_rate`, which is otherwise 0 where it is not given. What a failed
                answer cost may stand under `missing.COST_OF_FAILURE`.

        Raises:
            EvalGateError: If there is no such place, it was told before, or a value is infinite.
        """
        told = self._told.get(side)
        if told is None or not (0 <= case < self._plan.cases and 0 <= repeat < self._max_repeats):
            raise EvalGateError(f"there is no {side} case {case}, repeat {repeat}, to be told")
        place = case * self._max_repeats + repeat
        if told[place]:
            raise EvalGateError(f"{side} case {case}, repeat {repeat}, was told before")
        given = {ERROR_COLUMN: 1.0} if isinstance(values, Failure | Exception) else values
        for name, cells in self._cells[side]:
            value = given.get(name, 0.0 if name == ERROR_COLUMN else None)
            if value is None:
                continue
            if math.isinf(value):
                raise EvalGateError(f"{side} case {case}: column {name!r} is infinite", hint="leave it out")
            cells[place] = value
        told[place] = 1
        self._wasted[side] += given.get(COST_OF_FAILURE, 0.0)
        portion = self._open.pop(Request(side, case, repeat), None)
        if portion is not None:
            self._pending[portion] -= 1

    def verdict(self) -> Verdict:
        """The verdict; before `ask` is empty, what is known by now, in which nothing undecided passes."""
        self._advance()
        if self._verdict is not None:
            return self._verdict
        results = []
        for judged in self._judge(self._rule):
            result = judged.result
            if result.state == "pass" and not all(map(settled, judged.findings)):
                reason = f"{result.reason}; stopped before there was enough evidence"
                result = replace(result, state="inconclusive", reason=reason)
            results.append(result)
        return combine(results)

    def _extend_round(self) -> None:
        """Allow the portions of one further repeat."""
        portions = self._plan.portions
        repeat = portions[self._allowed].repeat
        while self._allowed < len(portions) and portions[self._allowed].repeat == repeat:
            self._allowed += 1

    def _hand_out(self) -> None:
        number = len(self._pending)
        portion = self._plan.portions[number]
        before = len(self._open)
        for case in self._plan.order[portion.start : portion.end].tolist():
            for side in self._asked:
                if not self._told[side][case * self._max_repeats + portion.repeat]:
                    self._open[Request(side, case, portion.repeat)] = number
        self._pending.append(len(self._open) - before)

    def _advance(self) -> None:
        """Look at every portion that is complete, until one decides or is not."""
        while self._verdict is None and self._done < len(self._pending) and self._pending[self._done] == 0:
            portion = self._plan.portions[self._done]
            self._done += 1
            if portion.repeat == 0:
                self.cases_used, self.repeats_used = portion.end, 1
            if not portion.look:
                continue
            if portion.end < self._plan.cases:
                self._look_early(portion)
            else:
                self._look_at_all(portion.repeat + 1)

    def _look_early(self, portion: Portion) -> None:
        rows = self._plan.order[portion.start : portion.end]
        starts = None
        if self._clusters is not None:
            codes = self._clusters[rows]
            starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
        for key, monitor in self._monitors.items():
            if isinstance(monitor, IntervalMonitor):
                monitor.look(portion.end)
                continue
            metric = self._objectives[key[0]].metric
            base, head = (self._first_values(side, metric.source, rows) for side in SIDES)
            failed = self._first_values("base", ERROR_COLUMN, rows), self._first_values("head", ERROR_COLUMN, rows)
            head = blamed(metric, base, head, failed, self._tallies[key])
            monitor.update(Chunk(base, head, starts, self._plan.largest))
        if not all(
            monitor.decided or (monitor.good and key in self._hopeless) for key, monitor in self._monitors.items()
        ):
            return
        judged = list(self._judge(self._rule, {key: monitor.excluded for key, monitor in self._monitors.items()}))
        if all(enough(found, place, self._hopeless) for place, found in enumerate(judged)):
            self._finish(judged)

    def _look_at_all(self, repeats: int) -> None:
        """After a complete repeat: the rule for complete data, as `decide` has it."""
        self.repeats_used = repeats
        judged = list(self._judge(self._rule))
        self._whole = judged, [all(map(settled, found.findings)) for found in judged]
        still = [found for found, done in zip(*self._whole, strict=True) if not done]
        if repeats == self._max_repeats or not self._would_differ(still, repeats):
            self._finish(list(self._judge(replace(self._rule, last=True))))
        elif still:
            self._extend_round()
        else:
            self._finish(judged)

    def _finish(self, judged: Sequence[Judged]) -> None:
        verdict, cases = combine([found.result for found in judged]), self._plan.cases
        if self.cases_used < cases:
            reason = f"{verdict.reason} Decided after {self.cases_used} of {cases} cases."
            verdict = replace(verdict, reason=reason)
        self._verdict = verdict
        self._open.clear()

    def _would_differ(self, judged: Sequence[Judged], repeats: int) -> bool:
        """False if what is open was answered alike in every repeat: then another one would tell nothing."""
        if repeats == 1 or not judged:
            return True
        for found in judged:
            for columns in self._values.values():
                values = columns[found.result.objective.metric.source][:, :repeats]
                if not np.array_equal(values, np.repeat(values[:, :1], repeats, axis=1), equal_nan=True):
                    return True
        return False

    def _judge(self, rule: Rule, excluded: Mapping[tuple[int, int], Excluded] | None = None) -> Iterator[Judged]:
        for place, objective in enumerate(self._objectives):
            known = None if excluded is None else [excluded[place, number] for number in range(len(objective.bounds))]
            yield judge(objective, self._columns(objective.metric, self.cases_used), rule, known)

    def _columns(self, metric: Metric, cases: int) -> Columns | None:
        """The first so many cases, with all complete repeats."""
        repeats = max(1, self.repeats_used)
        whole = cases == self._plan.cases
        rows = slice(None) if whole else self._plan.order[:cases]
        names = {metric.source, ERROR_COLUMN} & set(self._values["head"])
        head = {name: self._told_values("head", name)[rows, :repeats] for name in names}
        base: dict[str, FloatArray] | None = None
        if self._baseline is None:
            base = {name: self._told_values("base", name)[rows, :repeats] for name in names}
        elif metric.source in self._baseline:
            base = {metric.source: self._baseline[metric.source][rows]}
        return read_columns(metric, base, head, None if self._clusters is None else self._clusters[rows])

    def _told_values(self, side: Side, name: str) -> FloatArray:
        """(cases, repeats); costs with what the side paid beside its answers."""
        values = self._values[side][name]
        if name != COST_COLUMN:
            return values
        beside = self._wasted[side] + (self._beside(side) if self._beside is not None else 0.0)
        return spread(values, beside, int(np.count_nonzero(~np.isnan(values))))

    def _first_values(self, side: Side, name: str, rows: npt.NDArray[np.int64]) -> FloatArray:
        if side in self._values and name in self._values[side]:
            return np.asarray(self._values[side][name][rows, 0], dtype=np.float64)
        known = self._base_means.get(name)
        return np.full(len(rows), np.nan) if known is None else known[rows]

    def _monitor(self, metric: Metric, bound: Bound) -> Monitor:
        if can_bet(metric, bound):
            return BettingMonitor(metric, bound, self._rule)

        def check(cases: int, looks: int) -> Finding:
            columns = self._columns(metric, cases)
            if columns is None:
                raise EvalGateError(f"metric {metric.name!r} has no column of head")
            return check_bound(metric, bound, columns, self._rule.on_the_way(looks))

        return IntervalMonitor([at for at in self._plan.looks if at < self._plan.cases], check)
