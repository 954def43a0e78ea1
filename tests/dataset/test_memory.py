"""Large files: memory is bounded by a line, not by the file, and huge lines are named rather than read."""

import json
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluator.dataset import stream_cases
from evaluator.errors import DatasetError

MB = 1024 * 1024
KB_OR_BYTES = 1 if sys.platform == "darwin" else 1024
"""Unit of the system's count of memory."""


def peak(work: Callable[[], object]) -> int:
    """Run something and give the most memory that it held at once, in bytes."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


GROWTH = """
import resource, sys
from pathlib import Path
from evaluator.dataset import stream_cases
small, large = (Path(name) for name in sys.argv[1:])
assert sum(1 for _ in stream_cases(small)) == 1
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
count = sum(1 for _ in stream_cases(large))
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def write_rows(path: Path, rows: int, padding: int) -> None:
    """Write a file of rows in the format that its suffix names."""
    texts = (f"question {n} " + "x" * padding for n in range(rows))
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(
            pa.table({"id": range(rows), "input": list(texts)}), path, compression="none", row_group_size=2000
        )
        return
    with path.open("w") as file:
        if path.suffix == ".csv":
            file.write("id,input\n")
            file.writelines(f"{n},{text}\n" for n, text in enumerate(texts))
        else:
            file.writelines(f'{{"id": {n}, "input": "{text}"}}\n' for n, text in enumerate(texts))


# 200,000 ids take 6 MB in their table of 12 bytes a slot, and half as much again while it grows; Arrow keeps a pool.
@pytest.mark.parametrize(
    ("suffix", "rows", "padding", "limit"),
    [("jsonl", 200_000, 150, 14 * MB), ("csv", 40_000, 900, 8 * MB), ("parquet", 40_000, 900, 24 * MB)],
)
def test_memory_does_not_grow_with_the_file(
    tmp_path: Path, run_python: Callable[..., str], suffix: str, rows: int, padding: int, limit: int
) -> None:
    small, large = tmp_path / f"small.{suffix}", tmp_path / f"large.{suffix}"
    write_rows(small, 1, padding)
    write_rows(large, rows, padding)
    assert large.stat().st_size > 34 * MB
    # A process of its own: the system's own count of memory, and no slow tracing.
    count, grown = map(int, run_python(GROWTH, small, large).split())
    assert count == rows
    assert grown * KB_OR_BYTES < limit


def test_a_line_of_100_mb_is_named_and_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "golden.jsonl"
    last = json.dumps({"inputs": "나중"}, ensure_ascii=False).encode()
    with path.open("wb") as file:
        file.write(b'{"id": "a", "input": "one"}\n{"id": "b", "input": "')
        file.seek(100 * MB)  # Sparse: the hole reads as NUL and takes no disk.
        file.write(b'"}\n' + last + b"\n")
    raised: list[DatasetError] = []

    def read() -> None:
        with pytest.raises(DatasetError) as caught:
            list(stream_cases(path, name="golden.jsonl"))
        raised.append(caught.value)

    assert peak(read) < 40 * MB
    first, second = raised[0].message.splitlines()
    assert first == "golden.jsonl:2: the line is longer than 16 MB"
    assert second.startswith("golden.jsonl:3: the row has no 'input'")
    assert "split the row" in raised[0].hint


def test_a_long_line_within_the_limit_is_read(tmp_path: Path) -> None:
    path = tmp_path / "golden.csv"
    path.write_text("id,input\n1," + "가" * (2 * MB) + "\n")
    (case,) = stream_cases(path)
    assert case.input == "가" * (2 * MB)


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_formats_read_whole_have_a_limit_and_point_to_json_lines(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"golden.{suffix}"
    with path.open("wb") as file:
        file.write(b"[" + b" " * 300)
        file.seek(51 * MB)
        file.write(b"]")
    with pytest.raises(DatasetError, match=r"golden:1: the file is larger than 50 MB") as caught:
        list(stream_cases(path, name="golden"))
    assert ".jsonl" in caught.value.hint


def test_a_quote_left_open_in_a_large_csv_file_does_not_hold_the_file(tmp_path: Path) -> None:
    path = tmp_path / "golden.csv"
    path.write_text('id,input\n1,"' + "word " * 200 + "\n" + ("2," + "y" * 998 + "\n") * 20_000)
    with pytest.raises(DatasetError, match=r"golden:2: a quoted cell that starts in this row is never closed"):
        list(stream_cases(path, name="golden"))
