"""Kills a run of 2,000 calls again and again at random moments, and holds what comes out against an undisturbed run.

    python bench/kills.py [--docs] [RUNS [KILLS]]

Each run (10 by default) is killed with SIGKILL so many times (10), each time after a random number of calls, and
then left to its end. Counted are calls that were asked again, which may be no more than were in flight at the kills,
and whatever in the result document is not what the undisturbed run has, times and what came from the cache aside.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.pages import put_section
from bench.provider import Running, provider
from bench.throughput import CASES, CONFIG
from tests.standin.app import make_app

ROOT = Path(__file__).parents[1]
IN_FLIGHT = 16
DELAY_S = 0.02
TIMES = (
    "created_at", "duration_s", "timings", "latency_s", "started_s", "took_s", "first_byte_s", "cached", "cached_calls",
    "real_usd", "estimate",
)  # fmt: skip


def start(repo: Path, home: Path) -> "subprocess.Popen[str]":
    """Begin a gate, or go on with it."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "LLM_EVAL_GATE_HOME": str(home), "STANDIN_KEY": "k"}
    words = ["-m", "evaluator.cli.main", "gate", "--repo", str(repo), "--head", "change", "--json"]
    return subprocess.Popen([sys.executable, *words], env=environ, stdout=subprocess.PIPE, text=True)


def kill_at(process: "subprocess.Popen[str]", server: Running, calls: int) -> bool:
    """Kill a process when so many different calls have been made, by whom ever; False if it ended before."""
    while process.poll() is None and server.different() < calls:
        time.sleep(0.001)
    ended = process.poll() is not None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return not ended


def without_times(part: Any) -> Any:
    """A result document without what may differ from run to run."""
    if isinstance(part, dict):
        if str(part.get("name", part.get("metric", ""))).startswith("latency"):
            return None
        return {key: without_times(value) for key, value in part.items() if key not in TIMES}
    return [without_times(value) for value in part] if isinstance(part, list) else part


def whole(repo: Path, home: Path) -> Any:
    """Let a run go to its end; its document, comparable."""
    process = start(repo, home)
    said, _ = process.communicate()
    if process.returncode not in (0, 1):
        raise RuntimeError(f"the gate ended with {process.returncode}")
    document = without_times(json.loads(said))
    document["notes"] = [note for note in document["notes"] if "measured in different runs" not in note]
    document["cases"].sort(key=lambda case: case["id"])
    return document


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Paths of what is not the same."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            found
            for key in one.keys() | other.keys()
            for found in differences(one.get(key), other.get(key), f"{where}.{key}")
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            found
            for n, pair in enumerate(zip(one, other, strict=True))
            for found in differences(*pair, f"{where}[{n}]")
        ]
    return [] if one == other else [where]


def disturbed(seed: int, kills: int, *, cases: int = CASES) -> dict[str, Any]:
    """One run that is killed, beside one that is not."""
    dice = random.Random(seed)
    calls = 4 * cases
    with provider(DELAY_S) as server, tempfile.TemporaryDirectory() as folder:
        repo = make_app(Path(folder) / "app", server.url, cases=cases, config=CONFIG.format(in_flight=IN_FLIGHT))
        calm = whole(repo, Path(folder) / "calm")
        server.tell()
        killed, home = 0, Path(folder) / "home"
        # The last one while there is still more to ask than is in flight.
        for at in sorted(dice.sample(range(1, calls - 4 * IN_FLIGHT), kills)):
            killed += kill_at(start(repo, home), server, max(at, server.different() + 1))
        found = differences(calm, whole(repo, home))
        told = server.tell()
    return {
        "seed": seed,
        "kills": killed,
        "lost": calls - told["different"],
        "repeated": told["asked"] - told["different"],
        "allowed": killed * 2 * IN_FLIGHT,
        "differences": found,
    }


def main(words: list[str]) -> None:
    """Measure, print, and write the page where it is asked for."""
    numbers = [int(word) for word in words if word.isdigit()]
    runs, kills = (*numbers, 10, 10)[0], (*numbers[1:], 10)[0]
    rows = []
    for seed in range(runs):
        rows.append(disturbed(seed, kills))
        print(rows[-1], flush=True)
    sums = {name: sum(row[name] for row in rows) for name in ("kills", "lost", "repeated", "allowed")}
    different = sum(len(row["differences"]) for row in rows)
    text = (
        "| runs of 2,000 calls | kills | calls lost | calls asked again | in flight at the kills, most | differences in"
        " the result |\n| ---: | ---: | ---: | ---: | ---: | ---: |\n"
        f"| {runs} | {sums['kills']} | {sums['lost']} | {sums['repeated']} | {sums['allowed']} | {different} |"
    )
    print(text)
    if "--docs" in words:
        put_section("kills", text)


if __name__ == "__main__":
    main(sys.argv[1:])
