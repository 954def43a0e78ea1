"""A disk that fills up or may not be written to ends a run in words; with room again, the same command goes on."""

import os
import resource
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from evaluator.errors import InfrastructureError
from evaluator.journal.journal import Journal
from evaluator.records import Output
from tests.journal.small_disk import remount, small_disk
from tests.pipeline.commands import command, right
from tests.standin.app import CONFIG, make_app
from tests.standin.threaded import running

ROOT = Path(__file__).parents[2]
CASES = 40


def test_wherever_the_disk_fills_up_the_run_ends_in_words_and_goes_on_with_room(tmp_path: Path) -> None:
    ends: Counter[str] = Counter()
    with running(right) as server:
        repo = make_app(tmp_path / "app", server.url, cases=CASES, config=CONFIG)
        for kib in (4, 24, 48, 72, 96, 128, 160, 200, 240, 300, 400, 600, 800, 1_200, 3_000):
            asked = len(server.requests)
            with small_disk(tmp_path / f"disk-{kib}", kib) as home:
                said = command(home, "gate", "--repo", str(repo), "--json")
                assert said.code in (0, 3), said.err
                assert "internal error" not in said.err
                if said.code == 3:
                    assert said.out == ""
                    assert "hint:" in said.err
                ends["told" if said.code == 3 else "whole"] += 1
                remount(home, "size=8m")
                again = command(home, "gate", "--repo", str(repo), "--json")
            assert again.code == 0, again.err
            assert again.json["verdict"]["state"] == "pass"
            # What was in flight when it failed, and what could not be written then, may be asked twice.
            assert len(server.requests) - asked <= 2 * CASES + 2 * 4 * 2, kib
    assert ends["told"] >= 6, ends
    assert ends["whole"] >= 1, ends


def test_a_disk_that_may_not_be_written_to_is_told(tmp_path: Path) -> None:
    with running(right) as server, small_disk(tmp_path / "disk", 8_000) as home:
        repo = make_app(tmp_path / "app", server.url, cases=4, config=CONFIG)
        assert command(home, "gate", "--repo", str(repo)).code == 0
        remount(home, "ro")
        for words in (("--base", "main"), ("--base", "HEAD~1", "--no-cache")):
            said = command(home, "gate", "--repo", str(repo), *words)
            assert said.code == 3
            assert "LLM_EVAL_GATE_HOME" in said.err
            assert "internal error" not in said.err


def test_a_file_that_may_grow_no_further_ends_the_journal_in_words_and_what_was_kept_is_there(tmp_path: Path) -> None:
    # Not only root can be short of room: a limit on the size of files is a full disk for whoever has it.
    path = tmp_path / "journal-1.sqlite"
    program = (
        "import sys, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from pathlib import Path\nfrom evaluator.errors import InfrastructureError\n"
        "from evaluator.journal.journal import Journal\nfrom evaluator.records import Output\n"
        "journal = Journal(Path(sys.argv[1]), identity='i')\n"
        "try:\n    for number in range(100_000):\n"
        "        journal.put_output(str(number), 'head', 0, Output(text='x' * 300))\n        print(number)\n"
        "except InfrastructureError as error:\n    print(error, file=sys.stderr)\n    sys.exit(3)\n"
    )

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], cwd=ROOT, preexec_fn=limit, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 3, done.stderr
    assert "free some disk space" in done.stderr
    kept = done.stdout.split()
    assert len(kept) > 10
    with Journal(path, identity="i") as journal:
        assert [case for case in kept if journal.output(case, "head", 0) != Output(text="x" * 300)] == []


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root; root has the mounted disk above")
def test_a_folder_that_may_not_be_written_to_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InfrastructureError, match="cannot be made"):
        Journal(tmp_path / "run" / "journal-1.sqlite", identity="i")
