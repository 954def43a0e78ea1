"""Workflow commands, outputs and the job summary, read back with the runner's own rules."""

import io
import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evaluator.github import commands
from evaluator.github.commands import SUMMARY_LIMIT, Annotation
from tests.github.runner_rules import Command, read_line, read_log, read_outputs

PIECES = ("::", "##[", "##vso[", "]", "error", "set-env name=X", "stop-commands", "add-mask", "%0A", "%25", ":", ",",
    "\n", "\r", "\r\n", "\u2028", "\x85", "\x0b", "\x1b[2K", "\u00a0", "\u3000", "\t", " ", "=", "<<", "EOF", "#", "@x", "가", "\ufeff", "\u200b")  # fmt: skip
HOSTILE = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=12).map("".join)
TEXTS = st.text() | HOSTILE


@given(TEXTS)
@example("::error::x")
@example("a ##[error]x")
@example("\u00a0::add-mask::a")
@example("x\r::set-output name=a::b")
@example("###[group]x")
@example("#" + "\u200b" + "#[error]x")
@example(":\u200b:error::")
def test_foreign_text_starts_no_command(text: str) -> None:
    assert read_log(commands.foreign(text)) == []
    assert all(read_log(f"{before}{commands.foreign(text)}") == [] for before in ("", "log: ", "#", ":"))


@given(TEXTS, TEXTS, TEXTS, st.integers(0, 10_000))
@example("", "", " ", 0)
@example("m", "", " ", 1)
@example(":", " ", "\u3000", 1)
def test_an_annotation_says_what_it_should_and_nothing_else(message: str, title: str, file: str, line: int) -> None:
    out = io.StringIO()
    commands.warning(out, message, file=file, line=line, title=title)
    (command,) = read_log(out.getvalue())
    properties = {"title": title, "file": file} if file else {"title": title}
    if file and line:
        properties |= {"line": str(line), "endLine": str(line)}
    # The runner trims the row of properties; blanks at a value's ends may go.
    assert {key: value.strip() for key, value in command.properties.items() if value.strip()} == {
        key: value.strip() for key, value in properties.items() if value.strip()
    }
    assert (command.name, command.data) == ("warning", message)


@given(TEXTS)
def test_a_group_is_opened_and_closed(title: str) -> None:
    out = io.StringIO()
    with commands.group(out, title):
        out.write("inside\n")
    assert [command.name for command in read_log(out.getvalue())] == ["group", "endgroup"]
    assert read_log(out.getvalue())[0].data == title


def test_each_line_of_a_secret_is_masked() -> None:
    out = io.StringIO()
    commands.add_mask(out, " -----BEGIN-----\nab%cd\r\n\n-----END-----\n")
    masked = [command.data for command in read_log(out.getvalue()) if command.name == "add-mask"]
    assert masked == ["-----BEGIN-----\nab%cd\r\n\n-----END-----", "-----BEGIN-----", "ab%cd", "-----END-----"]
    commands.add_mask(out, "")
    commands.add_mask(out, '{\n"key": "secret"\n}')
    assert "::add-mask::\n" not in out.getvalue() and "::add-mask::}\n" not in out.getvalue()


def test_the_rules_of_the_runner_find_commands_at_all() -> None:
    assert read_line("  ::error file=a%3Ab,line=3::x%0Ay") == Command("error", {"file": "a:b", "line": "3"}, "x\ny")
    assert read_line("text ##[error]x") == Command("error", {}, "x")
    assert read_line("text ::error::x") is None
    assert commands.annotation_line(Annotation("error", "m", "f.md", 3, 5, "t")) == (
        "::error file=f.md,title=t,line=3,endLine=5::m"
    )


@given(st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,20}", fullmatch=True), TEXTS, max_size=4))
@example({"a": "x\na<<EOF\nevil\nEOF\nb=1"})
@example({"a": "\r"})
def test_outputs_come_back_as_they_were(outputs: dict[str, str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "output")
        path.write_bytes(b"earlier=1\n")
        assert commands.write_outputs(path, outputs).done
        wanted = {name: value.encode("utf-8", "replace").decode() for name, value in outputs.items()}
        assert read_outputs(path.read_bytes().decode()) == {"earlier": "1", **wanted}


@pytest.mark.parametrize("name", ["", "a b", "a<<b", "a=b", "a\nb", "1a"])
def test_a_name_that_is_none_is_our_own_mistake(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no name of an output"):
        commands.write_outputs(tmp_path / "output", {name: "x"})


def test_a_missing_file_is_told_and_nothing_is_done(tmp_path: Path) -> None:
    for written in (commands.write_outputs(None, {"a": "b"}), commands.append_summary(None, lambda limit: "x")):
        assert not written.done and "is not set" in written.reason
    for written in (
        commands.write_outputs(tmp_path / "no" / "file", {"a": "b"}),
        commands.append_summary(tmp_path / "no" / "file", lambda limit: "x"),
        commands.append_summary(tmp_path, lambda limit: "x"),
    ):
        assert not written.done and "cannot be written" in written.reason


@pytest.mark.parametrize(
    "there",
    [
        0,
        10,
        30_000,
        900_000,
        SUMMARY_LIMIT - 3_000,
        SUMMARY_LIMIT - 2_002,
        SUMMARY_LIMIT - 2_001,
        SUMMARY_LIMIT - 2_000,
        SUMMARY_LIMIT - 100,
        SUMMARY_LIMIT * 2,
    ],
)
@pytest.mark.parametrize("letter", ["x", "ü", "😀"])
def test_a_summary_never_grows_beyond_the_limit(tmp_path: Path, there: int, letter: str) -> None:
    path = tmp_path / "summary"
    path.write_bytes(b"y" * there)
    # A renderer that takes its limit for characters is caught, too.
    written = commands.append_summary(path, lambda limit: letter * limit)
    added = path.stat().st_size - there
    assert written.done == (added > 0)
    assert path.stat().st_size <= max(SUMMARY_LIMIT, there)
    assert written.done or "room" in written.reason
    if letter == "x":
        assert written.done == (SUMMARY_LIMIT - there >= 2_002)


def test_the_largest_summary_that_fits_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "summary"
    assert commands.append_summary(path, lambda limit: "x" * limit).done
    assert path.stat().st_size == 1_000_001
    os.truncate(path, SUMMARY_LIMIT - 120_000)
    assert commands.append_summary(path, lambda limit: "x" * limit).done
    assert path.stat().st_size == SUMMARY_LIMIT - 120_000 + 100_001
