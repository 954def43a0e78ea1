"""Variance components: what was put in comes out."""

import math

import numpy as np
import pytest

from evaluator.stats import variance_split


def _cube(rng: np.random.Generator, cases: int, answers: int, judgements: int) -> np.ndarray:
    case = rng.normal(4, 0.8, (cases, 1, 1))
    answer = rng.normal(0, 0.5, (cases, answers, 1))
    return case + answer + rng.normal(0, 0.3, (cases, answers, judgements))


def test_the_components_of_a_simulation_are_found() -> None:
    found = variance_split(_cube(np.random.default_rng(1), 3000, 3, 2))
    assert found is not None
    assert (found.cases, found.app, found.judge) == pytest.approx((0.64, 0.25, 0.09), rel=0.08)
    assert found.judge_share == pytest.approx(0.09 / 0.34, rel=0.08)


def test_missing_answers_and_judgements_do_not_shift_the_components() -> None:
    rng = np.random.default_rng(2)
    cube = _cube(rng, 4000, 3, 2)
    cube[rng.random((4000, 3)) < 0.2] = np.nan
    cube[..., 1][rng.random((4000, 3)) < 0.5] = np.nan
    found = variance_split(cube)
    assert found is not None
    assert (found.cases, found.app, found.judge) == pytest.approx((0.64, 0.25, 0.09), rel=0.1)


def test_without_a_second_judgement_the_app_holds_both() -> None:
    found = variance_split(_cube(np.random.default_rng(3), 3000, 3, 1)[:, :, 0])
    assert found is not None
    assert found.app == pytest.approx(0.34, rel=0.08)
    assert (found.judge, found.agreement, found.judge_share) == (None, None, None)


def test_one_answer_a_case_tells_nothing_of_sampling() -> None:
    assert variance_split(np.ones((10, 1))) is None
    assert variance_split(np.full((10, 3), np.nan)) is None


def test_agreement_is_the_share_of_equal_judgements() -> None:
    scores = np.array([[[4, 4], [5, 5]], [[3, 4], [2, 2]]], dtype=float)
    found = variance_split(scores)
    assert found is not None
    assert found.agreement == 0.75


def test_fresh_answers_shrink_the_error_more_than_fresh_judgements() -> None:
    found = variance_split(_cube(np.random.default_rng(4), 500, 3, 2))
    assert found is not None
    assert found.error(500, 3) < found.error(500, 1, 3) < found.error(500, 1)
    assert found.error(500, 3, 2) == pytest.approx(math.sqrt((0.64 + 0.25 / 3 + 0.09 / 6) / 500), rel=0.1)
