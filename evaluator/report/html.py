"""The HTML report: one file, no network, readable without JavaScript.

Untrusted text reaches text nodes and quoted attributes alone, escaped by Jinja2. The page's content security policy
allows the one style and the one script by their hashes, and nothing else, so that a mistake here could run nothing.
"""

import base64
import hashlib
from datetime import datetime
from typing import Any

from evaluator.report import notes, presentation, slices, standing, wording
from evaluator.report.advice import what_to_do
from evaluator.report.document import ResultDocument
from evaluator.report.document_parts import LabelScores, LabelTable, MetricRow, ObjectivePart, RefInfo
from evaluator.report.escape import one_line, visible
from evaluator.report.html_cases import all_tags, case_views, change_filters
from evaluator.report.svg import bound_plot, difference_counts, distribution_plot
from evaluator.report.templates import html_environment, template_folder

_MAX_ROWS = 200


def html_report(document: ResultDocument) -> str:
    """Render the whole page."""
    from markupsafe import Markup

    folder = template_folder() / "report"
    style = (folder / "report.css").read_text(encoding="utf-8")
    script = (folder / "report.js").read_text(encoding="utf-8")
    verdict = document.verdict
    _, word, reason = standing.headline(document)
    return (
        html_environment()
        .get_template("report.html.j2")
        .render(
            style=Markup(style),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            policy=content_security_policy(style, script),
            document=document,
            state="weak" if standing.weak_rows(document) else verdict.state,
            word=word,
            reason=one_line(reason, 500),
            todo=one_line(what_to_do(document), 500),
            base=_ref(document.base, "base") if document.base else None,
            head=_ref(document.head, "head"),
            compared=document.base is not None,
            facts=_facts(document),
            objectives=[_objective(row) for row in verdict.objectives[:_MAX_ROWS]],
            confidence=presentation.confidences(document),
            others=[_row(row) for row in document.other_metrics[:_MAX_ROWS]],
            slices=[
                (one_line(part.tag, 60), part.cases, [_row(row) for row in part.rows], slices.gate_mark(part))
                for part in slices.worst_first(document)
            ],
            slices_note=slices.note(document),
            sight=presentation.sight(document),
            findings=[
                (icon, one_line(name, 120), one_line(text, 600))
                for icon, name, text in slices.findings(document)[:_MAX_ROWS]
            ],
            warnings=[one_line(text, 600) for text in notes.warnings(document)[:_MAX_ROWS]],
            housekeeping=[one_line(text, 600) for text in notes.housekeeping(document)[:_MAX_ROWS]],
            changes=[
                (one_line(change.path, 200), one_line(change.what, 400), one_line(change.effect, 400))
                for change in document.policy_changes[:_MAX_ROWS]
            ],
            spreads=[
                (one_line(spread.metric, 60), difference_counts(spread), distribution_plot(spread))
                for spread in document.distributions
            ],
            labels=[_labels(table) for table in document.label_tables],
            cases=case_views(document),
            filters=change_filters(document),
            tags=list(enumerate(one_line(tag, 60) for tag in all_tags(document))),
            shown_note=presentation.shown_note(document),
            rerun=one_line(document.rerun, 1000),
            estimate=presentation.estimate_text(document),
            timings=[(one_line(name, 60), wording.duration(seconds)) for name, seconds in document.timings.items()],
        )
    )


def content_security_policy(style: str, script: str) -> str:
    """Give the policy that allows this one style and this one script, by SHA-256, and nothing from anywhere else."""
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "img-src 'none'; base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _ref(ref: RefInfo, fallback: str) -> dict[str, Any]:
    return {
        "label": one_line(ref.label or ref.ref or fallback, 80),
        "sha": one_line(ref.sha[: presentation.SHORT_SHA]),
        "subject": one_line(ref.subject, 160),
        "dirty": ref.dirty,
    }


