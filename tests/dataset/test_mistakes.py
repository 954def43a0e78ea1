"""Planted mistakes in text files: each is refused with file, line, what was found and what to do."""

from pathlib import Path
from typing import NamedTuple

import pytest

from evaluator.dataset import load_cases
from evaluator.errors import DatasetError

GOOD = b'{"id": "a", "input": "one"}\n'


class Mistake(NamedTuple):
    """A file with one mistake, and what its error must say."""

    name: str
    file: str
    content: bytes
    line: int
    """0 if the error is about the file as a whole."""
    found: tuple[str, ...]
    """Fragments of the message."""
    hint: str
    """Fragment of the hint."""


def jsonl(name: str, row: str | bytes, found: str | tuple[str, ...], hint: str) -> Mistake:
    """Plant a row on line 3, after a good row and a blank line, with a good row after it."""
    raw = row.encode() if isinstance(row, str) else row
    content = GOOD + b"\n" + raw + b'\n{"id": "z", "input": "last"}\n'
    return Mistake(name, "golden.jsonl", content, 3, (found,) if isinstance(found, str) else found, hint)


def whole(name: str, file: str, content: str | bytes, line: int, found: str | tuple[str, ...], hint: str) -> Mistake:
    """Plant a mistake in a file given in full."""
    raw = content.encode() if isinstance(content, str) else content
    return Mistake(name, file, raw, line, (found,) if isinstance(found, str) else found, hint)


