"""Measures what it costs to begin: CPU of `--version`, of `import evaluator`, and of a gate on one case.

    python bench/coldstart.py [--docs]

The median of several runs, child processes included; the provider answers at once.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.pages import put_section
from bench.provider import provider
from bench.scale import scored_by_f1
from tests.standin.app import make_app

ROOT = Path(__file__).parents[1]
RUNS = 7


def cpu_s(words: list[str], environ: Mapping[str, str]) -> tuple[float, float]:
    """(CPU seconds, wall seconds) of a Python process and of what it waited for."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, *words], env=dict(environ), stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, words
    return used.ru_utime + used.ru_stime, time.perf_counter() - began


def row(name: str, words: Callable[[int], list[str]], environ: Callable[[int], Mapping[str, str]]) -> str:
    """The middle of several runs, in Markdown."""
    _, *found = [cpu_s(words(number), environ(number)) for number in range(1 + RUNS)]
    middle, wall = (statistics.median(column) for column in zip(*found, strict=True))
    return f"| {name} | {middle:.2f} | {max(cpu for cpu, _ in found):.2f} | {wall:.2f} |"


def main(words: list[str]) -> None:
    """Measure, print, and write the page where it is asked for."""
    # As installed: bytecode is there. The first run of each, which may write it, is not counted.
    plain = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""}
    lines = ["| what | CPU s | largest | wall s |", "| --- | ---: | ---: | ---: |"]
    lines.append(row("`import evaluator`", lambda n: ["-c", "import evaluator"], lambda n: plain))
    command = ["-m", "evaluator.cli.main"]
    lines.append(row("`llm-eval-gate --version`", lambda n: [*command, "--version"], lambda n: plain))
    with provider(0.0) as server, tempfile.TemporaryDirectory() as folder:
        repo = make_app(Path(folder) / "app", server.url, cases=1, config=scored_by_f1(1))
        gate = [*command, "gate", "--repo", str(repo), "--head", "change"]

        def home(number: int) -> Mapping[str, str]:
            return {**plain, "STANDIN_KEY": "k", "LLM_EVAL_GATE_HOME": f"{folder}/home-{number}"}

        lines.append(row("`llm-eval-gate gate` on one case", lambda n: gate, home))
    print("\n".join(lines))
    if "--docs" in words:
        put_section("coldstart", "\n".join(lines))


if __name__ == "__main__":
    main(sys.argv[1:])
