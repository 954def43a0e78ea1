"""What to do next, in words: advice that fits what happened."""

import pytest

from evaluator.report.advice import what_to_do
from evaluator.report.document_parts import Answer, CasePart, FailurePart, RefInfo
from evaluator.report.presentation import got_worse, ref_text
from tests.report.sample import sample_document

TIMED_OUT = FailurePart(kind="timeout", message="no answer within 5 s")


def test_where_cases_failed_at_head_the_bound_is_not_to_be_changed() -> None:
    document = sample_document()
    assert document.verdict.state == "fail"
    assert "change the bound" in what_to_do(document, below=True)
    dead = Answer(failure=TIMED_OUT, failed_repeats=1)
    broken = [case.model_copy(update={"change": "failed", "head": dead}) for case in document.cases]
    told = what_to_do(document.model_copy(update={"cases": broken}), below=True)
    assert told.startswith(f"Find out why {len(broken)} cases failed at head")
    assert "change the bound" not in told


def test_work_that_is_not_committed_has_no_hash() -> None:
    ref = RefInfo(label="WORKTREE", ref="WORKTREE", sha="worktree-0123456789ab", dirty=True)
    assert ref_text(ref, "head") == "WORKTREE (with uncommitted work)"


@pytest.mark.parametrize(("failed_at_base", "worse"), [(None, 1), (0, 1), (1, 1), (2, 0), (3, 0)])
def test_what_failed_as_often_before_has_not_got_worse(failed_at_base: int | None, worse: int) -> None:
    base = None if failed_at_base is None else Answer(repeats=3, failed_repeats=failed_at_base)
    case = CasePart(id="c", change="failed", base=base, head=Answer(failure=TIMED_OUT, repeats=3, failed_repeats=2))
    document = sample_document().model_copy(update={"cases": [case]})
    assert len(got_worse(document)) == worse
