"""Measures a whole gate: 500 cases x 2 prompts x (app + judge) = 2000 calls to a provider that takes 100 ms.

    python bench/throughput.py [--docs]

Beside it, in the same run, a bare aiohttp client that makes calls of the same size in the same order (base, head,
then both judgements at once) and does nothing else. Each measurement has a process of its own; the provider keeps its
own log. With --docs the table and the plot go to docs/.
"""

import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.pages import put_section
from bench.provider import Running, provider
from bench.simulation.plots import Line, line_chart
from evaluator.starting import collect_less_often
from tests.standin.app import make_app

ROOT = Path(__file__).parents[1]
CASES = 500
CALLS = 4 * CASES
DELAY_S = 0.1
IN_FLIGHT = (4, 32, 128, 512)
CONFIG = """\
version: 1
dataset: evals/golden.jsonl
target: {{{{prompt: prompts/answer.prompt.yml, provider: standin}}}}
judge: {{{{model: m, provider: standin, canaries: false}}}}
scorers: [judge]
objectives:
  judge: {{{{max_drop: 50%}}}}
providers:
  standin: {{{{base_url: "{{url}}", api_key_env: STANDIN_KEY}}}}
prices:
  m: {{{{input: $1, output: $2}}}}
concurrency: {in_flight}
early_stop: false
max_repeats: 1
"""


class Marks:
    """Progress that notes time and CPU at the beginning and the end of the calls."""

    def __init__(self) -> None:
        """Nothing is noted yet."""
        self.at: list[tuple[float, float]] = []

    def start(self, total: int) -> None:
        """Note the beginning."""
        self.at.append((time.perf_counter(), time.process_time()))

    def advance(self, *, failed: bool, fresh: bool) -> None:
        """Nothing to note."""

    def stop(self) -> None:
        """Note the end."""
        self.at.append((time.perf_counter(), time.process_time()))


def peak_mib() -> float:
    """Largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def ours(repo: str, home: str) -> dict[str, Any]:
    """A whole gate; in this process."""
    from evaluator.journal.journal import Journal
    from evaluator.pipeline import gate
    from evaluator.runner.opening import Job

    marks = Marks()
    job = Job(
        repo=Path(repo), head="change", base="main", home=Path(home), environ={"STANDIN_KEY": "k", "PATH": "/usr/bin"},
        show=lambda gateway, label: marks, rerun="",
    )  # fmt: skip
    outcome = await gate(job)
    (wall, cpu), (wall_end, cpu_end) = marks.at
    peak, whole = peak_mib(), time.process_time()
    (file,) = outcome.folder.glob("journal-*.sqlite")
    with Journal(file, identity=outcome.folder.name) as journal:
        latencies = [call.latency_s for call in journal.calls()]
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "wall_s": wall_end - wall,
        "cpu_ms": (cpu_end - cpu) / CALLS * 1000,
        "whole_cpu_ms": (whole + children.ru_utime + children.ru_stime) / CALLS * 1000,
        "peak_mib": peak,
        "latencies": latencies,
        "verdict": outcome.verdict.state,
    }


async def bare(url: str, in_flight: int) -> dict[str, Any]:
    """The same calls without anything around them; in this process."""
    import aiohttp

    latencies: list[float] = []
    places = asyncio.Semaphore(in_flight)
    wall, cpu = time.perf_counter(), time.process_time()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def call(number: int, size: int) -> None:
            body = {"model": "m", "messages": [{"role": "user", "content": f"{number:8}" + "x" * size}]}
            began = time.perf_counter()
            async with session.post(f"{url}/chat/completions", json=body) as response:
                await response.json()
            latencies.append(time.perf_counter() - began)

        async def one(number: int) -> None:
            async with places:
                await call(4 * number, 100)
                await call(4 * number + 1, 100)
                await asyncio.gather(call(4 * number + 2, 2000), call(4 * number + 3, 2000))

        await asyncio.gather(*(one(number) for number in range(CASES)))
    return {
        "wall_s": time.perf_counter() - wall,
        "cpu_ms": (time.process_time() - cpu) / CALLS * 1000,
        "peak_mib": peak_mib(),
        "latencies": latencies,
    }


def child(*words: str) -> dict[str, Any]:
    """Measure in a process of its own."""
    done = subprocess.run([sys.executable, __file__, *words], stdout=subprocess.PIPE, check=True, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def quantiles(values: list[float]) -> tuple[float, float]:
    """(p50, p95)."""
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    return cuts[9], cuts[18]


def ideal_s(in_flight: int) -> float:
    """Three rounds a case (base, head, both judgements), `in_flight` cases at a time."""
    return max(1.0, CASES / in_flight) * 3 * DELAY_S


def measure(name: str, in_flight: int, server: Running, *words: str) -> dict[str, Any]:
    """One row: what the client measured of itself, beside the provider's own log."""
    server.tell()
    row = child(*words)
    told = server.tell()
    assert told["different"] == told["asked"] == CALLS, (name, in_flight, told["asked"], told["different"])
    p50, p95 = quantiles(row.pop("latencies"))
    true50, true95 = quantiles(told["latencies"])
    return row | {
        "name": name,
        "in_flight": in_flight,
        "most": told["most"],
        "ratio": row["wall_s"] / ideal_s(in_flight),
        "p50": (p50, true50),
        "p95": (p95, true95),
    }


