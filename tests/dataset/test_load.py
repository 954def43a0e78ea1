"""Sound files: every format gives the same cases, columns go where they belong, mistakes are told all at once."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluator.dataset import load_cases, stream_cases
from evaluator.errors import DatasetError
from evaluator.records import Case

EXPECTED = [
    Case("1", "환불 언제 되나요?", "refund", ("ko", "billing"), {"source": "mail"}, "doc-1"),
    Case("two", {"question": "Where?", "context": "家"}, ["here", "there"], (), {}, None),
]

JSONL = """{"id": 1, "input": "환불 언제 되나요?", "expected": "refund", "tags": ["ko", "billing"], "source": "mail", \
"cluster": "doc-1"}

{"id": "two", "input": {"question": "Where?", "context": "家"}, "expected": ["here", "there"]}
"""
CSV = """id,input,expected,tags,metadata.source,cluster
1,환불 언제 되나요?,refund,ko; billing,mail,doc-1

two,"{""question"": ""Where?"", ""context"": ""家""}","[""here"", ""there""]",,,
"""
JSON = """{"about": {"cases": []}, "cases": [
 {"id": 1, "input": "환불 언제 되나요?", "expected": "refund", "tags": ["ko", "billing"],
  "metadata": {"source": "mail"}, "cluster": "doc-1"},
 {"id": "two", "input": {"question": "Where?", "context": "家"}, "expected": ["here", "there"]}]}
"""
YAML = """cases:
- id: 1
  input: 환불 언제 되나요?
  expected: refund
  tags: [ko, billing]
  metadata: {source: mail}
  cluster: doc-1
- id: two
  input:
    question: Where?
    context: 家
  expected: [here, there]
"""


def without_line(cases: list[Case]) -> list[Case]:
    """Compare what was read, not where."""
    return [Case(c.id, c.input, c.expected, c.tags, dict(c.metadata), c.cluster) for c in cases]


def parquet(path: Path, rows: list[dict[str, object]]) -> None:
    """Write rows as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist(rows), path)


@pytest.mark.parametrize(
    ("file", "content", "lines"),
    [
        ("golden.jsonl", JSONL, [1, 3]),
        ("golden.ndjson", JSONL.replace("\n", "\r\n"), [1, 3]),
        ("golden.JSONL", "\ufeff" + JSONL.rstrip("\n"), [1, 3]),
        ("golden.csv", CSV, [2, 4]),
        ("windows.csv", "\ufeff" + CSV.replace("\n", "\r\n"), [2, 4]),
        ("golden.json", JSON, [2, 4]),
        ("golden.yaml", YAML, [2, 8]),
        ("golden.yml", YAML.removeprefix("cases:\n"), [1, 7]),
    ],
)
def test_every_text_format_gives_the_same_cases(tmp_path: Path, file: str, content: str, lines: list[int]) -> None:
    path = tmp_path / file
    path.write_text(content, encoding="utf-8", newline="")
    cases = load_cases(path)
    assert without_line(cases) == EXPECTED
    assert [case.line for case in cases] == lines


def test_parquet_gives_cases_with_row_numbers_and_json_forms(tmp_path: Path) -> None:
    import datetime
    import decimal

    path = tmp_path / "golden.parquet"
    rows: list[dict[str, object]] = [
        {"id": number, "input": {"q": f"질문 {number}"}, "tags": ["ko"], "day": datetime.date(2026, 1, 2)}
        for number in range(600)
    ]
    rows[0]["price"] = decimal.Decimal("1.50")
    parquet(path, rows)
    cases = load_cases(path)
    assert len(cases) == 600
    assert cases[0] == Case("0", {"q": "질문 0"}, None, ("ko",), {"day": "2026-01-02", "price": "1.50"}, None, 1)
    assert (cases[599].line, cases[599].metadata) == (600, {"day": "2026-01-02"})


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"question": "x"}], "golden.parquet:1: there is no column 'input', found 'question'"),
        ([{"input": "x"}, {"input": None}], "golden.parquet:2: 'input' is null"),
        ([{"input": "x", "score": 0.5}, {"input": "y", "score": float("nan")}], "golden.parquet:2: the column 'score'"),
        ([{"input": "x", "raw": b"\x00"}], "golden.parquet:1: the column 'raw' holds a value of type 'bytes'"),
    ],
)
def test_parquet_mistakes_name_the_row(tmp_path: Path, rows: list[dict[str, object]], message: str) -> None:
    path = tmp_path / "golden.parquet"
    parquet(path, rows)
    with pytest.raises(DatasetError) as caught:
        load_cases(path, name="golden.parquet")
    assert caught.value.message.startswith(message)
    assert caught.value.hint


def test_fields_rename_columns_and_the_rest_becomes_metadata(tmp_path: Path) -> None:
    path = tmp_path / "golden.jsonl"
    path.write_text('{"question": "q", "answer": "a", "input": "kept", "metadata": {"x": 1}, "metadata.y": 2}\n')
    (case,) = load_cases(path, fields={"input": "question", "expected": "answer"})
    assert (case.input, case.expected) == ("q", "a")
    assert case.metadata == {"x": 1, "input": "kept", "y": 2}


