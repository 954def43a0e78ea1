"""Writes all renderings of one result document into a folder."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from evaluator.errors import InfrastructureError
from evaluator.report.document import ResultDocument, dump
from evaluator.report.html import html_report
from evaluator.report.junit import junit
from evaluator.report.markdown import comment

_NAMES = ("result.json", "comment.md", "report.html", "junit.xml")


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """Where the renderings are."""

    result: Path
    comment: Path
    html: Path
    junit: Path


def try_folder(folder: Path, *, option: str = "--out") -> None:
    """Make the folder for reports and see that files can be written there, before anything is paid for.

    Args:
        folder: The folder.
        option: Where another one is named.

    Raises:
        InfrastructureError: They cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".llm-eval-gate-") as file:
            file.write(b"probe")
        taken = [path for path in folder.glob("*") if path.name in _NAMES and not _can_be_written(path)]
    except OSError as error:
        raise _unwritable(folder, error.strerror, option) from None
    if taken:
        raise _unwritable(folder, f"{taken[0].name} is there and cannot be replaced", option)


def _can_be_written(path: Path) -> bool:
    return path.is_file() and os.access(path, os.W_OK)


def _unwritable(folder: Path, why: str | None, option: str = "--out") -> InfrastructureError:
    return InfrastructureError(
        f"the reports cannot be written to {folder}: {why}", hint=f"choose another folder with {option}"
    )


def write_reports(document: ResultDocument, folder: Path) -> ReportFiles:
    """Write `result.json`, `comment.md`, `report.html` and `junit.xml`.

    Raises:
        InfrastructureError: The folder cannot be written.
    """
    files = ReportFiles(*(folder / name for name in _NAMES))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        files.result.write_text(dump(document), "utf-8")
        files.comment.write_text(comment(document), "utf-8")
        files.html.write_text(html_report(document), "utf-8")
        files.junit.write_text(junit(document), "utf-8")
    except OSError as error:
        raise _unwritable(folder, error.strerror) from None
    return files
