"""Kept runs: found by content alone, pooled, never mixed, never believed when damaged or old."""

from pathlib import Path

import numpy as np
import pytest

from evaluator.errors import InfrastructureError
from evaluator.journal.journal import TRIALS, Journal
from evaluator.records import Call, Output, Score, Usage
from evaluator.results.table import Table
from evaluator.runner.baselines import Baselines, content_key, read_answers

IDS = ("가", "b", "c")
DAY = 86_400.0


def kept(
    folder: Path, run_id: str, first: float, *, now: float = 1_000.0, cached: bool = False, outages: int = 0,
    measured_in: str | None = None, judged_in: str = "", ids: tuple[str, ...] = IDS,
) -> str:  # fmt: skip
    """Keep a run whose values are first, first + 1, ...; two repeats."""
    values = np.arange(len(ids) * 2, dtype=np.float64).reshape(len(ids), 2) + first
    table = Table(ids, {"head": {"f1": values, "error_rate": np.zeros((len(ids), 2))}}, None, {"head": outages}, 0)
    call = Call("openai", "m", Usage(1, 1), 0.1, 0.5, cached=cached, measured_in=measured_in or run_id)
    judged = (Call("openai", "j", Usage(1, 1), 0.1, 0.5, measured_in=judged_in),) if judged_in else ()
    with Journal(folder / f"{run_id}.sqlite", identity="x") as journal:
        for name in ids:
            journal.put_output(name, "head", 0, Output(text=f"{run_id} {name}", calls=(call,)))
            journal.put_score(name, "head", 0, Score("f1", {"f1": 0.5}, calls=judged))
        return Baselines(folder / "kept").keep("key", run_id, table, journal, now=now)


def known(folder: Path, *, most: int = 8, now: float = 2_000.0, ids: tuple[str, ...] = IDS, key: str = "key"):  # type: ignore[no-untyped-def]
    return Baselines(folder / "kept").known(key, ids, most_runs=most, max_age_s=DAY, now=now)


def test_runs_of_one_content_are_pooled_as_repeats_in_the_order_of_cases_that_is_asked_for(tmp_path: Path) -> None:
    assert kept(tmp_path, "run-1", 0.0) == ""
    assert kept(tmp_path, "run-2", 100.0) == ""
    found = known(tmp_path, ids=("c", "가", "b"))
    assert found.runs == 2
    assert sorted(found.columns) == ["error_rate", "f1"]
    assert sorted(found.columns["f1"][1].tolist()) == [0.0, 1.0, 100.0, 101.0]
    answers = {
        case_id: (output.text, output.cached, scores[0].values) for case_id, output, scores in read_answers(found)
    }
    assert answers["가"][0] in ("run-1 가", "run-2 가")
    assert answers["가"][1:] == (True, {"f1": 0.5})
    assert known(tmp_path, most=1).columns["f1"].shape == (3, 2)


def test_another_content_other_cases_and_old_runs_are_no_baseline(tmp_path: Path) -> None:
    assert known(tmp_path) is None
    assert kept(tmp_path, "run-1", 0.0) == ""
    assert known(tmp_path, key="other") is None
    assert known(tmp_path, ids=("가", "b")) is None
    assert known(tmp_path, ids=(*IDS, "d")) is None
    assert known(tmp_path, now=1_000.0 + DAY + 1) is None
    assert known(tmp_path) is not None
    assert content_key({"a": 1, "b": None}) == content_key({"b": None, "a": 1}) != content_key({"a": 1})


def test_a_run_with_outages_or_with_answers_of_another_run_is_not_kept(tmp_path: Path) -> None:
    assert "outside the app" in kept(tmp_path, "run-1", 0.0, outages=1)
    assert "an earlier run" in kept(tmp_path, "run-3", 0.0, measured_in="run-1")
    assert "an earlier run" in kept(tmp_path, "run-4", 0.0, judged_in="run-1")
    assert known(tmp_path) is None
    # Two equal questions of one run share an answer, and it is this run's.
    assert kept(tmp_path, "run-5", 0.0, cached=True) == ""


def test_the_same_run_is_kept_once_and_the_oldest_go(tmp_path: Path) -> None:
    for number in range(23):
        assert kept(tmp_path, f"run-{number}", float(number)) == ""
        assert kept(tmp_path, f"run-{number}", 999.0) == ""
    assert len(list((tmp_path / "kept" / "key").iterdir())) == 20
    assert known(tmp_path, most=100).columns["f1"].max() < 100


def test_no_bit_that_flips_makes_anything_but_a_missing_run(tmp_path: Path) -> None:
    assert kept(tmp_path, "run-1", 0.0) == ""
    file = tmp_path / "kept" / "key" / "run-1" / "values.npz"
    whole = file.read_bytes()
    for place in range(0, len(whole), 3):
        data = bytearray(whole)
        data[place] ^= 0x55
        file.write_bytes(data)
        found = known(tmp_path)
        assert found is None or found.columns["f1"].tolist() == [[0, 1], [2, 3], [4, 5]]


@pytest.mark.parametrize("damage", ["cut", "flip", "other", "gone"])
def test_a_damaged_run_is_left_out(tmp_path: Path, damage: str) -> None:
    assert kept(tmp_path, "run-1", 0.0) == ""
    file = tmp_path / "kept" / "key" / "run-1" / "values.npz"
    data = bytearray(file.read_bytes())
    if damage == "cut":
        file.write_bytes(data[: len(data) // 2])
    elif damage == "flip":
        data[len(data) // 3] ^= 0xFF
        file.write_bytes(data)
    elif damage == "other":
        file.write_text("not a zip")
    else:
        file.unlink()
    found = known(tmp_path)
    # A flipped bit that no value hangs on may leave the run readable; it never gives other values.
    assert found is None or found.columns["f1"].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert kept(tmp_path, "run-2", 7.0) == ""
    assert known(tmp_path).columns["f1"][0, 0] == 7.0


def test_damaged_answers_are_left_out_of_the_report_only(tmp_path: Path) -> None:
    assert kept(tmp_path, "run-1", 0.0) == ""
    (tmp_path / "kept" / "key" / "run-1" / "answers.jsonl.gz").write_bytes(b"\x1f\x8bgarbage")
    assert list(read_answers(known(tmp_path))) == []


def test_a_folder_that_cannot_be_written_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file where the folder should be")
    with pytest.raises(InfrastructureError, match="LLM_EVAL_GATE_HOME"):
        kept(tmp_path, "run-1", 0.0)


def test_the_trials_of_a_judge_may_be_an_earlier_runs(tmp_path: Path) -> None:
    values = np.zeros((1, 1))
    table = Table(("a",), {"head": {"f1": values, "error_rate": values}}, None, {"head": 0}, 0)
    with Journal(tmp_path / "run.sqlite", identity="x") as journal:
        call = Call("openai", "j", Usage(1, 1), 0.1, 0.5, cached=True, measured_in="another")
        journal.put_score(TRIALS, "head", 0, Score("canaries", calls=(call,)))
        assert Baselines(tmp_path / "kept").keep("key", "run-1", table, journal) == ""
