"""The gate's error rates, by simulation through the real decision code, written to docs/operating-characteristics.md.

Run it with `python bench/operating_characteristics.py [--draws 2000]`: 16 minutes on one core.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.simulation.apps import App, Effect, Kind  # noqa: E402  found through the line above
from bench.simulation.coverage import CASES, SUBJECTS, coverage  # noqa: E402
from bench.simulation.plots import Line, line_chart  # noqa: E402
from bench.simulation.rates import Cell, Rates, rates  # noqa: E402
from bench.simulation.series import noticed_at, sliced, visible  # noqa: E402
from bench.simulation.text import AFTER, BEFORE, NOTES  # noqa: E402
from evaluator.gate.decide import ADVISED_UNITS, WIDE_BELOW  # noqa: E402

PAGE = ROOT / "docs" / "operating-characteristics.md"
IMAGES = ROOT / "docs" / "images"
JUDGE, EXACT, F1, COST, P95 = (App(name) for name in ("judge", "exact_match", "f1", "cost", "latency_p95"))
FOUR = (JUDGE, F1, COST, P95)
QUALITY = ("judge", "exact_match", "f1")


def _percent(share: float) -> str:
    hundred = 100.0 * share
    if hundred in (0, 100):
        return f"{hundred:.0f}"
    return f"{hundred:.2f}" if hundred < 10 or hundred > 99 else f"{hundred:.1f}"


class Bench:
    """Runs cells once each and keeps what they gave."""

    def __init__(self, draws: int, say: Callable[[str], None]) -> None:
        """Set up for so many draws a cell; `say` gets a line of progress a cell."""
        self.draws, self._say, self._known = draws, say, dict[str, Rates]()

    def rates(self, cell: Cell) -> Rates:
        """The rates of a cell."""
        if (key := repr(cell)) not in self._known:
            self._known[key] = rates(cell, self.draws)
            self._say(f"{[app.metric for app in cell.apps]} {cell.effect} n={cell.cases}: {self._known[key]}")
        return self._known[key]

    def table(self, rows: Sequence[tuple[str, Cell]]) -> str:
        """A Markdown table, one row a cell."""
        lines = [
            "| app, cases, change | blocked by `new < old * 0.95` | blocked | not blocked: pass | of these weak | "
            "inconclusive | calls | stopped early |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        for name, cell in rows:
            found = self.rates(cell)
            figures = [found.naive, found.fail, found.passed, found.weak, found.inconclusive]
            told = " | ".join(_percent(figure) for figure in figures)
            lines.append(f"| {name} | {told} | {found.calls:.2f} | {_percent(found.decided_early)} |")
        return "\n".join(lines)


def _rows(
    apps: tuple[App, ...], cases: Sequence[int], effects: Sequence[tuple[Kind, float]], **more: object
) -> list[tuple[str, Cell]]:
    rows = []
    for count in cases:
        for kind, drop in effects:
            change = {"none": "A/A", "churn": "churn"}.get(
                kind, f"{'-' if apps[0].metric != 'cost' else '+'}{drop:.0%} {kind}"
            )
            name = "4 metrics" if len(apps) > 1 else f"{apps[0].metric}, {apps[0].noise} noise"
            rows.append((f"{name}, {count}, {change}", Cell(apps, Effect(kind, drop), count, **more)))  # type: ignore[arg-type]
    return rows


MAIN: list[tuple[Kind, float]] = [("none", 0.0), ("churn", 0.0), ("flaky", 0.01), ("flaky", 0.08), ("flaky", 0.1)]
KINDS: list[tuple[Kind, float]] = [("uniform", 0.08), ("broken", 0.08), ("uniform", 0.1), ("broken", 0.1)]


def write_page(bench: Bench) -> str:
    """The page: text and tables."""
    few = max(200, bench.draws // 4)
    sections = [
        BEFORE.format(draws=f"{bench.draws:,}"),
        "## One judge, 1 to 5\n",
        bench.table(_rows((JUDGE,), (50, 100, 200, 500), MAIN)) + "\n",
        bench.table(_rows((App("judge", "high"),), (50, 100, 200), MAIN)) + "\n",
        bench.table(_rows((App("judge", "low"),), (100,), MAIN)) + "\n",
        NOTES["judge"],
        "## Other kinds of drop\n",
        bench.table([*_rows((JUDGE,), (200,), KINDS), *_rows((EXACT,), (200,), KINDS[1::2])]) + "\n",
        NOTES["kinds"],
        "## Exact match, F1, cost\n",
        bench.table(_rows((EXACT,), (100, 200, 500), MAIN)) + "\n",
        bench.table(
            [*_rows((F1,), (200,), MAIN), *_rows((COST,), (200,), [("none", 0), ("uniform", 0.02), ("uniform", 0.2)])]
        )
        + "\n",
        "## A baseline that is known\n",
        bench.table(_rows((JUDGE,), (100, 200, 500), [("none", 0.0), ("flaky", 0.08)], baseline=8)) + "\n",
        "## Several objectives at once\n",
        bench.table(
            [
                *_rows(FOUR, (100, 200), [("none", 0.0), ("churn", 0.0)]),
                *_rows(FOUR, (200,), [("flaky", 0.08)], hit=QUALITY),
            ]
        )
        + "\n",
        NOTES["several"],
        _slices(bench.draws),
        "## Cases that share a document\n",
        bench.table(_rows((App("judge", "mid", 5),), (200,), [("none", 0.0), ("flaky", 0.08)])) + "\n",
        NOTES["clusters"],
        "## At the edges of the zone\n",
        bench.table(_edges()) + "\n",
        NOTES["edges"],
        "## `strict`\n",
        bench.table(_rows((JUDGE,), (100, 200), [("none", 0.0), ("flaky", 0.01), ("flaky", 0.05)], strict=True)) + "\n",
        NOTES["strict"],
        _rot(few),
        bench.table(_rows((JUDGE,), (200,), [("none", 0.0), ("churn", 0.0)], limits={"judge": 0.03})) + "\n",
        _visible(few),
        _coverage(bench.draws),
        AFTER,
    ]
    return "\n".join(sections)


def _edges() -> list[tuple[str, Cell]]:
    far: list[tuple[Kind, float]] = [
        ("flaky", 0.08),
        ("uniform", 0.08),
        ("broken", 0.08),
        ("flaky", 0.02),
        ("uniform", 0.02),
    ]
    return [
        *_rows((JUDGE,), (200,), [*far, ("broken", 0.02)]),
        *_rows((EXACT,), (200,), [effect for effect in far if effect[0] != "uniform"]),
        *_rows((F1,), (200,), far),
        *_rows((COST,), (200,), [("uniform", 0.16), ("uniform", 0.04)]),
    ]


def _slices(draws: int) -> str:
    lines = [
        "### Twenty slice tests beside them\n",
        "| cases, change | slice tests | blocked if any figure is beyond its limit | blocked by both families | "
        "blocked by a slice |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    plan: list[tuple[int, Kind, int]] = [(200, "none", 1), (200, "churn", 8), (100, "none", 8)]
    for cases, kind, share in plan:
        found = sliced(Cell(FOUR, Effect(kind), cases, max_repeats=1), draws // share)
        lines.append(
            f"| {cases}, {'A/A' if kind == 'none' else kind} ({draws // share:,} draws) | {found['tests']:.0f} | "
            f"{_percent(found['naive'])} | {_percent(found['gate'])} | {_percent(found['slices'])} |"
        )
    return "\n".join([*lines, "", NOTES["slices"]])


def _rot(draws: int) -> str:
    """Series of merges; each is up to ten runs of the gate."""
    found = {
        "rolling base, limit 5 %": noticed_at(JUDGE, 200, 0.05, draws, anchored=False),
        "anchor, limit 5 %": noticed_at(JUDGE, 200, 0.05, draws, anchored=True),
        "anchor, limit 3 %": noticed_at(JUDGE, 200, 0.03, draws, anchored=True),
    }
    chart = [Line(name, list(enumerate((100 * share for share in shares), 1))) for name, shares in found.items()]
    (IMAGES / "slow-rot.svg").write_text(
        line_chart("Ten merges of -1 % each", "merge", "per cent noticed by then", chart, y_top=100), encoding="utf-8"
    )
    lines = [
        f"## Slow rot and the anchor ({draws:,} series)\n",
        "| compared with | " + " | ".join(f"merge {number}" for number in range(1, 11)) + " |",
        "| --- |" + " ---: |" * 10,
        *(f"| {name} | " + " | ".join(map(_percent, shares)) + " |" for name, shares in found.items()),
    ]
    return "\n".join([*lines, "", "![Slow rot](images/slow-rot.svg)\n", NOTES["rot"]])


def _visible(draws: int) -> str:
    lines = [
        f"## The smallest drop that is seen ({draws:,} draws)\n",
        "| app, cases | printed | simulated | printed / simulated |",
        "| --- | ---: | ---: | ---: |",
    ]
    apps: list[tuple[App, Kind, int]] = [
        *((JUDGE, "flaky", cases) for cases in (50, 100, 200, 500)),
        *((EXACT, "flaky", cases) for cases in (100, 200, 500)),
        (App("judge", "high"), "flaky", 100),
        (F1, "flaky", 100),
        (COST, "uniform", 100),
    ]
    for app, kind, cases in apps:
        printed, simulated = visible(app, kind, cases, draws)
        lines.append(
            f"| {app.metric}, {app.noise} noise, {cases} | {_percent(printed)} % | {_percent(simulated)} % | "
            f"{printed / simulated:.2f} |"
        )
    return "\n".join([*lines, "", NOTES["visible"]])


def _coverage(draws: int) -> str:
    lines = [
        "## Coverage of the intervals\n",
        "| interval of | " + " | ".join(f"{cases} cases" for cases in CASES) + " |",
        "| --- |" + " ---: |" * len(CASES),
    ]
    for subject in SUBJECTS:
        figures = []
        for cases in CASES:
            share = coverage(subject, cases, max(200, draws // 4) if subject.slow else draws)
            units = cases // subject.app.cluster_size
            warned = units < max(ADVISED_UNITS, WIDE_BELOW.get(subject.kind, 0))
            mark = "*" if share < 0.93 else "+" if share > 0.97 else ""
            figures.append(f"{100 * share:.1f}{mark}{' (warned)' if warned else ''}")
        lines.append(f"| {subject.name} | " + " | ".join(figures) + " |")
    return "\n".join([*lines, "", NOTES["coverage"]])


def _charts(bench: Bench) -> None:
    cases = (50, 100, 200, 500)

    def shares(
        kind: Kind, drop: float, figure: Callable[[Rates], float], noise: str = "mid"
    ) -> list[tuple[float, float]]:
        return [(n, figure(bench.rates(Cell((App("judge", noise),), Effect(kind, drop), n)))) for n in cases]

    named: list[tuple[str, Kind, float]] = [
        ("A/A", "none", 0.0),
        ("-1 %", "flaky", 0.01),
        ("-8 %", "flaky", 0.08),
        ("-10 %", "flaky", 0.1),
    ]
    calls = [Line(name, shares(kind, drop, lambda found: found.calls)) for name, kind, drop in named]
    missed = [
        Line("this rule, -8 %", shares("flaky", 0.08, lambda found: 100 * (1 - found.fail))),
        Line("naive, -8 %", shares("flaky", 0.08, lambda found: 100 * (1 - found.naive)), dashed=True),
    ]
    false = [
        Line("this rule, high noise, A/A", shares("none", 0.0, lambda found: 100 * found.fail, "high")),
        Line("naive, high noise, A/A", shares("none", 0.0, lambda found: 100 * found.naive, "high"), dashed=True),
    ]
    for name, title, axis, lines in (
        ("calls", "Calls, judge, mid noise", "calls / (2 x cases)", calls),
        ("missed", "Regressions not blocked, judge, mid noise", "per cent", missed),
        ("false-blocks", "Harmless changes blocked, judge", "per cent", false),
    ):
        (IMAGES / f"gate-{name}.svg").write_text(line_chart(title, "cases", axis, lines), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate and write the page and its plots."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draws", type=int, default=2000, help="simulated pull requests a cell (default: 2000)")
    parser.add_argument("--out", type=Path, default=PAGE, help="the page to write")
    given = parser.parse_args(arguments)
    started = time.monotonic()
    IMAGES.mkdir(parents=True, exist_ok=True)
    bench = Bench(given.draws, lambda line: print(f"{time.monotonic() - started:6.0f} s  {line}", flush=True))
    page = write_page(bench)
    _charts(bench)
    given.out.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
