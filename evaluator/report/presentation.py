"""What every rendering says in the same words: states, headline, scope, what could be seen, a case's scores.

Plain text, not yet escaped: the renderings pass it through their own filter.
"""

from evaluator.report import wording
from evaluator.report.document import ResultDocument
from evaluator.report.document_parts import (
    Answer,
    CasePart,
    MetricRow,
    ObjectivePart,
    RefInfo,
    Spend,
    State,
    Unit,
)

ICONS: dict[State, str] = {"pass": "✅", "fail": "❌", "inconclusive": "⚠️", "error": "🛑"}
WORDS: dict[State, str] = {"pass": "Pass", "fail": "Fail", "inconclusive": "Inconclusive", "error": "Error"}
CHANGES = {
    "failed": "failed",
    "regressed": "regressed",
    "improved": "improved",
    "changed": "answer changed",
    "same": "same",
    "added": "new case",
    "removed": "not run at head",
}
SHORT_SHA = 8
NAME = 80
"""Characters of a metric's name in a sentence."""
MEASURED_APART: tuple[Unit, ...] = ("usd", "seconds")
"""Units of score columns that an answer shows as its latency and cost already."""


def ref_text(ref: RefInfo | None, fallback: str) -> str:
    """Name a ref: its label, short hash, and whether uncommitted work was run."""
    if ref is None:
        return fallback
    words = [ref.label or ref.ref or fallback]
    if ref.sha and not ref.dirty:  # what is not committed has no hash
        words.append(ref.sha[:SHORT_SHA])
    if ref.dirty:
        words.append("(with uncommitted work)")
    return " ".join(words)


def cases_in_all(document: ResultDocument) -> int:
    """Count the cases that there are."""
    return document.dataset.cases if document.dataset else document.cases_total


def cases_used(document: ResultDocument) -> int:
    """Count the cases that the verdict rests on: fewer than there are where the run stopped early."""
    most, pairs = cases_in_all(document), max((row.pairs for row in document.verdict.objectives), default=0)
    return min(pairs, most) if document.base is not None and pairs else most


def cases_text(document: ResultDocument) -> str:
    """Say how many cases were run: `60 cases`, `30 of 60 cases`."""
    used, most = cases_used(document), cases_in_all(document)
    return wording.count(most, "case") if used == most else f"{used:,} of {wording.count(most, 'case')}"


def got_worse(document: ResultDocument) -> list[CasePart]:
    """Give the cases that failed more often or scored lower, the worst first."""
    return [
        case
        for case in document.cases
        if case.change == "regressed" or (case.change == "failed" and not _failed_before(case))
    ]


def _failed_before(case: CasePart) -> bool:
    """Whether base failed in as many repeats: what never worked has not got worse."""
    base, head = case.base, case.head
    return base is not None and head is not None and base.failed_repeats >= head.failed_repeats


def scope(document: ResultDocument) -> list[str]:
    """Say how much was run: cases, repeats, spend, time."""
    told = [cases_text(document)]
    if document.repeats > 1:
        told.append(wording.count(document.repeats, "repeat"))
    cost = spend_text(document.spend)
    if cost:
        told.append(cost)
    if document.duration_s > 0:
        told.append(wording.duration(document.duration_s))
    return told


def spend_text(spend: Spend) -> str:
    """Say what was spent: an amount with what it is made of, `free`, or that it is not known; empty if nothing was."""
    if spend.total_usd is None or not (spend.calls or spend.total_usd):
        return ""
    if not spend.total_usd:
        if not spend.unpriced_calls:
            return "free"
        some = "" if spend.unpriced_calls == spend.calls else f" of {spend.unpriced_calls:,} of {spend.calls:,} calls"
        return f"cost unknown{some} (no price for the model)"
    notes = []
    if spend.evaluation_usd:
        notes.append(f"{wording.money(spend.evaluation_usd)} of it judging")
    if spend.outside_usd:
        notes.append(f"{wording.money(spend.outside_usd)} of it outside of any case")
    if spend.cached_calls and spend.real_usd is not None:
        real = f"{wording.money(spend.real_usd)} really spent, the rest cached"
        notes.append(real if spend.real_usd else "nothing really spent, all of it cached")
    if spend.unpriced_calls:
        notes.append(f"{wording.count(spend.unpriced_calls, 'call')} without a known price")
    return wording.money(spend.total_usd) + (f" ({'; '.join(notes)})" if notes else "")


def estimate_text(document: ResultDocument) -> str:
    """Hold estimate and bill side by side: `Estimated $0.42 in 960 calls, spent $0.39 in 912 (7% less)`."""
    part = document.estimate
    if part is None:
        return ""
    off = ""
    if part.error is not None:
        size = f"{abs(part.error) * 100:,.0f}%"
        off = " (as estimated)" if size == "0%" else f" ({size} {'more' if part.error > 0 else 'less'})"
    if part.usd and part.spent_usd is not None:
        told = wording.money(part.usd) + (f" in {wording.count(part.calls, 'call')}" if part.calls else "")
        return f"Estimated {told}, spent {wording.money(part.spent_usd)} in {part.spent_calls:,}{off}"
    return f"Estimated {wording.count(part.calls or 0, 'call')}, made {part.spent_calls:,}{off}"


