"""The case explorer's view: what the page shows of each case. Plain text; the template escapes it."""

import json
from typing import Any

from evaluator.report import presentation, wording
from evaluator.report.diff import Difference, Piece, difference
from evaluator.report.document import ResultDocument
from evaluator.report.document_parts import Answer, CallPart, CasePart, Unit
from evaluator.report.escape import one_line, shorten, visible

TEXT_SHOWN = 6_000
"""Characters of one text on the page; `result.json` has more."""
SNIPPET = 140
DIFF_CHARACTERS = 400_000
"""Characters of answers that are compared word by word on one page; beyond, they stand side by side unmarked."""
ORDER = ("failed", "regressed", "changed", "improved", "added", "removed", "same")


def case_views(document: ResultDocument) -> list[dict[str, Any]]:
    """Give one view per case, in the document's order."""
    known = presentation.units(document)
    tags = {tag: index for index, tag in enumerate(all_tags(document))}
    left = DIFF_CHARACTERS
    views = []
    for number, case in enumerate(document.cases):
        texts = [_long(presentation.answer_text(answer)) if answer else "" for answer in (case.base, case.head)]
        compare = document.base is not None and case.base is not None and case.head is not None
        left -= sum(map(len, texts)) if compare else 0
        parts = difference(*texts) if compare and left >= 0 else _unmarked(texts)
        views.append(_view(case, number, document, known=known, tags=tags, parts=parts))
    return views


def all_tags(document: ResultDocument) -> list[str]:
    """List the tags of the cases in the document, most frequent first."""
    found: dict[str, int] = {}
    for case in document.cases:
        for tag in case.tags:
            found[tag] = found.get(tag, 0) + 1
    return sorted(found, key=lambda tag: (-found[tag], tag))


def change_filters(document: ResultDocument) -> list[tuple[str, str, int]]:
    """Give (change, words, number of cases) of each kind of change that occurs, worst first."""
    found = presentation.counts(document)
    return [(change, presentation.CHANGES[change], found[change]) for change in ORDER if change in found]


def _view(
    case: CasePart,
    number: int,
    document: ResultDocument,
    *,
    known: dict[str, Unit],
    tags: dict[str, int],
    parts: Difference,
) -> dict[str, Any]:
    sides = []
    for label, ref, answer, pieces in (
        ("Base", document.base, case.base, parts.base),
        ("Head", document.head, case.head, parts.head),
    ):
        if ref is not None:
            sides.append(_side(label, presentation.ref_text(ref, ""), answer, pieces))
    return {
        "number": number,
        "id": one_line(case.id, 80),
        "line": case.line,
        "change": case.change,
        "word": presentation.CHANGES[case.change],
        "told": one_line(", ".join(presentation.score_changes(case, known)), 120),
        "snippet": "" if case.input is None else one_line(presentation.as_text(case.input), SNIPPET),
        "tags": [one_line(tag, 60) for tag in case.tags],
        "tag_numbers": " ".join(str(tags[tag]) for tag in case.tags),
        "importance": f"{case.importance:.6f}",
        "slowdown": f"{_gap(case, 'latency_s'):.6f}",
        "input": None if case.input is None else _long(_pretty(case.input)),
        "expected": None if case.expected is None else _long(_pretty(case.expected)),
        "gated": case.gated,
        "rewritten": parts.rewritten,
        "identical": case.base is not None and case.head is not None and parts.base == parts.head,
        "sides": sides,
        "scores": [
            [
                one_line(name, 60),
                *(
                    presentation.score(answer.scores.get(name) if answer else None, known.get(name, "score"))
                    for answer in ((case.base, case.head) if document.base else (case.head,))
                ),
            ]
            for name in presentation.score_names(case, known)
        ],
    }


def _side(label: str, ref: str, answer: Answer | None, pieces: tuple[Piece, ...]) -> dict[str, Any]:
    facts: list[str] = []
    if answer is not None:
        if answer.latency_s is not None:
            facts.append(wording.duration(answer.latency_s))
        if answer.cost_usd is not None:
            facts.append(wording.money(answer.cost_usd))
        if answer.cached:
            facts.append("from the cache")
        if answer.repeats > 1:
            facts.append(f"first of {answer.repeats} answers; scores are means")
        if answer.failed_repeats and answer.repeats > 1:
            facts.append(f"{answer.failed_repeats} failed")
    return {
        "label": label,
        "ref": one_line(ref, 60),
        "missing": answer is None,
        "failed": answer is not None and answer.failure is not None,
        "pieces": pieces,
        "facts": " · ".join(facts),
        "data": _long(_pretty(answer.data)) if answer and answer.data is not None and answer.text else None,
        "contexts": [_long(context) for context in answer.contexts] if answer else [],
        "reasons": [(one_line(name, 60), _long(text)) for name, text in answer.reasons.items()] if answer else [],
        "calls": [_call_line(call) for call in answer.calls] if answer else [],
        "calls_made": answer.calls_made if answer else 0,
    }


def _call_line(call: CallPart) -> str:
    """One call: "at 12 ms: gpt-5-mini, 412 tokens in, 90 out, $0.0012, 1.2 s (first byte after 0.4 s), find"."""
    metered = call.input_tokens is not None or call.cost_usd is not None or not call.told
    without_name = "a model" if metered else "no answer" if call.failure else "not metered"
    facts = [one_line(call.model, 60) or without_name]
    if call.input_tokens is not None:
        facts.append(f"{call.input_tokens:,} tokens in, {call.output_tokens or 0:,} out")
    if call.cost_usd is not None:
        facts.append(wording.money(call.cost_usd))
    if not call.told:
        facts.append("tokens were not told: " + ("at most" if call.cost_usd is not None else "cost unknown"))
    told = call.first_byte_s is not None and not call.cached  # a kept answer's first byte is another call's
    first = f" (first byte after {wording.duration(call.first_byte_s)})" if told else ""
    facts.append(f"{wording.duration(call.took_s)}{first}")
    facts += [one_line(name, 60) for name in call.tools]
    if call.cached:
        facts.append("from the cache")
    if call.failure:
        facts.append(f"{one_line(call.failure, 40)}, status {call.status or 'none'}")
    return f"at {wording.duration(call.started_s)}: {', '.join(facts)}"


def _unmarked(texts: list[str]) -> Difference:
    base, head = ((Piece("same", text),) if text else () for text in texts)
    return Difference(base, head)


def _gap(case: CasePart, name: str) -> float:
    before = getattr(case.base, name, None)
    after = getattr(case.head, name, None)
    return float(after or 0.0) - float(before or 0.0)


def _pretty(value: object) -> str:
    plain = presentation.as_text(value)
    return (
        json.dumps(value, ensure_ascii=False, indent=1) if plain[:1] in "{[" and not isinstance(value, str) else plain
    )


def _long(text: str) -> str:
    text = visible(text)
    if len(text) <= TEXT_SHOWN:
        return text
    return f"{shorten(text, TEXT_SHOWN)}\n({len(text):,} characters in all; result.json has more)"
