"""`compare` of two real systems on GSM8K: the right verdict and interval, from plain files of scores."""

import json
import math
from pathlib import Path

import pytest

from evaluator.dataset.load import load_cases
from tests.pipeline.commands import command
from tests.real_data.conftest import DataFile, Rows

WORSE, BETTER = "6b_finetuning", "6b_verification"


@pytest.fixture
def score_files(rows: Rows, tmp_path: Path) -> dict[str, Path]:
    files = {}
    for system in (WORSE, BETTER):
        files[system] = tmp_path / f"{system}.jsonl"
        scored = ({"id": row["id"], "correct": row["is_correct"]} for row in rows(f"gsm8k_outputs/{system}.jsonl"))
        files[system].write_text("".join(json.dumps(row) + "\n" for row in scored), "utf-8")
    return files


def test_the_worse_system_fails_and_the_better_one_passes(score_files: dict[str, Path], tmp_path: Path) -> None:
    down = command(tmp_path / "home", "compare", str(score_files[BETTER]), str(score_files[WORSE]), "--json")
    up = command(tmp_path / "home", "compare", str(score_files[WORSE]), str(score_files[BETTER]), "--json")
    assert (down.code, up.code) == (1, 0)
    [row] = down.json["verdict"]["objectives"]
    assert (row["base"], row["head"]) == (pytest.approx(515 / 1319), pytest.approx(286 / 1319))
    print(f"change {row['change']:.4f}, {row['interval']['low']:.4f} to {row['interval']['high']:.4f}")


def test_the_interval_is_the_published_one(score_files: dict[str, Path], rows: Rows, tmp_path: Path) -> None:
    """Bonett & Price 2006, ratio of paired proportions, written out once more from the paper's formula (n > 100)."""
    base = {row["id"]: row["is_correct"] for row in rows(f"gsm8k_outputs/{BETTER}.jsonl")}
    head = {row["id"]: row["is_correct"] for row in rows(f"gsm8k_outputs/{WORSE}.jsonl")}
    both = sum(base[case] and head[case] for case in base)
    only_base, only_head = sum(base.values()) - both, sum(head.values()) - both
    # The delta method on the log of the ratio, with the covariance of paired counts.
    ratio = (both + only_head) / (both + only_base)
    error = math.sqrt((only_base + only_head) / ((both + only_base) * (both + only_head)))
    expected = [ratio * math.exp(sign * 1.959964 * error) - 1 for sign in (-1, 1)]
    said = command(tmp_path / "home", "compare", str(score_files[BETTER]), str(score_files[WORSE]), "--json")
    interval = said.json["verdict"]["objectives"][0]["interval"]
    assert interval["low"] == pytest.approx(expected[0], abs=0.01)
    assert interval["high"] == pytest.approx(expected[1], abs=0.01)


def test_all_real_golden_sets_are_read(data_file: DataFile) -> None:
    counts = {
        "clinc150_test_full.jsonl": 5500,
        "banking77_308.jsonl": 308,
        "xquad_en_200.jsonl": 200,
        "nq_open_200.jsonl": 200,
        "klue_nli_300.jsonl": 300,
        "gsm8k_test.jsonl": 1319,
        "mt_bench_80.jsonl": 80,
    }
    for name, count in counts.items():
        assert len(load_cases(data_file(name))) == count
