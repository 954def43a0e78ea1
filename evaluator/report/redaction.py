"""Takes out of a report what may not be shown where many can read it: questions, answers, and what judges said."""

from evaluator.report.build_cases import CaseSelection
from evaluator.report.document_parts import Answer, CasePart, FailurePart


def without_texts(cases: CaseSelection) -> CaseSelection:
    """The same cases with ids, tags, numbers and kinds of failures alone."""
    return CaseSelection([_case(case) for case in cases.cases], cases.total)


def _case(case: CasePart) -> CasePart:
    return case.model_copy(
        update={"input": None, "expected": None, "base": _answer(case.base), "head": _answer(case.head)}
    )


def _answer(answer: Answer | None) -> Answer | None:
    if answer is None:
        return None
    failure = None if answer.failure is None else FailurePart(kind=answer.failure.kind)
    calls = [call.model_copy(update={"model": "", "tools": []}) for call in answer.calls]  # the app chose those words
    return answer.model_copy(
        update={
            "text": None, "data": None, "tool_calls": [], "contexts": [], "reasons": {}, "failure": failure,
            "calls": calls,
        }
    )  # fmt: skip