def _facts(document: ResultDocument) -> list[tuple[str, str, str]]:
    """Give (name, figure, small print) of the run's facts."""
    spend, dataset = document.spend, document.dataset
    cases = presentation.cases_text(document).rpartition(" ")[0]
    facts = [("Cases", cases, one_line(dataset.path, 60) if dataset else "")]
    if document.repeats > 1:
        facts.append(("Repeats", str(document.repeats), "answers per case and side"))
    if spend.total_usd:
        small = f"app {wording.money(spend.target_usd)} · judging {wording.money(spend.evaluation_usd)}"
        if spend.outside_usd:
            small += f" · outside of any case {wording.money(spend.outside_usd)}"
        if spend.cached_calls:
            small += f" · really spent {wording.money(spend.real_usd)}"
        if spend.unpriced_calls:
            small += f" · {wording.count(spend.unpriced_calls, 'call')} without a price"
        facts.append(("Spend", wording.money(spend.total_usd), small))
    elif told := presentation.spend_text(spend):
        figure, _, why = told.partition(" (")
        facts.append(("Spend", figure, why.rstrip(")")))
    if spend.calls:
        small = f"{spend.input_tokens:,} tokens in · {spend.output_tokens:,} out"
        cached = f"{spend.cached_calls:,} cached · " if spend.cached_calls else ""
        facts.append(("Calls", f"{spend.calls:,}", cached + small))
    if document.duration_s > 0:
        facts.append(("Time", wording.duration(document.duration_s), _moment(document.created_at)))
    if document.config:
        facts.append(("Config", one_line(document.config.path, 60), f"from {document.config.source}"))
    return facts


def _moment(created_at: str) -> str:
    """Write an ISO 8601 time to the minute; any other text as it is."""
    try:
        return datetime.fromisoformat(created_at).strftime("%Y-%m-%d %H:%M %Z").strip()
    except ValueError:
        return one_line(created_at, 40)


def _row(row: MetricRow) -> dict[str, Any]:
    figures = wording.change(row)
    point, _, interval = figures.partition(" (")
    return {
        "name": one_line(row.name, 80),
        "base": wording.value(row.base, row.unit),
        "head": wording.value(row.head, row.unit),
        "point": point,
        "interval": f"({interval}" if interval else "",
        "wraps": wording.NO_INTERVAL in interval,
        "tone": {1: "better", -1: "worse", 0: ""}[wording.better(row)],
        "direction": "higher is better" if row.higher_is_better else "lower is better",
        "pairs": row.pairs,
    }


def _objective(row: ObjectivePart) -> dict[str, Any]:
    return {
        **_row(row),
        "state": row.state,
        "mark": "weak" if standing.is_weak(row) else row.state,
        "icon": standing.state_icon(row),
        "word": standing.state_word(row),
        "implied": row.implied,
        "reason": visible(standing.row_reason(row)),
        "method": one_line(row.interval.method, 60) if row.interval else "",
        "bounds": [
            {
                "text": wording.bound(bound, row.unit),
                "figure": wording.figure(bound.value, bound, row.unit),
                "state": bound.state,
                "plot": bound_plot(bound, row.unit),
            }
            for bound in row.bounds
        ],
    }


def _labels(table: LabelTable) -> dict[str, Any]:
    return {
        "scorer": one_line(table.scorer, 60),
        "total": table.rows_total,
        "rows": [
            {
                "label": one_line(row.label, 80),
                "expected": row.expected,
                "base": _three(row.base),
                "head": _three(row.head),
                "tone": _tone(row.base, row.head),
            }
            for row in table.rows
        ],
        "confusions": [
            (one_line(pair.expected, 60), one_line(pair.predicted, 60), pair.base, pair.head)
            for pair in table.confusions
            if pair.base != pair.head
        ],
    }


def _three(scores: LabelScores | None) -> list[str]:
    found = (None, None, None) if scores is None else (scores.precision, scores.recall, scores.f1)
    return [wording.value(number, "share") for number in found]


def _tone(base: LabelScores | None, head: LabelScores | None) -> str:
    before, after = base.f1 if base else None, head.f1 if head else None
    if before is None or after is None or abs(after - before) < 0.005:
        return ""
    return "better" if after > before else "worse"
