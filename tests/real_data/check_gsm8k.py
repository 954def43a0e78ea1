"""numeric and regex agree with the recorded correctness of two real systems on all of GSM8K."""

import asyncio

import pytest

from evaluator.dataset.load import load_cases
from evaluator.records import Output
from tests.real_data.conftest import DataFile, Rows
from tests.scoring.conftest import make_scorer

CASES = 1319
# The systems end with a line "A: 42"; four outputs were cut off before it.
OPTIONS = {
    "numeric": {"numeric": {"pattern": r"A: (.*)"}},
    "regex": {"regex": {"pattern": r"A: (.*)", "compare": True}},
}


@pytest.mark.parametrize("scorer", OPTIONS)
@pytest.mark.parametrize(("system", "right"), [("6b_finetuning", 286), ("6b_verification", 515)])
def test_the_scorer_agrees_with_every_record(
    data_file: DataFile, rows: Rows, scorer: str, system: str, right: int
) -> None:
    cases = {case.id: case for case in load_cases(data_file("gsm8k_test.jsonl"))}
    recorded = rows(f"gsm8k_outputs/{system}.jsonl")
    assert [row["id"] for row in recorded] == list(cases)
    made = make_scorer(OPTIONS[scorer])

    async def score_all() -> dict[str, float]:
        values = {}
        for row in recorded:
            score = await made.score(cases[row["id"]], Output(text=row["output"]))
            assert score.failure is None, score.failure
            values[row["id"]] = score.values[scorer]
        return values

    values = asyncio.run(score_all())
    wrong = [row["id"] for row in recorded if values[row["id"]] != float(row["is_correct"])]
    print(f"{scorer} on {system}: {CASES - len(wrong)} of {len(recorded)} agree")
    assert wrong == []
    assert (len(values), sum(values.values())) == (CASES, right)
