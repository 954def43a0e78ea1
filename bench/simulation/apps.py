"""An app under test as a model of chance: easy, middling and hard cases, rare failures, answer noise and judge noise.

Each effect is calibrated on a large population, so that "-8 %" is the true change of the mean, ceiling of the scale
included. Everything is drawn for all repeats at once; nothing here knows the gate's rule.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from evaluator.records import Metric, MetricKind

Values = npt.NDArray[np.float64]
Kind = Literal["none", "churn", "uniform", "broken", "flaky"]
EFFECTS: tuple[Kind, ...] = ("none", "churn", "uniform", "broken", "flaky")

JUDGE = Metric("judge", MetricKind.MEAN, low=1.0, high=5.0)
EXACT = Metric("exact_match", MetricKind.PROPORTION, unit="share")
F1 = Metric("f1", MetricKind.MEAN, unit="share", low=0.0, high=1.0)
COST = Metric("cost", MetricKind.MEAN, higher_is_better=False, unit="usd")
LATENCY = Metric(
    "latency_p95", MetricKind.QUANTILE, higher_is_better=False, unit="seconds", column="latency", quantile=0.95
)
METRICS = {metric.name: metric for metric in (JUDGE, EXACT, F1, COST, LATENCY)}


@dataclass(frozen=True, slots=True)
class Noise:
    """How much answers and judgements move when everything is asked again."""

    answer: float
    """Standard deviation of an answer's quality, in points of the judge's scale."""
    judge: float
    """Standard deviation of a judgement of one and the same answer, before it is rounded to a whole point."""
    failing: float
    """Chance that an answer fails altogether."""
    wavering: float
    """0: exact match is right or wrong in every repeat; 1: as uncertain as it can be for its mean."""


NOISE = {
    "low": Noise(0.20, 0.20, 0.01, 0.15),
    "mid": Noise(0.40, 0.30, 0.02, 0.40),
    "high": Noise(0.55, 0.40, 0.03, 0.70),
}
_QUALITY = np.array([4.75, 4.35, 3.6])
_SHARES = (0.5, 0.3, 0.2)
_RIGHT = np.array([0.97, 0.85, 0.5])
_OVERLAP = np.array([0.9, 0.75, 0.5])
_FAILED = 2.0
"""Points that a failed answer loses."""
_CHURN = {"judge": 0.35, "exact_match": 0.12, "f1": 0.12}
_POPULATION = 200_000


@dataclass(frozen=True, slots=True)
class Effect:
    """What the change under test does to the app."""

    kind: Kind = "none"
    drop: float = 0.0
    """How much worse the mean becomes, as a share of base: 0.08 is -8 %. For cost and latency an increase."""


@dataclass(frozen=True, slots=True)
class App:
    """One kind of metric of an app at a level of noise."""

    metric: str
    noise: str = "mid"
    cluster_size: int = 1
    """Cases that share a document: half of the spread between cases is then theirs in common."""


def draw_pair(
    app: App, effect: Effect, cases: int, repeats: int, rng: np.random.Generator, *, base_repeats: int = 0
) -> tuple[Values, Values]:
    """Base's and head's values of one simulated pull request, (cases, repeats) each.

    Args:
        app: What is measured.
        effect: What head does.
        cases: How many.
        repeats: Of head, and of base if `base_repeats` is 0.
        rng: Source of randomness.
        base_repeats: Of base.
    """
    level = _levels(app, cases, rng)
    base = _answers(app, level, Effect(), 0.0, base_repeats or repeats, rng)
    return base, _answers(app, level, effect, _strength(app, effect), repeats, rng)


def _levels(app: App, cases: int, rng: np.random.Generator) -> Values:
    """What lies in the case itself, (cases, 4): difficulty 0, 1 or 2; a standard normal trait; two uniform ones."""
    groups = -(-cases // app.cluster_size)
    difficulty = rng.choice(3, size=cases, p=_SHARES).astype(np.float64)
    trait = rng.normal(size=cases)
    if app.cluster_size > 1:
        owner = np.repeat(np.arange(groups), app.cluster_size)[:cases]
        difficulty = rng.choice(3, size=groups, p=_SHARES).astype(np.float64)[owner]
        trait = (trait + rng.normal(size=groups)[owner]) / np.sqrt(2.0)
    return np.column_stack([difficulty, trait, rng.random((cases, 2))])


def _answers(
    app: App, level: Values, effect: Effect, strength: float, repeats: int, rng: np.random.Generator
) -> Values:
    shape = (len(level), repeats)
    difficulty, noise = level[:, 0].astype(int), NOISE[app.noise]
    moved = rng.normal(size=(len(level), 1)) if effect.kind == "churn" else np.zeros((len(level), 1))
    broken = rng.random((len(level), 1)) < (strength if effect.kind == "broken" else 0.0)
    if app.metric == "judge":
        quality = _QUALITY[difficulty][:, None] + 0.15 * level[:, 1:2] + _CHURN["judge"] * moved
        quality = quality - (strength if effect.kind in ("uniform", "churn") else 0.0)
        failing = noise.failing + (strength if effect.kind == "flaky" else 0.0)
        answer = quality + rng.normal(0, noise.answer, shape) - _FAILED * (rng.random(shape) < failing)
        answer = np.where(broken, 1.3 + rng.normal(0, noise.answer, shape), answer)
        return np.clip(np.round(np.clip(answer, 1, 5) + rng.normal(0, noise.judge, shape)), 1, 5)
    if app.metric == "exact_match":
        lost = strength if effect.kind in ("uniform", "flaky", "churn") else 0.0
        chance = _right(_RIGHT[difficulty][:, None], level, effect, lost, noise, rng)
        return (rng.random(shape) < np.where(broken, 0.0, chance)).astype(np.float64)
    if app.metric == "f1":
        overlap = _OVERLAP[difficulty][:, None] + 0.05 * level[:, 1:2] + _CHURN["f1"] * moved
        overlap = overlap - (strength if effect.kind in ("uniform", "churn") else 0.0)
        failing = noise.failing + (strength if effect.kind == "flaky" else 0.0)
        found = np.clip(overlap + rng.normal(0, 0.3 * noise.answer, shape), 0, 1)
        return np.where((rng.random(shape) < failing) | broken, 0.0, found)
    spread, wobble = (0.5, 0.25 * noise.answer) if app.metric == "cost" else (0.3, 0.6 * noise.answer)
    size = spread * level[:, 1:2] + (0.1 * moved if effect.kind == "churn" else 0.0)
    # Dearer or slower everywhere alike; where a few cases break, they become five times as dear.
    factor = np.where(broken, 5.0, 1.0 + (strength if effect.kind in ("uniform", "flaky", "churn") else 0.0))
    return np.asarray(0.004 * np.exp(size + rng.normal(0, wobble, shape)) * factor, dtype=np.float64)


def _right(
    chance: Values, level: Values, effect: Effect, strength: float, noise: Noise, rng: np.random.Generator
) -> Values:
    """The chance of a right answer: most cases are always right or always wrong, the rest waver in every repeat."""
    settled = level[:, 2:3] >= noise.wavering
    chance = np.where(settled, level[:, 3:4] < chance, chance)
    if effect.kind == "churn":
        # A share of cases is drawn anew: other cases are right, not fewer.
        anew = rng.random(chance.shape) < _CHURN["exact_match"]
        chance = np.where(anew, rng.random(chance.shape) < float(_RIGHT @ np.array(_SHARES)), chance)
    return np.asarray(chance * (1.0 - strength), dtype=np.float64)


@lru_cache(maxsize=256)
def _strength(app: App, effect: Effect) -> float:
    """How strong the effect must be for the wished change of the mean, by bisection on a fixed population."""
    if effect.kind == "none":
        return 0.0
    level = _levels(App(app.metric, app.noise), _POPULATION, np.random.default_rng(1))
    sign = 1.0 if METRICS[app.metric].higher_is_better else -1.0

    def mean(kind: Effect, strength: float) -> float:
        return float(_answers(app, level, kind, strength, 1, np.random.default_rng(2)).mean())

    wanted = mean(Effect(), 0.0) * (1.0 - sign * effect.drop)
    low, high = -1.0 if effect.kind == "churn" else 0.0, 1.0
    for _ in range(18):
        middle = (low + high) / 2.0
        if sign * (mean(effect, middle) - wanted) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0
