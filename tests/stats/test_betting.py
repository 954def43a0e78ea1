"""The betting e-process: never surer than it may be, however often one looks, and sure soon where it should be."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.stats import BettingProcess

ALPHA = 0.025


def _ever_sure(draw: np.ndarray, lowest: float) -> float:
    sure = 0
    for values in draw:
        process = BettingProcess(lowest)
        process.update(values)
        sure += process.peak >= -math.log(ALPHA)
    return sure / len(draw)


@pytest.mark.parametrize("kind", ["symmetric", "rare losses", "rare gains", "judge at the edge"])
def test_looking_at_every_value_errs_no_more_often_than_it_says(kind: str) -> None:
    rng = np.random.default_rng(1)
    shape = (2000, 400)
    base = rng.integers(1, 6, shape)
    values = {
        "symmetric": rng.choice([-1.0, 1.0], shape),
        "rare losses": np.where(rng.random(shape) < 0.05, -0.95, 0.05),
        "rare gains": np.where(rng.random(shape) < 0.05, 0.95, -0.05),
        "judge at the edge": np.clip(base * 0.92 + rng.choice([-1, 0, 1], shape) * 0.3, 0.92, 5) - 0.92 * base,
    }[kind]
    values = values - max(0.0, float(values.mean()))
    assert _ever_sure(values, float(values.min()) - 1e-9) <= ALPHA + 3 * math.sqrt(ALPHA / len(values))


def test_a_clear_gain_is_seen_soon() -> None:
    rng = np.random.default_rng(2)
    values = rng.choice([-1.0, 1.0], (500, 150), p=[0.25, 0.75])
    assert _ever_sure(values, -1.0) >= 0.95


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 30), min_size=1, max_size=6))
def test_values_may_come_in_portions(seed: int, sizes: list[int]) -> None:
    values = np.random.default_rng(seed).uniform(-1, 1, sum(sizes))
    whole, portions = BettingProcess(-1.0), BettingProcess(-1.0)
    whole.update(values)
    for part in np.split(values, np.cumsum(sizes)[:-1]):
        portions.update(part)
    portions.update(values[:0])
    assert portions.peak == pytest.approx(whole.peak, abs=1e-9)


@pytest.mark.parametrize("lowest", [0.0, 1.0, -math.inf, math.nan])
def test_without_a_possible_loss_there_is_no_bet(lowest: float) -> None:
    with pytest.raises(ValueError, match="negative lowest value"):
        BettingProcess(lowest)
