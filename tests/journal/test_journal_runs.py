"""Which run a command goes on with, who may work on it, and what is told of a run that is left."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evaluator.errors import InfrastructureError
from evaluator.journal.folder import RunFolder, last_of_command, run_key
from evaluator.journal.journal import Journal
from evaluator.records import Output

ROOT = Path(__file__).parents[2]
KEY = run_key({"a": 1})


def begin(runs: Path, key: str, *, answers: int = 0) -> None:
    journal, _ = RunFolder(runs / key, key).open_journal()
    with journal:
        for number in range(answers):
            journal.put_output(f"c{number}", "head", 0, Output(text="x"))


def test_the_last_unfinished_attempt_goes_on_and_a_finished_one_is_followed_by_a_new_one(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / KEY, KEY)
    for finished, fresh, expected in ((False, False, 1), (True, False, 1), (False, False, 2), (True, True, 3)):
        journal, run_id = folder.open_journal(fresh=fresh)
        with journal:
            assert run_id == f"{KEY}-{expected}"
            if finished:
                journal.set_meta("finished", "now")


def test_files_that_are_no_attempts_are_let_alone(tmp_path: Path) -> None:
    (tmp_path / KEY).mkdir()
    for name in ("journal-1 (copy).sqlite", "journal-x.sqlite", "journal-.sqlite"):
        (tmp_path / KEY / name).write_text("what somebody put there")
    journal, run_id = RunFolder(tmp_path / KEY, KEY).open_journal()
    journal.close()
    assert run_id == f"{KEY}-1"


def test_a_clock_that_went_back_changes_nothing(tmp_path: Path) -> None:
    begin(tmp_path, KEY, answers=3)
    ahead = time.time() + 10 * 365 * 86_400
    for file in (tmp_path / KEY).iterdir():
        os.utime(file, (ahead, ahead))
    journal, run_id = RunFolder(tmp_path / KEY, KEY).open_journal()
    with journal:
        assert (run_id, journal.answers()) == (f"{KEY}-1", 3)


def test_another_process_on_the_run_is_named_and_its_death_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "journal-1.sqlite"
    program = (
        "import sys\nfrom pathlib import Path\nfrom evaluator.journal.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]), identity='i')\nprint(flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(InfrastructureError, match=rf"process {holder.pid} on \S+, since 20\d\d-"):
            Journal(path, identity="i")
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    Journal(path, identity="i").close()


@pytest.mark.parametrize("version", ["1", "3", None])
def test_a_journal_of_another_format_is_refused_and_starting_over_leaves_it(
    tmp_path: Path, version: str | None
) -> None:
    file = tmp_path / KEY / "journal-1.sqlite"
    file.parent.mkdir()
    database = sqlite3.connect(file)
    database.execute("PRAGMA journal_mode=WAL")
    with database:  # as the first format was
        database.execute("CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")
        database.execute("CREATE TABLE outputs (case_id TEXT, side TEXT, repeat INTEGER, record TEXT NOT NULL)")
        notes = {"version": version, "identity": KEY}
        database.executemany("INSERT INTO meta VALUES (?, ?)", [row for row in notes.items() if row[1]])
    database.close()
    before = file.read_bytes()
    with pytest.raises(InfrastructureError, match="is of format") as caught:
        RunFolder(tmp_path / KEY, KEY).open_journal()
    assert "--no-resume" in caught.value.hint
    journal, run_id = RunFolder(tmp_path / KEY, KEY).open_journal(fresh=True)
    journal.close()
    assert run_id == f"{KEY}-2"
    assert file.read_bytes() == before


def test_a_journal_of_another_run_is_refused(tmp_path: Path) -> None:
    Journal(tmp_path / "journal-1.sqlite", identity="one").close()
    with pytest.raises(InfrastructureError, match="another run"):
        Journal(tmp_path / "journal-1.sqlite", identity="two")


def test_what_the_same_command_left_is_told_once_with_what_changed(tmp_path: Path) -> None:
    old, new = {"prompt": "a", "dataset": "d"}, {"prompt": "b", "dataset": "d"}
    keys = run_key(old), run_key(new)
    assert last_of_command(tmp_path, "c", keys[0], old) is None
    begin(tmp_path, keys[0], answers=2)
    assert last_of_command(tmp_path, "c", keys[0], old) is None
    assert last_of_command(tmp_path, "another", keys[1], new) is None
    left = last_of_command(tmp_path, "c", keys[1], new)
    assert left is not None
    assert (left.run_id, left.answers, left.changed) == (f"{keys[0]}-1", 2, ("prompt",))
    assert last_of_command(tmp_path, "c", keys[1], new) is None
    assert "a" not in (tmp_path / "last-c.json").read_text().partition("parts")[2].split('"')


def test_nothing_is_told_of_a_run_that_finished_or_has_no_answers(tmp_path: Path) -> None:
    for answers, finished in ((2, True), (0, False)):
        old, new = {"n": answers, "old": True}, {"n": answers, "old": False}
        key = run_key(old)
        last_of_command(tmp_path, f"c{answers}", key, old)
        begin(tmp_path, key, answers=answers)
        if finished:
            with RunFolder(tmp_path / key, key).open_journal()[0] as journal:
                journal.set_meta("finished", "now")
        assert last_of_command(tmp_path, f"c{answers}", run_key(new), new) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": 1, "parts": {}}', '{"key": "../../etc/passwd", "parts": {}}'])
def test_a_note_that_makes_no_sense_is_written_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / "last-c.json").write_text(text)
    assert last_of_command(tmp_path, "c", KEY, {"a": 1}) is None
    assert KEY in (tmp_path / "last-c.json").read_text()


async def test_what_is_put_in_a_turn_of_the_loop_is_on_disk_before_whatever_it_wakes_up(tmp_path: Path) -> None:
    path = tmp_path / "journal-1.sqlite"
    seen: list[int] = []

    async def after() -> None:
        other = sqlite3.connect(path)
        seen.append(other.execute("SELECT count(*) FROM outputs").fetchone()[0])
        other.close()

    with Journal(path, identity="i") as journal:
        for number in range(3):
            journal.put_output(f"a{number}", "head", 0, Output(text="x"))
            journal.put_output(f"b{number}", "head", 0, Output(text="x"))
            await asyncio.create_task(after())
        assert seen == [2, 4, 6]
        journal.put_output("last", "head", 0, Output(text="x"))
        journal.keep()
        await after()
    assert seen[-1] == 7


async def test_a_commit_that_fails_is_told_by_whatever_comes_next(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal-1.sqlite", identity="i") as journal:
        journal.put_output("a", "head", 0, Output(text="x"))
        journal.keep()
        database = journal._connection
        limit = database.execute("PRAGMA max_page_count = 1").fetchone()[0]
        assert limit <= 6  # SQLite's own full disk
        with pytest.raises(InfrastructureError, match="full"):
            for number in range(1_000):
                journal.put_output(f"b{number}", "head", 0, Output(text="x" * 1000))
        with pytest.raises(InfrastructureError, match="full"):
            journal.keep()
        with pytest.raises(InfrastructureError, match="full"):
            journal.output("a", "head", 0)
