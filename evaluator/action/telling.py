"""What is told of a run: comment, summary, check, annotations and outputs, from a result document or an error."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from evaluator.errors import EvalGateError, ExitCode
from evaluator.github.check import CheckReport, Conclusion
from evaluator.github.commands import Annotation
from evaluator.github.publish import Publication
from evaluator.report import markdown, notices
from evaluator.report.document import ResultDocument
from evaluator.report.document_parts import ObjectivePart

ABSOLUTE = ("min", "max")
FailOn = Literal["regression", "threshold", "never"]
_WORDS = {"pass": "Pass", "fail": "Fail", "inconclusive": "Inconclusive", "error": "No verdict"}


@dataclass(frozen=True, slots=True)
class Lines:
    """Where things stand in the repository, for annotations."""

    config: str = ""
    """Path of the config from the repository's root; empty if it is not at head."""
    objectives: Mapping[str, int] = field(default_factory=dict)
    """Line of each objective in it."""
    prompt: str = ""
    """Path of the prompt that changed; empty if none did."""


def exit_code(document: ResultDocument, own: int, fail_on: FailOn) -> int:
    """The job's exit code.

    Args:
        document: The result.
        own: The pipeline's exit code, by the config's `on_inconclusive`.
        fail_on: What the workflow turns red for. Errors are red in any case: they are no verdict.
    """
    if own == ExitCode.INFRASTRUCTURE or document.verdict.state == "error":
        return ExitCode.INFRASTRUCTURE
    if fail_on == "never":
        return ExitCode.PASS
    if fail_on == "threshold" and document.verdict.state == "fail":
        broken = [
            bound
            for row in document.verdict.objectives
            for bound in row.bounds
            if bound.state == "fail" and bound.kind in ABSOLUTE
        ]
        return ExitCode.FAIL if broken else ExitCode.PASS
    return own


def conclusion(document: ResultDocument, code: int, on_inconclusive: str) -> Conclusion:
    """The check run's conclusion: neutral where the verdict is no pass, but nothing is to be stopped by it."""
    if code != ExitCode.PASS:
        return "failure"
    if document.verdict.state == "pass" or (document.verdict.state == "inconclusive" and on_inconclusive == "pass"):
        return "success"
    return "neutral"


def of_document(
    document: ResultDocument, code: int, *, on_inconclusive: str, run_url: str, files: Mapping[str, str], lines: Lines
) -> Publication:
    """What is told of a run that came to a result.

    Args:
        document: The result.
        code: The job's exit code.
        on_inconclusive: By the config, or the workflow.
        run_url: The run's page, where the full report can be had.
        files: Outputs about the report's files.
        lines: For annotations.
    """
    verdict = document.verdict
    title = f"{_WORDS[verdict.state]}: {verdict.reason}"[:250]
    notes = annotations(verdict.objectives, lines)
    return Publication(
        state=verdict.state,
        comment=lambda limit: markdown.comment(document, limit=limit, report_url=run_url),
        summary=lambda limit: markdown.summary(document, limit=limit, report_url=""),
        check=CheckReport(
            conclusion(document, code, on_inconclusive),
            title,
            markdown.comment(document, limit=markdown.SMALLEST_LIMIT),
            text=lambda limit: markdown.summary(document, limit=limit),
            annotations=notes,
        ),
        annotations=notes,
        outputs={**outputs(document, passed=code == ExitCode.PASS), **files},
        changed=verdict.state != "pass" or bool(document.policy_changes),
    )


def of_error(
    error: EvalGateError, *, head: str, run_url: str, rerun: str, outputs_: Mapping[str, str] | None = None,
    cancelled: bool = False,
) -> Publication:  # fmt: skip
    """What is told of a run that ended without a result: what is wrong, and what to do."""
    text = notices.failed(error.message, error.hint, head, run_url, rerun)
    told = error.message.splitlines()[0][:1_000] + (f" ({error.hint})" if error.hint else "")
    return Publication(
        state="error",
        comment=lambda _: text,
        summary=lambda _: text,
        check=CheckReport("cancelled" if cancelled else "failure", f"No verdict: {error.message}"[:250], text),
        annotations=[Annotation("error", told, title="llm-eval-gate")],
        outputs={**_EMPTY, "verdict": "error", "passed": "false", **(outputs_ or {})},
    )


def of_skip(reason: str) -> Publication:
    """What is told where there was nothing to evaluate: a pass that says why."""
    text = notices.skipped(reason)
    return Publication(
        state="pass",
        comment=lambda _: text,
        summary=lambda _: text,
        check=CheckReport("success", f"Not evaluated: {reason}"[:250], text),
        annotations=[Annotation("notice", reason, title="llm-eval-gate: not evaluated")],
        outputs={**_EMPTY, "verdict": "skipped", "passed": "true"},
        changed=False,
    )


_EMPTY = dict.fromkeys(
    (
        "base-sha", "head-sha", "metrics", "total-cost-usd", "regressed-metrics", "report-path", "result-path"
    ),
    "",
)  # fmt: skip


def outputs(document: ResultDocument, *, passed: bool) -> dict[str, str]:
    """The step's outputs, as far as the document knows them."""
    rows = [*document.verdict.objectives, *document.other_metrics]
    metrics = {row.name: {"base": row.base, "head": row.head, "change": row.change} for row in rows}
    spent = document.spend.real_usd
    return {
        **_EMPTY,
        "verdict": document.verdict.state,
        "passed": "true" if passed else "false",
        "base-sha": document.base.sha if document.base else "",
        "head-sha": document.head.sha,
        "metrics": json.dumps(metrics),
        "total-cost-usd": "" if spent is None else f"{spent:.6f}",
        "regressed-metrics": ",".join(row.name for row in document.verdict.objectives if row.state == "fail"),
    }


def annotations(objectives: Sequence[ObjectivePart], lines: Lines) -> list[Annotation]:
    """A remark a failed or open objective: at its line of the config, and at the prompt that changed."""
    found = []
    for row in objectives:
        if row.state == "pass":
            continue
        level: Literal["error", "warning"] = "warning" if row.state == "inconclusive" else "error"
        line = lines.objectives.get(row.name.removesuffix("_vs_anchor"), 0)
        title = f"{_WORDS[row.state]}: {row.name}"
        if lines.prompt and row.state == "fail":
            found.append(Annotation(level, row.reason, lines.prompt, 1, title=title))
        elif lines.config:
            found.append(Annotation(level, row.reason, lines.config, line, title=title))
        else:
            found.append(Annotation(level, row.reason, title=title))
    return found
