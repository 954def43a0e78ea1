"""The terminal's rendering: no escape sequences but ours, no workflow commands wherever lines wrap."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from evaluator.report.document import ResultDocument
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
