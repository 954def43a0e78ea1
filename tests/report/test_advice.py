"""What to do next, in words: advice that fits what happened."""

from evaluator.report.advice import what_to_do
from evaluator.report.document_parts import RefInfo
from evaluator.report.presentation import ref_text
from tests.report.sample import sample_document


def test_where_cases_failed_at_head_the_bound_is_not_to_be_changed() -> None:
    document = sample_document()
    assert document.verdict.state == "fail"
    assert "change the bound" in what_to_do(document, below=True)
    broken = [case.model_copy(update={"change": "failed"}) for case in document.cases]
    told = what_to_do(document.model_copy(update={"cases": broken}), below=True)
    assert told.startswith(f"Find out why {len(broken)} cases failed at head")
    assert "change the bound" not in told


def test_work_that_is_not_committed_has_no_hash() -> None:
    ref = RefInfo(label="WORKTREE", ref="WORKTREE", sha="worktree-0123456789ab", dirty=True)
    assert ref_text(ref, "head") == "WORKTREE (with uncommitted work)"