def sight(document: ResultDocument) -> str:
    """Say what the gate could have seen; empty if nobody computed it."""
    seen = [
        f"{row.name} {wording.detectable(row.detectable, higher_is_better=row.higher_is_better)} or more"
        for row in document.verdict.objectives
        if row.detectable is not None
    ]
    if not seen:
        return ""
    run = f"With {wording.count(cases_in_all(document), 'case')} and this noise"
    return f"{run}, the gate sees these 80% of the time: {'; '.join(seen)}."


def confidences(document: ResultDocument) -> str:
    """Say which confidence the intervals have, e.g. `95%`; empty if there is none."""
    found = {f"{row.interval.confidence * 100:g}%" for row in document.verdict.objectives if row.interval is not None}
    return " and ".join(sorted(found))


def bounds_text(row: ObjectivePart, *, icons: bool = True) -> str:
    """Write an objective's bounds; where they differ in state, each with its own."""
    mixed = icons and len({bound.state for bound in row.bounds}) > 1
    told = [wording.bound(bound, row.unit) + (f" {ICONS[bound.state]}" if mixed else "") for bound in row.bounds]
    return " · ".join(told) or wording.DASH


def units(document: ResultDocument) -> dict[str, Unit]:
    """Give the unit of each metric and score column that the document knows."""
    rows: list[MetricRow] = [*document.verdict.objectives, *document.other_metrics]
    return {row.name: row.unit for row in rows} | {spread.metric: spread.unit for spread in document.distributions}


def score(number: float | None, unit: Unit = "score") -> str:
    """Write one case's score: `1`, `0.67`, `4.5`; a share stays 0 to 1, for one case is no percentage."""
    if number is None:
        return wording.DASH
    if unit in ("score", "share", "count"):
        text = f"{number:.2f}".rstrip("0").rstrip(".")
        return (wording.MINUS + text[1:]) if text.startswith("-") and text != "-0" else text.removeprefix("-")
    return wording.value(number, unit)


def score_names(case: CasePart, known: dict[str, Unit]) -> list[str]:
    """List the score columns of a case in order, without those that its latency and cost say already."""
    names: dict[str, None] = {}
    for answer in (case.base, case.head):
        names.update(dict.fromkeys(answer.scores if answer else ()))
    return [name for name in names if known.get(name, "score") not in MEASURED_APART]


def score_changes(case: CasePart, known: dict[str, Unit], limit: int = 3) -> list[str]:
    """List the scores that differ between base and head: `judge 5 → 2`."""
    if case.base is None or case.head is None:
        return []
    told = []
    for name in score_names(case, known):
        unit = known.get(name, "score")
        before, after = score(case.base.scores.get(name), unit), score(case.head.scores.get(name), unit)
        if before != after:
            told.append(f"{name} {before} → {after}")
    return told[:limit]


def change_text(case: CasePart, known: dict[str, Unit]) -> str:
    """Say what happened to a case: its failure, the scores that moved, or the kind of change."""
    if case.change == "failed" and case.head and case.head.failure:
        return f"failed: {case.head.failure.kind}"
    if case.change == "failed" and case.head:
        return f"failed in {case.head.failed_repeats} of {case.head.repeats} repeats"
    return ", ".join(score_changes(case, known)) or CHANGES[case.change]


def answer_text(answer: Answer | None) -> str:
    """Write an answer as text: what it said, else its JSON, else its tool calls, else its failure.

    Of plain scores, and where texts may not be shown, there is none of these.
    """
    import json

    if answer is None:
        return "(not run)"
    if answer.failure is not None:
        return f"(failed: {answer.failure.kind}) {answer.failure.message}".rstrip()
    parts = [answer.text] if answer.text else []
    if not parts and answer.data is not None:
        parts.append(json.dumps(answer.data, ensure_ascii=False, indent=1))
    for call in answer.tool_calls:
        parts.append(f"{call.name}({'' if call.arguments is None else as_text(call.arguments)})")
    return "\n".join(parts) or ("(no text in this report)" if answer.text is None else "(empty answer)")


def texts(case: CasePart) -> list[tuple[str, str]]:
    """Give (label, text) of what a case asks, what is right and both answers, as far as the report may show them."""
    given = (("input", case.input), ("expected", case.expected))
    answers = (("base", case.base), ("head", case.head))
    return [
        *((label, as_text(value)) for label, value in given if value is not None),
        *((label, answer_text(answer)) for label, answer in answers if answer is not None),
    ]


def as_text(value: object) -> str:
    """Write a case's input or expected value: a string as it is, anything else as JSON."""
    import json

    if isinstance(value, str):
        return value
    if isinstance(value, dict) and len(value) == 1 and isinstance(only := next(iter(value.values())), str):
        return only
    return json.dumps(value, ensure_ascii=False)


def counts(document: ResultDocument) -> dict[str, int]:
    """Count the cases in the document by what happened to them."""
    found: dict[str, int] = {}
    for case in document.cases:
        found[case.change] = found.get(case.change, 0) + 1
    return found


def shown_note(document: ResultDocument) -> str:
    """Say that not all cases are in the document, or some that did not count; empty if neither."""
    if document.cases_shown < document.cases_total:
        return (
            f"The {document.cases_shown:,} cases that changed most are here, of {document.cases_total:,}; "
            "all of them count in the figures above."
        )
    used = cases_used(document)
    answered = sum(case.gated and case.head is not None for case in document.cases)
    if used < cases_in_all(document) and answered > used:
        more = answered - used
        return (
            f"{wording.count(answered, 'case')} were answered: {more} {'was' if more == 1 else 'were'} on the way when"
            f" {used} had decided it."
        )
    return ""
