"""Writes all renderings of one result document into a folder."""

from dataclasses import dataclass
from pathlib import Path

from evaluator.errors import InfrastructureError
from evaluator.report.document import ResultDocument, dump
from evaluator.report.html import html_report
from evaluator.report.junit import junit
from evaluator.report.markdown import comment


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """Where the renderings are."""

    result: Path
    comment: Path
    html: Path
    junit: Path


def write_reports(document: ResultDocument, folder: Path) -> ReportFiles:
    """Write `result.json`, `comment.md`, `report.html` and `junit.xml`.

    Raises:
        InfrastructureError: The folder cannot be written.
    """
    files = ReportFiles(folder / "result.json", folder / "comment.md", folder / "report.html", folder / "junit.xml")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.result.write_text(dump(document), "utf-8")
        files.comment.write_text(comment(document), "utf-8")
        files.html.write_text(html_report(document), "utf-8")
        files.junit.write_text(junit(document), "utf-8")
    except OSError as error:
        raise InfrastructureError(
            f"the reports cannot be written to {folder}: {error.strerror}", hint="choose another folder with --out"
        ) from None
    return files