DEEP = "[" * 70 + "]" * 70
BOTTOMLESS = "[" * 100_000
ROWS = [
    jsonl("row is a list", '["a"]', ("a list", "expected an object"), "write every row as an object"),
    jsonl("row is a text", '"hello"', "the text 'hello'", "write every row as an object"),
    jsonl("row is null", "null", "the row is null", "write every row as an object"),
    jsonl("empty row", "{}", "the row is empty", "remove the row"),
    jsonl("misspelt input", '{"inputs": "x"}', ("found 'inputs'", "did you mean 'input'?"), "fields: {input"),
    jsonl("input in capitals", '{"INPUT": "x"}', "found 'INPUT', did you mean 'input'?", "rename the key"),
    jsonl("input under another name", '{"q": "x", "a": "y"}', "found 'q', 'a'", "fields: {input: question}"),
    jsonl("input is null", '{"input": null}', "'input' is null", "give every case its input"),
    jsonl("id repeated", '{"id": "a", "input": "x"}', "the id 'a' is already used on line 1", "id of its own"),
    jsonl("id is true", '{"id": true, "input": "x"}', "the id is true", "short text"),
    jsonl("id is a fraction", '{"id": 1.5, "input": "x"}', "the id is the number 1.5", "short text"),
    jsonl("id is blank", '{"id": " ", "input": "x"}', "the id is empty", "leave it out"),
    jsonl("id with a line break", r'{"id": "a\nb", "input": "x"}', r"control character '\n'", "short text"),
    jsonl("id that turns text around", '{"id": "a\u202eb", "input": "x"}', r"'\u202e'", "short text"),
    jsonl("id too long", f'{{"id": "{"x" * 201}", "input": "x"}}', "201 characters, expected at most 200", "short"),
    jsonl("tags are text", '{"input": "x", "tags": "ko"}', "the tags are the text 'ko'", '"tags": ["billing"'),
    jsonl("tag is a number", '{"input": "x", "tags": ["a", 3]}', "a tag is the number 3", '"tags": ["billing"'),
    jsonl("tag is blank", '{"input": "x", "tags": [""]}', "the tag is empty", '"tags": ["billing"'),
    jsonl("metadata is a list", '{"input": "x", "metadata": []}', "the metadata is a list", '{"source"'),
    jsonl("metadata given twice", '{"input": "x", "k": 1, "metadata": {"k": 2}}', "'k' is given twice", "one place"),
    jsonl("cluster is a list", '{"input": "x", "cluster": ["d"]}', "the cluster is a list", "leave it out"),
    jsonl("NaN", '{"input": "x", "score": NaN}', "NaN is not JSON", "write null"),
    jsonl("minus infinity", '{"input": [-Infinity]}', "-Infinity is not JSON", "write null"),
    jsonl("number beyond doubles", '{"input": 1e999}', "'1e999' is too large", "as text"),
    jsonl("endless whole number", '{"input": ' + "9" * 5000 + "}", "whole number is too long", "as text"),
    jsonl("key given twice", '{"input": "x", "input": "y"}', "'input' is given twice", "one of the two"),
    jsonl("half a surrogate pair", r'{"input": "a\ud800"}', (r"'a\ud800'", "surrogate"), "both halves"),
    jsonl("too deep", '{"input": ' + DEEP + "}", "deeper than 64 levels", "flatten"),
    jsonl("bottomless", '{"input": ' + BOTTOMLESS, "deeper than 64 levels", "flatten"),
    jsonl("comma after the row", '{"input": "x"},', ("character 15", "found ','"), "drop the comma"),
    jsonl("single quotes", "{'input': 'x'}", "not valid JSON", "double quotes"),
    jsonl("two rows on a line", '{"input": "x"} {"input": "y"}', "more text follows", "one complete JSON object"),
    jsonl("bare carriage returns", '{"input": "x"}\r{"input": "y"}', "more text follows", "tr '\\r' '\\n'"),
    jsonl("unquoted text", '{"input": hello}', ("Expecting value at character 11", "found 'hello}'"), "jq -c"),
    jsonl("cut in the middle of the file", '{"input": "x', "not valid JSON", "one complete JSON object"),
    jsonl("Latin-1", '{"input": "caf\xe9"}'.encode("latin-1"), "byte 0xe9 at offset 43", "iconv"),
    jsonl("NUL byte", b'{"input": "a\0b"}', "a NUL byte at offset 41", "tr -d"),
    jsonl("command of the log", '{"inputs": "##[error]x"}', "found 'inputs'", "rename"),
]
FILES = [
    whole("empty file", "golden.jsonl", "", 1, "the file is empty", "add rows"),
    whole("blank lines only", "golden.jsonl", "\n \n", 1, "the file has no cases", "add a row"),
    whole(
        "same input twice, no id",
        "golden.jsonl",
        '{"input": {"a": 1, "b": 2}}\n{"input": {"b": 2, "a": 1}}\n',
        2,
        "the same input as line 1",
        "give both an id",
    ),
    whole("id as number and as text", "golden.jsonl", '{"id":7,"input":1}\n{"id":"7","input":2}', 2, "line 1", "own"),
    whole("last line cut off", "golden.jsonl", GOOD + b'{"input": "hel', 2, "seems cut off", "write the file again"),
    whole("cut after a comma", "golden.jsonl", GOOD + b'{"input": "x",', 2, "seems cut off", "again"),
    whole("pretty-printed", "golden.jsonl", '[\n  {"input": "x"}\n]', 1, "the line is just '['", "name the file .json"),
    whole("UTF-16", "golden.jsonl", '{"input": "x"}\n'.encode("utf-16"), 1, "written in UTF-16", "iconv -f UTF-16"),
    whole("UTF-16 without mark", "golden.csv", "id,input\n".encode("utf-16-le"), 1, "in UTF-16", "iconv -f UTF-16"),
    whole("UTF-32", "golden.yaml", "- input: x\n".encode("utf-32"), 1, "in UTF-32", "iconv -f UTF-32"),
    whole("gzip data", "golden.jsonl", b"\x1f\x8b\x08\x00rest", 1, "gzip data", "unpack"),
    whole("gzip name", "golden.jsonl.gz", b"\x1f\x8b\x08\x00rest", 0, "compressed files (.gz)", "unpack"),
    whole("LFS pointer", "golden.jsonl", "version https://git-lfs.github.com/spec/v1\noid", 1, "Git LFS", "fetch LFS"),
    whole("unknown ending", "golden.xlsx", "x", 0, "'.xlsx'", "JSON Lines"),
    whole("CSV without header", "golden.csv", "hello,world\nfoo,bar\n", 1, "no column 'input'", "names the columns"),
    whole("CSV misspelt header", "golden.csv", "id,Inputs\n1,x\n", 1, "did you mean 'input' by 'Inputs'?", "fields"),
    whole("CSV with semicolons", "golden.csv", "id;input\n1;x\n", 1, "separated by ';'", "commas"),
    whole("CSV column twice", "golden.csv", "input,tags,tags\nx,a,b\n", 1, "'tags' is there twice", "name of its own"),
    whole("CSV column unnamed", "golden.csv", "id,input,\n1,x,\n", 1, "column 3 has no name", "names the columns"),
    whole("CSV too many cells", "golden.csv", "id,input\n1,x\n2,y,z\n", 3, "3 cells, expected 2", "double quotes"),
    whole("CSV too few cells", "golden.csv", "id,input\r\n1\r\n", 2, "1 cells, expected 2", "double quotes"),
    whole("CSV line after long cell", "golden.csv", 'id,input\n1,"a\nb"\n2\n', 4, "1 cells", "double quotes"),
    whole("CSV row over two lines", "golden.csv", 'id,input\n"a\nb"\n2,x\n', 2, "1 cells", "double quotes"),
    whole("CSV quote not closed", "golden.csv", 'id,input\n1,x\n2,"y\n3,z\n', 3, "never closed", "double quotes"),
    whole("CSV text after quote", "golden.csv", 'id,input\n1,"x"y\n2,z\n', 2, "not valid CSV", "double quotes"),
    whole("CSV input empty", "golden.csv", "id,input\n1,x\n2,\n", 3, "'input' is an empty cell", "its input"),
    whole("CSV carriage returns", "golden.csv", "id,input\r1,x\r", 1, "bare carriage return", "\\r\\n"),
    whole("CSV Latin-1", "golden.csv", b"id,input\n1,caf\xe9\n", 2, "byte 0xe9", "iconv"),
    whole("CSV header only", "golden.csv", "id,input\n", 1, "no cases", "add a row"),
    whole("CSV metadata not object", "golden.csv", "input,metadata\nx,[1]\n", 2, "metadata is a list", "source"),
    whole("JSON without cases", "golden.json", '{"rows": []}', 1, "no list under 'cases' (keys found: 'rows'", "list"),
    whole("JSON cases is object", "golden.json", '{"cases": {}}', 1, "'cases' is not a list", "write a list"),
    whole(
        "JSON cases twice",
        "golden.json",
        '{"cases": [{"input":1}],\n"cases": []}',
        2,
        "'cases' is given twice",
        "one of the two",
    ),
    whole("JSON scalar", "golden.json", "  \n42", 2, "found '42', expected a list", "write a list"),
    whole("JSON row is text", "golden.json", '[\n{"input": 1},\n"x"\n]', 3, "the text 'x'", "as an object"),
    whole("JSON syntax", "golden.json", '[\n{"input": 1},\n{"input" 2}]', 3, ("not valid", "found '2}]'"), "jq"),
    whole("JSON no comma", "golden.json", '[{"input": 1}\n{"input": 2}]', 2, "expected ','", "write a list"),
    whole("JSON cut off", "golden.json", '[{"input": 1},\n{"input":', 2, "seems cut off", "again"),
    whole(
        "JSON is JSON Lines",
        "golden.json",
        '{"input": 1}\n{"input": 2}',
        2,
        "more text follows",
        "name the file .jsonl",
    ),
    whole("JSON NaN", "golden.json", '[{"input": 1},\n{"input": NaN}]', 2, "NaN is not JSON", "null"),
    whole("JSON empty list", "golden.json", "[]", 1, "no cases", "add a row"),
    whole(
        "YAML alias", "golden.yaml", "- input: &a x\n- input: *a\n", 2, "alias '*a' is not allowed", "write the value"
    ),
    whole("YAML tag", "golden.yaml", "- input: !!python/name:os.system x\n", 1, "tag 'tag:yaml", "remove the tag"),
    whole("YAML key twice", "golden.yml", "- input: x\n  id: a\n  id: b\n", 3, "'id' is given twice", "one of the two"),
    whole("YAML nan", "golden.yaml", "- input: x\n  score: .nan\n", 2, ".nan is not allowed", "null"),
    whole("YAML two documents", "golden.yaml", "- input: x\n---\n- input: y\n", 2, "second YAML document", "one list"),
    whole("YAML indentation", "golden.yaml", "- input: x\n   id: y\n", 2, "not valid YAML", "indentation"),
    whole("YAML too deep", "golden.yaml", "- input: " + "[" * 80 + "]" * 80, 1, "deeper than 64", "flatten"),
    whole("YAML scalar", "golden.yaml", "hello\n", 1, "a single value", "list of rows"),
    whole("YAML comment only", "golden.yaml", "# nothing\n", 1, "no content", "list of rows"),
    whole("YAML without cases", "golden.yaml", "rows:\n- input: x\n", 1, "keys found: 'rows'", "cases"),
    whole("YAML cases is text", "golden.yaml", "cases: x\n", 1, "'cases' is not a list", "list of rows"),
    whole("YAML row is text", "golden.yaml", "cases:\n- input: x\n- y\n", 3, "the text 'y'", "as an object"),
    whole("YAML list as key", "golden.yaml", "- input: x\n  ? [a]\n  : b\n", 2, "a key is a list", "as text"),
    whole("YAML number beyond doubles", "golden.yaml", "- input: 1e999\n", 1, "'1e999' is too large", "as text"),
    whole("YAML control character", "golden.yaml", "- input: a\x07b\n", 1, "not valid YAML", ""),
    whole("no Parquet inside", "golden.parquet", b"PAR1 nothing of the kind", 1, "not valid Parquet", "again"),
]


@pytest.mark.parametrize("mistake", ROWS + FILES, ids=lambda mistake: mistake.name)
def test_a_planted_mistake_names_file_line_finding_and_remedy(tmp_path: Path, mistake: Mistake) -> None:
    path = tmp_path / mistake.file
    path.write_bytes(mistake.content)
    with pytest.raises(DatasetError) as caught:
        load_cases(path, name=f"evals/{mistake.file}")
    message, hint = caught.value.message, caught.value.hint
    where = f"evals/{mistake.file}:{mistake.line}: " if mistake.line else f"evals/{mistake.file}: "
    assert message.startswith(where)
    assert "\n" not in message, "one mistake makes one line"
    for fragment in mistake.found:
        assert fragment in message
    assert mistake.hint in hint
    assert str(tmp_path) not in str(caught.value)
    assert len(message) < 300
    assert message.replace("\n", "").isprintable()
