"""Golden files of the small renderings. Write them again with `LLM_EVAL_GATE_WRITE_GOLDEN=1`, and read the difference."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from evaluator.report.document import ResultDocument
from evaluator.report.junit import junit
from evaluator.report.markdown import COMMENT_TIERS, comment, render
from evaluator.report.terminal import terminal_report
from tests.report.sample import sample_document

FOLDER = Path(__file__).with_name("golden")
RENDERINGS: dict[str, Callable[[], str]] = {
    "comment_fail.md": lambda: comment(sample_document(), report_url="https://example.com/report"),
    "comment_pass.md": lambda: comment(sample_document(passing=True)),
    "comment_failures_only.md": lambda: render(sample_document(), COMMENT_TIERS[-2]),
    "comment_headline.md": lambda: render(sample_document(), COMMENT_TIERS[-1]),
    "comment_one_ref.md": lambda: comment(one_ref()),
    "terminal_fail.txt": lambda: terminal_report(sample_document()),
    "terminal_pass_colour.txt": lambda: terminal_report(sample_document(passing=True), colour=True, width=90),
    "junit_fail.xml": lambda: junit(sample_document()),
}


def one_ref() -> ResultDocument:
    """Give a run of one ref: no base, so no changes."""
    document = sample_document(passing=True)
    cases = [case.model_copy(update={"base": None, "change": "same"}) for case in document.cases]
    return document.model_copy(update={"base": None, "kind": "run", "cases": cases, "distributions": []})


@pytest.mark.parametrize("name", RENDERINGS)
def test_a_rendering_is_as_it_was(name: str) -> None:
    path, found = FOLDER / name, RENDERINGS[name]()
    if os.environ.get("LLM_EVAL_GATE_WRITE_GOLDEN"):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8")
