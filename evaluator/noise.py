"""How noisy an app and its judge are: one ref answered several times, and its answers judged twice."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evaluator.errors import ConfigError, UsageError
from evaluator.gate import Sight, expected_sight
from evaluator.records import Metric, MetricKind, Objective, Score
from evaluator.results.table import Values
from evaluator.runner.alone import answer_all
from evaluator.runner.opening import Job, OpenRun, open_run
from evaluator.scoring.interface import Scorer
from evaluator.stats import run_to_run_error

AGAIN = 1_000
"""Repeat index of the second judgement: a request of its own, so that no cache gives the first one back."""


@dataclass(frozen=True, slots=True)
class MetricNoise:
    """What one metric does when nothing changes."""

    metric: Metric
    mean: float
    run_to_run: float | None
    """Standard deviation of the whole run's mean from one run to the next; None where nothing was repeated."""
    flaky: tuple[str, ...]
    """Ids of cases whose value differs between repeats, the most different first."""
    cases: int


@dataclass(frozen=True, slots=True)
class JudgeNoise:
    """What a judge says of the same answer a second time."""

    scorer: str
    answers: int
    agreed: int
    """Answers that got the same score twice."""
    difference: float
    """Mean absolute difference of the two scores."""


@dataclass(frozen=True, slots=True)
class NoiseReport:
    """The noise floor of a ref."""

    ref: str
    sha: str
    repeats: int
    metrics: tuple[MetricNoise, ...]
    judges: tuple[JudgeNoise, ...]
    sights: Mapping[str, Sight]
    """What a gate can see with this noise, by objective."""
    objectives: tuple[Objective, ...]


async def measure_noise(job: Job, repeats: int) -> NoiseReport:
    """Answer every case of `job.head` so many times, judge the first answers twice, and compare.

    Raises:
        EvalGateError: Anything that keeps the run from its end.
    """
    if repeats < 2:
        raise UsageError(f"noise needs at least 2 repeats, found {repeats}")
    async with open_run(replace(job, repeats=repeats)) as opened:
        ready, cases = opened.ready, list(opened.golden.cases)
        loaded = opened.policy.loaded
        if loaded.config.engine == "batch" and any(map(_asks_a_model, ready.scorers)):
            raise ConfigError(
                f"{loaded.where('engine')}: `noise` asks judges a second time, which `engine: batch` does not do",
                hint="run it with `--engine local`",
            )
        table, _ = await answer_all(opened, label=f"{repeats} answers a case")
        judges = tuple([await _judge_again(scorer, opened) for scorer in ready.scorers if _asks_a_model(scorer)])
        columns = table.columns["head"]
        return NoiseReport(
            ref=opened.sources.head.ref,
            sha=opened.sources.head.sha,
            repeats=repeats,
            metrics=tuple(_noises(ready.metrics, columns, table.case_ids)),
            judges=judges,
            sights=expected_sight(
                ready.objectives,
                len(cases),
                max_repeats=opened.policy.loaded.config.max_repeats,
                baseline=columns,
                clusters=table.clusters,
            ),
            objectives=tuple(ready.objectives),
        )


def _noises(metrics: Sequence[Metric], columns: Mapping[str, Values], ids: Sequence[str]) -> list[MetricNoise]:
    found, seen = [], set()
    for metric in metrics:
        values = columns.get(metric.source)
        plain = metric.kind in (MetricKind.MEAN, MetricKind.PROPORTION)
        if values is None or metric.source in seen or not plain or bool(np.isnan(values).all()):
            continue
        seen.add(metric.source)
        answered = ~np.isnan(values).all(axis=1)
        spread = np.zeros(len(values))
        spread[answered] = np.nanmax(values[answered], axis=1) - np.nanmin(values[answered], axis=1)
        flaky = [ids[index] for index in np.argsort(-spread, kind="stable") if spread[index] > 0]
        mean = float(np.nanmean(np.nanmean(values[answered], axis=1)))
        found.append(MetricNoise(metric, mean, run_to_run_error(values), tuple(flaky), int(answered.sum())))
    return found


def _asks_a_model(scorer: Scorer) -> bool:
    """Whether a second score of the same answer may differ: only judges ask again."""
    return scorer.judges and not scorer.pairwise


async def _judge_again(scorer: Scorer, opened: OpenRun) -> JudgeNoise:
    column = scorer.metrics[0].source
    agreed = answers = 0
    difference = 0.0
    for case in opened.golden.cases:
        output = opened.journal.output(case.id, "head", 0)
        first = opened.journal.scores(case.id, "head", 0).get(scorer.name)
        if output is None or output.failure is not None or first is None:
            continue
        second = opened.journal.scores(case.id, "head", AGAIN).get(scorer.name)
        if second is None:
            second = await scorer.score(case, output, repeat=AGAIN)
            opened.journal.put_score(case.id, "head", AGAIN, second)
        pair = _both(first, second, column)
        if pair is not None:
            answers += 1
            agreed += pair[0] == pair[1]
            difference += abs(pair[0] - pair[1])
    return JudgeNoise(scorer.name, answers, agreed, difference / answers if answers else 0.0)


def _both(first: Score, second: Score, column: str) -> tuple[float, float] | None:
    if column not in first.values or column not in second.values:
        return None
    return first.values[column], second.values[column]


def as_json(report: NoiseReport) -> str:
    """The report as JSON text, for scripts."""
    return json.dumps(dataclasses.asdict(report), indent=1, default=str)