def rows_of(in_flight: int) -> list[dict[str, Any]]:
    """Measure both clients at one concurrency."""
    with provider(DELAY_S) as server, tempfile.TemporaryDirectory() as folder:
        repo = make_app(Path(folder) / "app", server.url, cases=CASES, config=CONFIG.format(in_flight=in_flight))
        return [
            measure("aiohttp, bare", in_flight, server, "bare", server.url, str(in_flight)),
            measure("a whole gate", in_flight, server, "ours", str(repo), f"{folder}/home"),
        ]


def table(rows: list[dict[str, Any]]) -> str:
    """The rows in Markdown."""
    lines = [
        "| client | cases in flight | calls, most | wall s | wall / ideal | CPU ms a call | with start and report"
        " | peak MiB | p50 ms, provider's | p95 ms, provider's |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        whole = f"{row['whole_cpu_ms']:.2f}" if "whole_cpu_ms" in row else ""
        both = [f"{row[name][0] * 1000:.1f}, {row[name][1] * 1000:.1f}" for name in ("p50", "p95")]
        lines.append(
            f"| {row['name']} | {row['in_flight']} | {row['most']} | {row['wall_s']:.2f} | {row['ratio']:.2f}"
            f" | {row['cpu_ms']:.2f} | {whole} | {row['peak_mib']:.0f} | {both[0]} | {both[1]} |"
        )
    return "\n".join(lines)


def main(words: list[str]) -> None:
    """Measure, print, and write the page where it is asked for."""
    chosen = [int(word) for word in words if word.isdigit()] or list(IN_FLIGHT)
    rows = [row for in_flight in chosen for row in rows_of(in_flight)]
    print(table(rows))
    if "--docs" not in words:
        return
    lines = [
        Line(name, [(number, row["ratio"]) for number, row in enumerate(rows_by(rows, name))], dashed=name != OURS)
        for name in (OURS, "aiohttp, bare")
    ]
    chart = line_chart(
        "Wall time of 2000 calls, as a multiple of the ideal", f"cases in flight: {chosen}", "wall / ideal", lines
    )
    (ROOT / "docs" / "images" / "throughput.svg").write_text(chart, "utf-8")
    put_section("throughput", table(rows))


OURS = "a whole gate"


def rows_by(rows: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The rows of one client."""
    return [row for row in rows if row["name"] == name]


if __name__ == "__main__":
    collect_less_often()  # as the command does; the bare client too
    match sys.argv[1:]:
        case ["ours", repo, home]:
            print(json.dumps(asyncio.run(ours(repo, home))))
        case ["bare", url, in_flight]:
            print(json.dumps(asyncio.run(bare(url, int(in_flight)))))
        case words:
            main(words)
