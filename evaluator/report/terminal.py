"""The verdict and its table for a terminal or a build log. Returns text; whoever prints it decides where."""

from typing import TYPE_CHECKING

from evaluator.report import notes, presentation, slices, standing, wording
from evaluator.report.advice import what_to_do
from evaluator.report.document import ResultDocument
from evaluator.report.document_parts import MetricRow, ObjectivePart, State
from evaluator.report.escape import ELLIPSIS, terminal

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

COLOURS: dict[State, str] = {"pass": "green", "fail": "red", "inconclusive": "yellow", "error": "magenta"}
_WEAK = "yellow"
_CASES = 5
_LABEL = 10
"""Columns of a label with its colon."""


def terminal_report(document: ResultDocument, *, colour: bool = False, width: int = 110) -> str:
    """Render verdict, table and worst cases.

    Args:
        document: The result.
        colour: Write ANSI colours; for a terminal that wants them.
        width: Columns of the terminal. Longer cells wrap, none is cut; the texts of a case are cut to a line each.
    """
    from io import StringIO

    from rich.console import Console
    from rich.text import Text

    out = StringIO()
    console = Console(
        file=out, width=width, force_terminal=colour, color_system="standard" if colour else None,
        no_color=not colour, highlight=False, markup=False, emoji=False, legacy_windows=False,
    )  # fmt: skip
    verdict = document.verdict
    _, word, reason = standing.headline(document)
    headline = Text(word, style=f"bold {_WEAK if standing.weak_rows(document) else COLOURS[verdict.state]}")
    if reason:
        headline.append(f": {terminal(reason)}", style="not bold default")
    console.print(headline)
    refs = presentation.ref_text(document.head, "head")
    if document.base:
        refs = f"{presentation.ref_text(document.base, 'base')} → {refs}"
    console.print(terminal(" · ".join([refs, *presentation.scope(document)])), style="dim")
    todo = what_to_do(document)
    if todo:
        console.print(terminal(f"What to do: {todo}"))
    console.print()
    console.print(_table(document))
    told = [f"{row.name}: {why}" for row in verdict.objectives if (why := standing.row_reason(row))]
    told += [f"{name}: {text}" for _, name, text in slices.findings(document)]
    told += [*notes.warnings(document), *notes.housekeeping(document)]
    sight = presentation.sight(document)
    if told or sight:
        console.print()
    for line in told:
        console.print(f"- {terminal(line)}")
    if sight:
        console.print(terminal(sight), style="dim")
    for change in document.policy_changes:
        console.print(terminal(f"- {change.path}: {change.what}" + (f" ({change.effect})" if change.effect else "")))
    _print_cases(console, document, width)
    return "".join(_harmless(line) for line in out.getvalue().splitlines(keepends=True))


def _table(document: ResultDocument) -> "Table":
    from rich.table import Table
    from rich.text import Text

    compared = document.base is not None
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("metric", *(("base", "head", "change") if compared else ("value",)), "bound", "verdict"):
        table.add_column(name, justify="right" if name in ("base", "head", "value") else "left")
    rows: list[MetricRow] = [*document.verdict.objectives, *document.other_metrics]
    for row in rows:
        cells = [Text(terminal(row.name))]
        if compared:
            cells.append(Text(wording.value(row.base, row.unit)))
        cells.append(Text(wording.value(row.head, row.unit)))
        if compared:
            cells.append(Text(wording.change(row)))
        if isinstance(row, ObjectivePart):
            cells += [
                Text(presentation.bounds_text(row, icons=False)),
                Text(standing.state_word(row), style=_WEAK if standing.is_weak(row) else COLOURS[row.state]),
            ]
        table.add_row(*cells)
    return table


def _print_cases(console: "Console", document: ResultDocument, width: int) -> None:
    worst = presentation.got_worse(document)
    if not worst:
        return
    known = presentation.units(document)
    console.print()
    console.print(f"Got worse: {wording.count(len(worst), 'case')}. The worst:", style="bold")
    for case in worst[:_CASES]:
        console.print(terminal(f"{case.id} {presentation.change_text(case, known)}"))
        for label, text in presentation.texts(case):
            console.print(_one_line(label, text, width), style="dim")


def _one_line(label: str, text: str, width: int) -> str:
    """Put untrusted text behind a label of ours, cut to a line of so many columns: a Korean character takes two."""
    from rich.cells import cell_len, set_cell_size

    line = f"    {label + ':':<{_LABEL}}{terminal(text)}"
    return line if cell_len(line) <= width else set_cell_size(line, width - 1).rstrip() + ELLIPSIS


def _harmless(line: str) -> str:
    # Wrapping can put a `::` at the start of a line where the filter of the single text could not see it.
    start = len(line) - len(line.lstrip())
    if line[start:].startswith("::"):
        line = f"{line[:start]}\\{line[start:]}"
    return line.replace("##[", "#\\#[")
