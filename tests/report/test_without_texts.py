"""Where texts may not be shown, a report has neither them nor what looks like an empty answer."""

import re
from collections.abc import Callable

import pytest

from evaluator.report.build_cases import CaseSelection
from evaluator.report.document import ResultDocument
from evaluator.report.html import html_report
from evaluator.report.junit import junit
from evaluator.report.markdown import comment
from evaluator.report.redaction import without_texts
from evaluator.report.terminal import terminal_report
from tests.report.sample import sample_document


@pytest.mark.parametrize("render", [comment, html_report, junit, terminal_report])
def test_no_rendering_shows_a_question_or_takes_a_hidden_answer_for_an_empty_one(
    render: Callable[[ResultDocument], str],
) -> None:
    document = sample_document()
    hidden = without_texts(CaseSelection(document.cases, len(document.cases))).cases
    shown, told = render(document), render(document.model_copy(update={"cases": hidden}))
    assert "탈퇴하고 싶은데" in shown
    assert "탈퇴하고 싶은데" not in told
    assert "(no text in this report)" in told
    assert "(empty answer)" not in told
    assert not re.search(r"[Ii]nput:? *null|<h4>Input</h4>", told)
