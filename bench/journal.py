"""Measures the run journal: SQLite in WAL mode against JSON Lines, for speed and for what `kill -9` loses.

    python bench/journal.py

A writer process keeps records and reports each one that it counts as kept; it is killed at a random moment, and what
was reported is looked for on disk.
"""

import asyncio
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from evaluator.journal.codec import output_to_json
from evaluator.journal.journal import Journal
from evaluator.records import Call, Output, Usage

RECORDS = 20_000
KILLS = 20
A_TURN = 7
"""Records that a turn of the loop keeps on average in `bench/throughput.py` at 32 cases in flight."""
OUTPUT = Output(
    text="The parcel left our warehouse on Monday. " * 8,
    latency_s=0.8,
    calls=(Call("openai", "gpt-5-mini", Usage(400, 90), 0.0003, 0.8, measured_in="r"),),
)


def sqlite_writer(path: Path) -> Callable[[int], None]:
    """Our journal without an event loop: a commit a record."""
    journal = Journal(path, identity="bench")
    return lambda number: journal.put_output(f"case-{number}", "base", 0, OUTPUT)


def sqlite_turns_writer(path: Path) -> Callable[[int], None]:
    """Our journal in an event loop: a turn of it keeps several records, and they are one commit."""
    journal, loop = Journal(path, identity="bench"), asyncio.new_event_loop()

    async def turn(number: int) -> None:
        for record in range(A_TURN):
            journal.put_output(f"case-{number}-{record}", "base", 0, OUTPUT)
        await asyncio.sleep(0)

    return lambda number: loop.run_until_complete(turn(number))


def jsonl_write_writer(path: Path) -> Callable[[int], None]:
    """A line a record by one `os.write`."""
    file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def write(number: int) -> None:
        os.write(file, _line(number))

    return write


def jsonl_fsync_writer(path: Path) -> Callable[[int], None]:
    """The same, forced to the disk."""
    file = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def write(number: int) -> None:
        os.write(file, _line(number))
        os.fsync(file)

    return write


def jsonl_buffered_writer(path: Path) -> Callable[[int], None]:
    """A line a record through Python's buffer."""
    file = path.open("ab")

    def write(number: int) -> None:
        file.write(_line(number))

    return write


def _line(number: int) -> bytes:
    return json.dumps({"case": f"case-{number}", "record": output_to_json(OUTPUT)}).encode() + b"\n"


WRITERS = {
    "SQLite WAL, a commit a record": sqlite_writer,
    "SQLite WAL, a commit a turn of 7": sqlite_turns_writer,
    "JSON Lines, os.write": jsonl_write_writer,
    "JSON Lines, os.write + fsync": jsonl_fsync_writer,
    "JSON Lines, buffered": jsonl_buffered_writer,
}


def on_disk(path: Path) -> int:
    """How many whole records a file holds."""
    if path.suffix == ".sqlite":
        database = sqlite3.connect(path)
        try:
            return int(database.execute("SELECT count(*) FROM outputs").fetchone()[0])
        finally:
            database.close()
    return sum(line.endswith(b"\n") for line in path.open("rb")) if path.exists() else 0


def records_of(name: str) -> int:
    """Records that one call of a writer keeps."""
    return A_TURN if WRITERS[name] is sqlite_turns_writer else 1


def child(name: str, path: str) -> None:
    """Write for ever, and report each record as kept."""
    write = WRITERS[name](Path(path))
    number = 0
    while True:
        write(number)
        number += 1
        os.write(1, b"." * records_of(name))


def lost_by_kills(name: str, suffix: str) -> tuple[int, int]:
    """(kills after which a reported record was missing, records missing in all)."""
    bad = missing = 0
    dice = random.Random(1)
    for _ in range(KILLS):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"journal{suffix}"
            command = [sys.executable, __file__, "child", name, str(path)]
            with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                reported = len(process.stdout.read(1))
                time.sleep(dice.uniform(0.02, 0.2))
                process.send_signal(signal.SIGKILL)
                reported += len(process.stdout.read())
            lost = reported - on_disk(path)
            bad += lost > 0
            missing += max(0, lost)
    return bad, missing


def main() -> None:
    """Print one row a way of writing."""
    print(f"{'way':34} {'CPU + wait s':>12} {'us a record':>12} {'kills that lost':>16} {'records lost':>13}")
    for name, make in WRITERS.items():
        suffix = ".sqlite" if name.startswith("SQLite") else ".jsonl"
        with tempfile.TemporaryDirectory() as folder:
            write = make(Path(folder) / f"journal{suffix}")
            started = time.perf_counter()
            for number in range(RECORDS // records_of(name)):
                write(number)
            seconds = time.perf_counter() - started
        bad, missing = lost_by_kills(name, suffix)
        print(f"{name:34} {seconds:12.2f} {seconds / RECORDS * 1e6:12.0f} {bad:>10} of {KILLS} {missing:13}")


if __name__ == "__main__":
    child(sys.argv[2], sys.argv[3]) if sys.argv[1:2] == ["child"] else main()
