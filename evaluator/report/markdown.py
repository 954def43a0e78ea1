"""The pull request comment and the job summary, in GitHub Markdown that reads as plain text mail too.

Sizes shrink by tier, never by cutting: full with fewer and shorter cases, failing objectives only, the headline alone.
Who posts it, and the hidden marker that finds it again, is not known here.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evaluator.report import notes, presentation, slices, standing, wording
from evaluator.report.advice import what_to_do
from evaluator.report.document import ResultDocument
from evaluator.report.document_parts import CasePart, MetricRow, ObjectivePart, RefInfo, SlicePart, Unit
from evaluator.report.escape import Safe, brief, fence, markdown, one_line
from evaluator.report.templates import markdown_environment

COMMENT_LIMIT = 65_000
"""Of GitHub's 65,536 characters; the rest is for the hidden marker."""
SUMMARY_LIMIT = 1_000_000
"""Of the job summary's 1 MiB in bytes; a larger one is dropped whole."""
SMALLEST_LIMIT = 2_000
_REASON = 400
_HEADLINE, _SHORT, _SCOPE, _TODO = 560, 140, 260, 360
"""Lengths with escapes: what stands in the smallest tier must be bounded for sure."""
_LIST = 20
_SLICE_ROWS = 3
_HASH = re.compile(r"[0-9a-f]{7,64}")
_URL = re.compile(r"https?://[\w./?=&%+~:@,;-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Tier:
    """How much to show."""

    worst: int = 0
    best: int = 0
    text: int = 0
    """Characters of one answer."""
    extras: bool = True
    """Other metrics, slices, confusions, policy changes in full."""
    passing: bool = True
    """Objectives that passed."""
    table: bool = True


COMMENT_TIERS = (
    Tier(worst=10, best=5, text=700),
    Tier(worst=10, best=5, text=250),
    Tier(worst=5, best=2, text=120),
    Tier(worst=3, extras=False, text=80),
    Tier(extras=False, passing=False),
    Tier(extras=False, passing=False, table=False),
)
SUMMARY_TIERS = (Tier(worst=100, best=50, text=2000), Tier(worst=50, best=20, text=700), *COMMENT_TIERS)


def comment(document: ResultDocument, *, limit: int = COMMENT_LIMIT, report_url: str = "") -> str:
    """Render the pull request comment.

    Args:
        document: The result.
        limit: Most characters, counted in UTF-16 units as the strictest reading of GitHub's limit; at least 2,000.
        report_url: Where the full report can be opened or downloaded, if anywhere.
    """
    return _fit(document, COMMENT_TIERS, limit, lambda text: len(text.encode("utf-16-le")) // 2, report_url)


def summary(document: ResultDocument, *, limit: int = SUMMARY_LIMIT, report_url: str = "") -> str:
    """Render the job summary (`$GITHUB_STEP_SUMMARY`): the comment with more cases. `limit` is in bytes of UTF-8."""
    return _fit(document, SUMMARY_TIERS, limit, lambda text: len(text.encode()), report_url)


def _fit(
    document: ResultDocument, tiers: Sequence[Tier], limit: int, size: Callable[[str], int], report_url: str
) -> str:
    if limit < SMALLEST_LIMIT:
        raise ValueError(f"a comment needs a limit of at least {SMALLEST_LIMIT} characters, not {limit}")
    if report_url and not _URL.fullmatch(report_url):
        raise ValueError("report_url must be a plain http(s) address")
    text = ""
    for tier in tiers:
        text = render(document, tier, report_url)
        if size(text) <= limit:
            return text
    raise AssertionError("the headline alone is above the limit")  # pragma: no cover - the headline is capped


def render(document: ResultDocument, tier: Tier, report_url: str = "") -> str:
    """Render one tier, whatever its size."""
    verdict = document.verdict
    known = presentation.units(document)
    hashes = notes.own_hashes(document)
    objectives = [row for row in verdict.objectives if tier.passing or row.state != "pass"]
    worst = presentation.got_worse(document)
    best = [case for case in document.cases if case.change == "improved"]
    icon, word, reason = standing.headline(document)
    text = (
        markdown_environment()
        .get_template("comment.md.j2")
        .render(
            icon=Safe(icon),
            word=word,
            reason=brief(reason, _HEADLINE),
            base=_ref(document.base, "base") if document.base else "",
            head=_ref(document.head, "head"),
            subject=brief(document.head.subject, _SHORT),
            scope=Safe(one_line(" · ".join(presentation.scope(document)), _SCOPE)),
            todo=brief(what_to_do(document, below=bool(tier.worst)), _TODO),
            compared=document.base is not None,
            tier=tier,
            table=_objectives(document, objectives) if tier.table else [],
            hidden=len(verdict.objectives) - len(objectives) if tier.table else 0,
            sight=markdown(presentation.sight(document), 600) if tier.extras else "",
            warnings=_listed(notes.warnings(document), hashes) if tier.table else [],
            housekeeping=_listed(notes.housekeeping(document), hashes) if tier.extras else [],
            reasons=_reasons(document, objectives) if tier.table else [],
            others=_others(document),
            slices=_slices(document) if document.base else [],
            slices_note=Safe(slices.note(document)),
            confusions=_confusions(document) if document.base else [],
            policy=[
                (markdown(change.path, 150), markdown(change.what, _REASON), markdown(change.effect, _REASON))
                for change in document.policy_changes[:_LIST]
            ]
            if tier.table
            else [],
            policy_total=len(document.policy_changes),
            policy_more=max(len(document.policy_changes) - _LIST, 0),
            worst=[_case(case, tier, known) for case in worst[: tier.worst]],
            worst_total=len(worst),
            best=[_case(case, tier, known) for case in best[: tier.best]],
            best_total=len(best),
            shown_note=Safe(presentation.shown_note(document)),
            rerun=fence(one_line(document.rerun, 500), "sh") if document.rerun and tier.table else "",
            report_url=Safe(report_url),
            estimate=Safe(presentation.estimate_text(document)),
            tool=brief(f"{document.tool.name} {document.tool.version}", _SHORT),
        )
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def _lines(header: Sequence[str], align: str, rows: Sequence[Sequence[Safe]]) -> list[Safe]:
    """Give a table's lines; none without rows. `align` has `l` or `r` per column."""
    if not rows:
        return []
    marks = [":---" if side == "l" else "---:" for side in align]
    return [Safe(f"| {' | '.join(cells)} |") for cells in (header, marks, *rows)]


def _objectives(document: ResultDocument, rows: Sequence[ObjectivePart]) -> list[Safe]:
    cells = [
        [
            Safe(f"{standing.state_icon(row)} {markdown(row.name, 80)}"),
            *_figures(row, compared=document.base is not None)[1:],
            Safe(presentation.bounds_text(row)),
            Safe(f"{standing.state_icon(row)} {standing.state_word(row)}"),
        ]
        for row in rows
    ]
    if document.base is None:
        return _lines(("Metric", "Value", "Bound", "Verdict"), "lrll", cells)
    confidence = presentation.confidences(document)
    change = f"Change ({confidence} interval)" if confidence else "Change"
    return _lines(("Metric", "Base", "Head", change, "Bound", "Verdict"), "lrrlll", cells)


def _others(document: ResultDocument) -> list[Safe]:
    cells = [_figures(row, compared=document.base is not None) for row in document.other_metrics[:_LIST]]
    if document.base is None:
        return _lines(("Metric", "Value"), "lr", cells)
    return _lines(("Metric", "Base", "Head", "Change"), "lrrl", cells)


def _figures(row: MetricRow, *, compared: bool) -> list[Safe]:
    """Give the cells name, base, head and change; name and value alone for a run of one ref."""
    head = Safe(wording.value(row.head, row.unit))
    if not compared:
        return [markdown(row.name, 80), head]
    return [markdown(row.name, 80), Safe(wording.value(row.base, row.unit)), head, Safe(wording.change(row))]


def _ref(ref: RefInfo, fallback: str) -> Safe:
    """Name a ref; its hash stays whole, so that GitHub links it to the commit."""
    words = [brief(ref.label or ref.ref or fallback, _SHORT)]
    if _HASH.fullmatch(ref.sha):
        words.append(Safe(ref.sha[: presentation.SHORT_SHA]))
    if ref.dirty:
        words.append(Safe("(with uncommitted work)"))
    return Safe(" ".join(words))


def _listed(told: Sequence[str], hashes: Sequence[str]) -> list[Safe]:
    """Give the first of some sentences, and say how many more there are."""
    shown = [markdown(text, _REASON, hashes=hashes) for text in told[:_LIST]]
    return [*shown, Safe(f"and {len(told) - _LIST} more")] if len(told) > _LIST else shown


def _reasons(document: ResultDocument, rows: Sequence[ObjectivePart]) -> list[tuple[Safe, Safe, Safe]]:
    """Give (icon, name, why) of each objective and gated slice that is no plain pass, the worst first."""
    told = [(standing.state_icon(row), row.name, standing.row_reason(row)) for row in rows]
    found = [*[one for one in told if one[2]][:_LIST], *slices.findings(document)[:_LIST]]
    found.sort(key=lambda one: standing.WORST_FIRST.index(one[0]))
    return [(Safe(icon), markdown(name, 120), markdown(why, _REASON)) for icon, name, why in found]


def _slices(document: ResultDocument) -> list[Safe]:
    cells = [
        [_slice_name(part), Safe(str(part.cases)), *_figures(row, compared=True)]
        for part in slices.worst_first(document)[:_LIST]
        for row in slices.worst_rows(part, _SLICE_ROWS)
    ]
    return _lines(("Tag", "Cases", "Metric", "Base", "Head", "Change"), "lrlrrl", cells)


def _slice_name(part: SlicePart) -> Safe:
    """Name a tag, and say whether its slice gates."""
    return Safe(f"{markdown(part.tag, 60)} {slices.gate_mark(part)}".strip())


def _confusions(document: ResultDocument) -> list[Safe]:
    cells = [
        [markdown(pair.expected, 60), markdown(pair.predicted, 60), Safe(str(pair.base)), Safe(str(pair.head))]
        for table in document.label_tables[:3]
        for pair in table.confusions[:8]
        if pair.base != pair.head
    ]
    return _lines(("Expected", "Answered", "Base", "Head"), "llrr", cells)


def _case(case: CasePart, tier: Tier, known: dict[str, Unit]) -> dict[str, object]:
    """Give the view of one case: its heading, and a row of cells per side."""
    names = presentation.score_names(case, known)[:4]
    rows, reasons = [], []
    for label, answer in (("base", case.base), ("head", case.head)):
        if answer is None:
            continue
        scores = [Safe(presentation.score(answer.scores.get(name), known.get(name, "score"))) for name in names]
        rows.append([Safe(f"**{label}**"), markdown(presentation.answer_text(answer), tier.text), *scores])
        reasons += [
            (label, markdown(scorer, 60), markdown(reason, tier.text))
            for scorer, reason in list(answer.reasons.items())[:2]
        ]
    told = presentation.change_text(case, known)
    where = f", line {case.line}" if case.line else ""
    tags = f" ({', '.join(case.tags[:4])})" if case.tags else ""
    expected = "" if case.expected is None else markdown(presentation.as_text(case.expected), tier.text)
    return {
        "id": markdown(case.id, 80),
        "told": markdown(f"{told}{where}{tags}", 200),
        "input": "" if case.input is None else markdown(presentation.as_text(case.input), tier.text),
        "expected": expected,
        "table": _lines(("", "Answer", *(markdown(name, 40) for name in names)), "ll" + "r" * len(names), rows),
        "reasons": reasons,
        "gated": case.gated,
    }
