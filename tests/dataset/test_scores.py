"""Files of scores: what is read, what is missing, what is refused, and how two tables are aligned."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.dataset.scores import ScoreTable, align, load_scores
from evaluator.errors import DatasetError


def write(folder: Path, content: str, name: str = "scores.csv") -> Path:
    """Write a file and give its path."""
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def rows(table: ScoreTable, column: str) -> list[list[float | None]]:
    """Give a column as lists, None where it is missing."""
    return [[None if math.isnan(value) else value for value in line] for line in table.columns[column].tolist()]


CSV = """id,repeat,f1,ok,cluster,tags,answer
가,1,0.5,true,d1,ko;qa,some text
b,1,,FALSE,,,more text
가,2,1e-1,False,d1,ko;qa,
"""
JSONL = """{"id": "가", "repeat": 0, "f1": 0.5, "ok": true, "cluster": "d1", "tags": ["ko", "qa"], "answer": "text"}
{"id": "b", "repeat": 0, "f1": null, "ok": false, "answer": ["more"]}
{"id": "가", "repeat": 1, "f1": 0.1, "ok": false}
"""


@pytest.mark.parametrize(("name", "content"), [("scores.csv", CSV), ("scores.jsonl", JSONL)])
def test_repeats_missing_scores_and_truth_values_are_read(tmp_path: Path, name: str, content: str) -> None:
    table = load_scores(write(tmp_path, content, name), name="base")
    assert table.ids == ["가", "b"]
    assert rows(table, "f1") == [[0.5, 0.1], [None, None]]
    assert rows(table, "ok") == [[1.0, 0.0], [0.0, None]]
    assert table.clusters == ["d1", None]
    assert table.tags == [("ko", "qa"), ()]
    assert table.ignored == ("answer",)
    assert list(table.columns) == ["f1", "ok"]
    assert all(values.dtype == np.float64 for values in table.columns.values())


def test_a_key_that_appears_late_is_missing_before(tmp_path: Path) -> None:
    table = load_scores(write(tmp_path, '{"id":1,"a":1}\n{"id":2,"b":2}\n{"id":3,"a":3}\n', "s.jsonl"))
    assert (rows(table, "a"), rows(table, "b")) == ([[1.0], [None], [3.0]], [[None], [2.0], [None]])
    assert table.clusters is None
    assert table.ids == ["1", "2", "3"]


def test_only_the_metrics_that_are_asked_for_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, "id,score,note\na,0.5,7\nb,0.5,seven\n")
    assert list(load_scores(path, metrics=["score"]).columns) == ["score"]
    with pytest.raises(DatasetError, match="s:3: the column 'note' holds the text 'seven'"):
        load_scores(path, name="s", metrics=["note"])
    with pytest.raises(DatasetError, match="no column 'scores'; did you mean 'score'") as caught:
        load_scores(path, metrics=["scores"])
    assert "id, score, note" in caught.value.hint


SPREAD = "".join(f"c{n},{n % 1000 + 1},1\n" for n in range(20_001))
MISTAKES = [
    ("text", "id,f1\na,1\nb,high\n", 3, "the column 'f1' holds the text 'high', expected a finite number"),
    ("NaN as text", "id,f1\na,1\nb,NaN\n", 3, "the column 'f1' holds the text 'NaN'"),
    ("only NaN", "id,f1\na,nan\n", 2, "the column 'f1' holds the text 'nan'"),
    ("infinity", "id,f1\na,1\nb,-inf\n", 3, "holds the text '-inf'"),
    ("beyond doubles", "id,f1\na,1\nb,1e999\n", 3, "holds the text '1e999'"),
    ("decimal comma", 'id,f1\na,1\nb,"0,5"\n', 3, "holds the text '0,5'"),
    ("underscore", "id,f1\na,1\nb,1_0\n", 3, "holds the text '1_0'"),
    ("per cent", "id,f1\na,1\nb,85%\n", 3, "holds the text '85%'"),
    ("repeated id", "id,f1\na,1\nb,1\na,0\n", 4, "the id 'a' is already used on line 2"),
    ("repeated repeat", "id,repeat,f1\na,1,1\na,2,1\na,2,0\n", 4, "'a' with repeat 2 is already used on line 3"),
    ("repeat is a fraction", "id,repeat,f1\na,1.5,1\n", 2, "the repeat is the text '1.5'"),
    ("repeat is negative", "id,repeat,f1\na,-1,1\n", 2, "the repeat is the text '-1'"),
    ("repeat is huge", "id,repeat,f1\na,1001,1\n", 2, "the repeat is the number 1001"),
    ("repeat is empty", "id,repeat,f1\na,,1\n", 2, "the repeat is the text ''"),
    ("id is empty", "id,f1\n,1\n", 2, "the id is empty"),
    ("no id column", "case,f1\na,1\n", 1, "no column 'id'"),
    ("no number", "id,f1\na,x\n", 1, "no column holds a number"),
    ("no metric", "id,tags\na,x\n", 1, "no column holds a number (columns besides id: none)"),
    ("no rows", "id,f1\n", 1, "the file has no scores"),
    (
        "cluster moves",
        "id,repeat,f1,cluster\na,1,1,x\na,2,1,y\n",
        3,
        "the cluster of this case differs from",
    ),
    ("tags move", "id,repeat,f1,tags\na,1,1,x\na,2,1,y\n", 3, "the tags of this case differs from"),
    ("too many cells", "id,repeat,f1\n" + SPREAD, 1, "20001 cases x 1000 repeats x 1 metrics"),
    ("too many columns", "id," + ",".join(f"m{n}" for n in range(250)) + "\na" + ",1" * 250 + "\n", 2, "more than 200"),
]
JSON_MISTAKES = [
    ("number in quotes", '{"id":"a","f1":1}\n{"id":"b","f1":"0.5"}\n', 2, "holds the text '0.5'"),
    ("NaN", '{"id":"a","f1":NaN}\n', 1, "NaN is not JSON"),
    ("list", '{"id":"a","f1":1}\n{"id":"b","f1":[1]}\n', 2, "holds a list"),
    ("huge", '{"id":"a","f1":1}\n{"id":"b","f1":1' + "0" * 400 + "}\n", 2, "holds a very large number"),
    ("id missing", '{"id":"a","f1":1}\n{"Id":"b","f1":1}\n', 2, "no 'id': found 'Id'"),
    ("id is a list", '{"id":["a"],"f1":1}\n', 1, "the id is a list"),
    ("repeat in some rows", '{"id":"a","f1":1}\n{"id":"a","f1":1,"repeat":1}\n', 2, "has a repeat, unlike the rows"),
    ("repeat lost", '{"id":"a","f1":1,"repeat":1}\n{"id":"b","f1":1}\n', 2, "has no repeat, unlike the rows"),
    ("repeat is true", '{"id":"a","f1":1,"repeat":true}\n', 1, "the repeat is true"),
    ("tags are text", '{"id":"a","f1":1,"tags":"x"}\n', 1, "the tags are the text 'x'"),
    ("cluster is a list", '{"id":"a","f1":1,"cluster":[1]}\n', 1, "the cluster is a list"),
    ("cut off", '{"id":"a","f1":1}\n{"id":"a","f1', 2, "seems cut off"),
]


@pytest.mark.parametrize(
    ("file", "content", "line", "found"),
    [pytest.param("s.csv", *row[1:], id=row[0]) for row in MISTAKES]
    + [pytest.param("s.jsonl", *row[1:], id=f"JSON: {row[0]}") for row in JSON_MISTAKES],
)
def test_a_mistake_in_scores_names_file_line_and_column(
    tmp_path: Path, file: str, content: str, line: int, found: str
) -> None:
    with pytest.raises(DatasetError) as caught:
        load_scores(write(tmp_path, content, file), name=f"out/{file}")
    assert caught.value.message.startswith(f"out/{file}:{line}: ")
    assert found in caught.value.message
    assert len(caught.value.message.splitlines()) == 1
    assert caught.value.hint


def test_many_mistakes_are_counted(tmp_path: Path) -> None:
    content = "id,f1\n" + "a,1\n" * 40 + "".join(f"b{n},x\n" for n in range(30))
    with pytest.raises(DatasetError) as caught:
        load_scores(write(tmp_path, content))
    assert caught.value.message.splitlines()[-1] == "... and 10 more"


MEASURE = """
import resource, sys, time
from pathlib import Path
from evaluator.dataset.scores import load_scores
started = time.process_time()
table = load_scores(Path(sys.argv[1]))
print(table.columns["judge"].shape, table.columns["judge"][:3].tolist(), sep=";", end=";")
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)
print(time.process_time() - started, peak, sep=";")
"""


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_100_000_rows_load_in_seconds_and_little_memory(
    tmp_path: Path, run_python: Callable[..., str], suffix: str
) -> None:
    if suffix == "csv":
        lines = (f"case-{n // 2},{n % 2 + 1},{n % 97 / 97},{n % 5 + 1},{n % 3 == 0}\n" for n in range(100_000))
        content = "id,repeat,f1,judge,ok\n" + "".join(lines)
    else:
        row = '{{"id": "case-{}", "repeat": {}, "f1": {}, "judge": {}, "ok": true}}\n'
        content = "".join(row.format(n // 2, n % 2 + 1, n % 97 / 97, n % 5 + 1) for n in range(100_000))
    path = write(tmp_path, content, f"s.{suffix}")
    shape, first, seconds, megabytes = run_python(MEASURE, path).strip().split(";")
    assert (shape, first) == ("(50000, 2)", "[[1.0, 2.0], [3.0, 4.0], [5.0, 1.0]]")
    assert float(seconds) < 4, "takes about 0.9 s on an idle core"
    assert float(megabytes) < 150, "the whole process takes about 60 MB"


def table(
    ids: list[str], clusters: list[str | None] | None = None, name: str = "t", **columns: list[list[float]]
) -> ScoreTable:
    """Make a table of scores."""
    arrays = {column: np.array(values, dtype=np.float64) for column, values in columns.items()}
    return ScoreTable(name, ids, arrays, clusters, [(name,) for _ in ids], ())


def test_alignment_keeps_cases_of_one_side_as_missing_and_tells_them() -> None:
    base = table(["a", "b", "c"], f1=[[1], [2], [3]], old=[[0], [0], [0]], name="base")
    head = table(["d", "c", "a"], f1=[[40, 41], [30, 31], [10, 11]], new=[[0], [0], [0]], name="head")
    aligned = align(base, head)
    assert aligned.ids == ["a", "b", "c", "d"]
    np.testing.assert_array_equal(aligned.base["f1"], [[1], [2], [3], [np.nan]])
    np.testing.assert_array_equal(aligned.head["f1"], [[10, 11], [np.nan, np.nan], [30, 31], [40, 41]])
    assert (aligned.only_base, aligned.only_head) == (("b",), ("d",))
    assert (aligned.columns_only_base, aligned.columns_only_head) == (("old",), ("new",))
    assert list(aligned.base) == list(aligned.head) == ["f1"]
    assert aligned.tags == [("base",), ("base",), ("base",), ("head",)]
    assert aligned.clusters is None


def test_clusters_are_those_of_base_and_moves_are_told() -> None:
    base = table(["a", "b"], ["x", None], f1=[[1], [2]])
    head = table(["a", "b", "c"], ["y", None, "z"], f1=[[1], [2], [3]])
    aligned = align(base, head)
    assert (aligned.clusters, aligned.moved) == (["x", None, "z"], ("a",))
    without = table(["a", "b"], None, f1=[[1], [2]])
    aligned = align(without, head)
    assert (aligned.clusters, aligned.moved) == (["y", None, "z"], ())
    aligned = align(base, without)
    assert (aligned.clusters, aligned.moved) == (["x", None], ())


def test_tables_with_nothing_in_common_are_refused() -> None:
    with pytest.raises(DatasetError, match="base and head have no id in common"):
        align(table(["a"], name="base", f1=[[1]]), table(["b"], name="head", f1=[[1]]))
    with pytest.raises(DatasetError, match="no metric in common: 'f1' against 'F1'"):
        align(table(["a"], f1=[[1]]), table(["a"], F1=[[1]]))


identities = st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=10, unique=True)


@settings(deadline=None)
@given(identities, identities)
def test_alignment_loses_and_invents_nothing(of_base: list[str], of_head: list[str]) -> None:
    base = table(of_base, f1=[[float(ord(identity))] for identity in of_base])
    head = table(of_head, f1=[[float(ord(identity))] for identity in of_head])
    if not set(of_base) & set(of_head):
        with pytest.raises(DatasetError):
            align(base, head)
        return
    aligned = align(base, head)
    assert sorted(aligned.ids) == sorted(set(of_base) | set(of_head))
    for row, identity in enumerate(aligned.ids):
        for values, ids in ((aligned.base["f1"], of_base), (aligned.head["f1"], of_head)):
            assert values[row, 0] == ord(identity) if identity in ids else np.isnan(values[row, 0])
    assert set(aligned.only_base) == set(of_base) - set(of_head)
    assert set(aligned.only_head) == set(of_head) - set(of_base)