def test_fields_that_do_not_exist_are_refused_with_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "golden.jsonl"
    path.write_text('{"input": "q"}\n')
    with pytest.raises(DatasetError, match=r"golden.jsonl: fields names 'inputs'.*did you mean 'input'"):
        load_cases(path, name="golden.jsonl", fields={"inputs": "question"})


def test_csv_cells_stay_text_unless_they_are_lists_or_objects(tmp_path: Path) -> None:
    path = tmp_path / "golden.csv"
    path.write_text('input,expected,tags,level\n[not json,007,"[""a,b""]",3\n"two\nlines",no,"x,y",\n')
    first, second = load_cases(path)
    assert (first.input, first.expected, first.tags, first.metadata) == ("[not json", "007", ("a,b",), {"level": "3"})
    assert (second.input, second.expected, second.tags, second.metadata) == ("two\nlines", "no", ("x", "y"), {})


def test_yaml_scalars_follow_json_so_no_stays_text(tmp_path: Path) -> None:
    path = tmp_path / "golden.yaml"
    path.write_text("- input: [no, 007, 2024-01-01, '1', 1, -1.5e2, true, ~, 12:30, 0x1f, !!str 5]\n")
    (case,) = load_cases(path)
    assert case.input == ["no", "007", "2024-01-01", "1", 1, -150.0, True, None, "12:30", "0x1f", "5"]


def test_an_empty_input_is_a_case_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "golden.jsonl"
    path.write_text('{"input": ""}\n{"input": []}\n{"input": false}\n{"input": 0}\n')
    assert [case.input for case in load_cases(path)] == ["", [], False, 0]


def test_all_mistakes_of_a_file_are_told_at_once_up_to_twenty(tmp_path: Path) -> None:
    path = tmp_path / "golden.jsonl"
    path.write_text("".join(f'{{"inputs": {number}}}\n' for number in range(50)))
    with pytest.raises(DatasetError) as caught:
        load_cases(path, name="golden.jsonl")
    lines = caught.value.message.splitlines()
    assert len(lines) == 21
    assert [line.split(":")[1] for line in lines[:20]] == [str(number) for number in range(1, 21)]
    assert lines[20] == "... and 30 more"
    assert caught.value.hint.count("rename the key") == 1


def test_different_mistakes_of_one_row_are_all_told(tmp_path: Path) -> None:
    path = tmp_path / "golden.jsonl"
    path.write_text('{"id": [], "tags": "x", "metadata": 3}\n')
    with pytest.raises(DatasetError) as caught:
        load_cases(path)
    assert len(caught.value.message.splitlines()) == 4


def test_a_stream_gives_no_case_after_the_first_mistake(tmp_path: Path) -> None:
    path = tmp_path / "golden.jsonl"
    path.write_text('{"id":"a","input": 1}\n{}\n{"id":"b","input": 2}\n')
    given: list[str] = []
    with pytest.raises(DatasetError):
        given.extend(case.id for case in stream_cases(path))
    stream = stream_cases(path)
    assert next(stream).id == "a"
    with pytest.raises(DatasetError):
        next(stream)


def test_folders_pipes_and_missing_files_are_refused_without_blocking(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    folder = tmp_path / "folder.jsonl"
    folder.mkdir()
    for path, found in ((pipe, "a special file"), (folder, "a folder"), (tmp_path / "no.jsonl", "no such file")):
        with pytest.raises(DatasetError, match=f"golden: .*{found}"):
            load_cases(path, name="golden")


def test_untrusted_text_in_messages_is_short_and_visible(tmp_path: Path) -> None:
    path = tmp_path / "golden.jsonl"
    row = {"input": "x", "tags": "\u202e\x1b[31m##[error]" + "y" * 1000}
    path.write_text(json.dumps(row) + "\n")
    with pytest.raises(DatasetError) as caught:
        load_cases(path, name="::error::golden\n.jsonl")
    message = caught.value.message
    assert message.startswith("./::error::golden\\n.jsonl:1: ")
    assert message.isprintable()
    assert "##[" not in message
    assert len(message) < 200


def test_a_missing_parquet_extra_says_how_to_install_it(tmp_path: Path, run_python: Callable[..., str]) -> None:
    path = tmp_path / "golden.parquet"
    path.write_bytes(b"PAR1")
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from pathlib import Path; from evaluator.dataset import load_cases\n"
        "from evaluator.errors import DatasetError\n"
        "try: load_cases(Path(sys.argv[1]), name='g.parquet')\n"
        "except DatasetError as error: print(error)\n"
    )
    told = run_python(code, path)
    assert "g.parquet: reading Parquet needs pyarrow" in told
    assert "pip install 'llm-eval-gate[parquet]'" in told


def test_reading_cases_imports_nothing_heavy(tmp_path: Path, run_python: Callable[..., str]) -> None:
    path = tmp_path / "golden.jsonl"
    path.write_text('{"input": "x"}\n')
    code = (
        "import sys; from pathlib import Path; from evaluator.dataset import load_cases\n"
        "load_cases(Path(sys.argv[1]))\n"
        "print([name for name in ('numpy', 'yaml', 'pyarrow', 'pydantic') if name in sys.modules])\n"
    )
    assert run_python(code, path).strip() == "[]"
