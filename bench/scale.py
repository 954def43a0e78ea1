"""Measures how a gate grows with the golden set: 1k, 10k and 50k cases, each asked at base and head.

    python bench/scale.py [--docs] [CASES ...]

The provider answers at once, so that what is measured is us. Reading the golden set, deciding and writing the report
are part of it; memory is the largest of our process.
"""

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.pages import put_section
from bench.provider import provider
from bench.throughput import CONFIG, Marks, peak_mib
from tests.standin.app import make_app

SIZES = (1_000, 10_000, 50_000)


async def ours(repo: str, home: str, cases: int) -> dict[str, Any]:
    """A whole gate with its reports; in this process."""
    from evaluator.pipeline import gate
    from evaluator.report.files import write_reports
    from evaluator.results.score_files import write_metrics, write_scores
    from evaluator.runner.opening import Job

    marks = Marks()
    began, cpu = time.perf_counter(), time.process_time()
    job = Job(
        repo=Path(repo), head="change", base="main", home=Path(home), environ={"STANDIN_KEY": "k", "PATH": "/usr/bin"},
        show=lambda gateway, label: marks, rerun="",
    )  # fmt: skip
    outcome = await gate(job)
    decided = peak_mib()
    write_reports(outcome.document, outcome.folder / "report")
    write_scores(outcome.table, outcome.folder / "report")
    write_metrics(outcome.metrics, outcome.folder / "report")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "cases": cases,
        "wall_s": time.perf_counter() - began,
        "run_s": marks.at[1][0] - marks.at[0][0],
        "run_cpu_s": marks.at[1][1] - marks.at[0][1],
        "cpu_s": time.process_time() - cpu + used.ru_utime + used.ru_stime,
        "decided_mib": decided,
        "peak_mib": peak_mib(),
        "verdict": outcome.verdict.state,
    }


def scored_by_f1(in_flight: int) -> str:
    """A config without a judge."""
    config = CONFIG.format(in_flight=in_flight).replace("scorers: [judge]", "scorers: [f1]")
    return config.replace("  judge: {{max_drop", "  f1: {{max_drop").replace("judge: {{model", "# {{model")


def measure(cases: int) -> dict[str, Any]:
    """A gate in a process of its own."""
    with provider(0.0) as server, tempfile.TemporaryDirectory() as folder:
        repo = make_app(Path(folder) / "app", server.url, cases=cases, config=scored_by_f1(32))
        command = [sys.executable, __file__, "ours", str(repo), f"{folder}/home", str(cases)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        assert server.tell()["asked"] == 2 * cases
    return dict(json.loads(done.stdout.splitlines()[-1]))


def table(rows: list[dict[str, Any]]) -> str:
    """The rows in Markdown."""
    lines = [
        "| cases | wall s | asking, s | CPU s | CPU ms a case | peak MiB | before the report files |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        lines.append(
            f"| {row['cases']:,} | {row['wall_s']:.1f} | {row['run_s']:.1f} | {row['cpu_s']:.1f}"
            f" | {row['cpu_s'] / row['cases'] * 1000:.2f} | {row['peak_mib']:.0f} | {row['decided_mib']:.0f} |"
        )
    return "\n".join(lines)


def main(words: list[str]) -> None:
    """Measure, print, and write the page where it is asked for."""
    rows = [measure(cases) for cases in [int(word) for word in words if word.isdigit()] or SIZES]
    print(table(rows))
    if "--docs" in words:
        put_section("scale", table(rows))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["ours", repo, home, cases]:
            print(json.dumps(asyncio.run(ours(repo, home, int(cases)))))
        case words:
            main(words)
