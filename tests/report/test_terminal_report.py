"""The terminal's rendering: no escape sequences but ours, no workflow commands wherever lines wrap."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from evaluator.report.build_cases import CaseSelection
from evaluator.report.document import ResultDocument
from evaluator.report.document_parts import Answer, CasePart
from evaluator.report.redaction import without_texts
from evaluator.report.terminal import terminal_report
from tests.report.sample import sample_document
from tests.report.strategies import documents


@settings(max_examples=40)
@given(documents, st.integers(40, 140))
def test_a_build_log_obeys_nothing_of_it(document: ResultDocument, width: int) -> None:
    shown = terminal_report(document, width=width)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown)
    assert not any(line.lstrip().startswith("::") for line in shown.splitlines())
    assert "##[" not in shown


def test_colours_are_for_terminals_that_want_them() -> None:
    assert "\x1b[" not in terminal_report(sample_document())
    assert "\x1b[1;31mFail" in terminal_report(sample_document(), colour=True)


def test_narrow_terminals_wrap_and_lose_nothing() -> None:
    shown = terminal_report(sample_document(), width=60)
    assert max(map(len, shown.splitlines())) <= 60
    assert "−18.8%" in shown


def test_korean_columns_stay_aligned() -> None:
    document = sample_document()
    rows = [row.model_copy(update={"name": "정확도"}) for row in document.verdict.objectives[:1]]
    verdict = document.verdict.model_copy(update={"objectives": rows + document.verdict.objectives[1:2]})
    lines = terminal_report(document.model_copy(update={"verdict": verdict, "other_metrics": []})).splitlines()
    korean, english = (
        next(line for line in lines if "정확도  " in line),
        next(line for line in lines if "judge  " in line),
    )
    assert korean.index("73.2%") + 5 + 3 == english.index("4.07") + 4


def worst_cases(document: ResultDocument, width: int = 110) -> list[str]:
    """The lines below "Got worse"."""
    lines = terminal_report(document, width=width).splitlines()
    return lines[next(place for place, line in enumerate(lines) if line.startswith("Got worse")) + 1 :]


def one_case(text: str) -> ResultDocument:
    """The sample with one case that got worse and says the same everywhere."""
    answer = Answer(text=text)
    case = CasePart(id="c1", input={"text": text}, expected=text, change="regressed", base=answer, head=answer)
    return sample_document().model_copy(update={"cases": [case]})


def test_a_case_that_got_worse_says_what_was_asked_and_what_is_right() -> None:
    lines = worst_cases(sample_document())
    place = lines.index("ticket-10 accuracy 1 → 0, judge 5 → 1")
    assert lines[place + 1 : place + 3] == [
        "    input:    탈퇴하고 싶은데 버튼을 못 찾겠어요.",
        "    expected: account",
    ]
    assert lines[place + 3].startswith("    base:     account ↵ ")
    assert lines[place + 4].startswith("    head:     cancel ↵ ")


@pytest.mark.parametrize(
    "text",
    [
        "plain words " * 40,
        "긴 한국어 질문입니다. " * 40,
        "한" * 400,
        "👩‍💻" * 200,
        "一\n二\r\n三 " * 90,
        "e\u0301" * 300,
    ],
)
@pytest.mark.parametrize("width", [40, 81, 110])
def test_the_texts_of_a_case_take_a_line_each_however_wide_their_characters(text: str, width: int) -> None:
    lines = worst_cases(one_case(text), width)
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["input", "expected", "base", "head"]
    for line in lines[1:]:
        assert line.endswith("…")
        assert width - 4 <= cell_len(line) <= width


def test_a_text_that_fits_is_not_cut() -> None:
    room = 60 - len("    input:    ")
    assert worst_cases(one_case("한" * (room // 2)), 60)[1] == "    input:    " + "한" * (room // 2)
    assert worst_cases(one_case("한" * (room // 2) + "x"), 60)[1] == "    input:    " + "한" * (room // 2 - 1) + "…"


def test_questions_cannot_command_a_terminal_or_a_build_log() -> None:
    lines = worst_cases(one_case("\x1b[2J\x1b]0;x\x07 \u202e::error::x\n::set-output name=a::b ##[error]x"))
    for line in lines[1:3]:
        assert "\x1b" not in line
        assert "\u202e" not in line
        assert "##[" not in line
        assert "\\::" in line or "␛" in line


def test_a_report_without_texts_shows_none_in_the_terminal_either() -> None:
    document = sample_document()
    hidden = without_texts(CaseSelection(document.cases, len(document.cases))).cases
    lines = worst_cases(document.model_copy(update={"cases": list(hidden)}))
    assert not any("input:" in line or "expected:" in line for line in lines)
    assert any(line.startswith("    head:") for line in lines)
