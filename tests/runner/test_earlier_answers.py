"""What earlier answers took is read one answer at a time."""

import gzip
import json
import tracemalloc
from pathlib import Path

from evaluator.journal.codec import output_to_json
from evaluator.records import Output
from evaluator.runner.baselines import Known
from evaluator.runner.estimate import Earlier, earlier


def test_memory_does_not_grow_with_the_answers(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl.gz"
    with gzip.open(path, "wt") as file:
        for number in range(2_000):
            output = output_to_json(Output(text="x" * 2_000 + str(number), cost_usd=0.5))
            file.write(json.dumps([f"c{number}", output, {}]) + "\n")
    tracemalloc.start()
    try:
        found = earlier(Known({}, 1, path))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == Earlier(0.0, 0.5)
    assert most < 1_000_000
