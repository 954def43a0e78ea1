"""One line that tells how far a run is: live on a terminal, now and then in CI, nothing in a pipe."""

import asyncio
import io
import os
import pty
import re
import select
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evaluator.gate import Standing
from evaluator.runner.progress import Counts, LogLines, Watched, choose_progress
from tests.pipeline.commands import command, right
from tests.standin.app import CONFIG, make_app
from tests.standin.threaded import running

ROOT = Path(__file__).parents[2]
JUDGED = CONFIG.replace("early_stop: false", "early_stop: true").replace("concurrency: 4", "concurrency: 8")


@dataclass
class Meter:
    spent_usd: float = 0.25
    calls: int = 120


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def standing(**changed: Any) -> Standing:
    known: dict[str, Any] = {"objectives": 4, "decided": 3, "failing": 0, "cases": 50, "of": 200, "share": 0.5}
    return Standing(**{**known, **changed})


def test_the_line_tells_cases_calls_rate_time_left_spend_errors_and_the_verdict_so_far() -> None:
    clock = Clock()
    counts = Counts(Meter(), Watched("base and head", standing), clock=clock)
    counts.start(total=400)
    for number in range(100):
        counts.advance(failed=number < 2, fresh=number >= 20)
    clock.now = 40.0
    # 80 fresh answers in 40 s: 2 a second; half of the 400 will be enough.
    assert counts.line() == (
        "base and head: 100/200 answers, about 50s left, 2 failed, $0.2500,"
        " so far: no decision (3 of 4 objectives decided), 50/200 cases judged, 120 calls, 2.0/s, 20 from the journal"
    )


def counted(meter: Meter, **known: Any) -> Counts:
    clock = Clock()
    counts = Counts(meter, Watched("base and head", lambda: standing(**known)), clock=clock)
    counts.start(total=400)
    for number in range(100):
        counts.advance(failed=number < 2, fresh=True)
    clock.now = 40.0
    return counts


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (160, "base and head: 100/200 answers, about 40s left, 2 failed, $0.2500,"
              " so far: no decision (3 of 4 objectives decided), 50/200 cases judged, 120 calls, 2.5/s"),
        (100, "base and head: 100/200, ~40s, 2 failed, $0.2500, undecided 3/4, 120 calls, 2.5/s, 50/200 cases"),
        (80, "100/200, ~40s, 2 failed, $0.2500, undecided 3/4, 120 calls, 2.5/s, 50/200 cases"),
    ],
)  # fmt: skip
def test_a_narrower_terminal_is_told_the_same_in_fewer_words(columns: int, line: str) -> None:
    counts = counted(Meter())
    assert counts.fitting(columns) == line
    assert len(line) <= columns


def test_eighty_columns_have_room_for_verdict_calls_and_rate_of_a_large_run() -> None:
    counts = counted(Meter(12.3456, 123_456), failing=1, objectives=14, decided=13, cases=25_000, of=50_000)
    counts.total, counts.done, counts.failed = 100_000, 12_345, 123
    cut = counts.fitting(80)[:79]
    assert all(told in cut for told in ("12345/50000", "123 failed", "$12.35", "1 failing 13/14", "123456 calls", "/s"))


def test_each_standing_has_few_words_too() -> None:
    assert standing(cases=0).short == "too early"
    assert standing(decided=4).short == "passing 4/4"
    assert standing(decided=4, failing=1).short == "1 failing 4/4"


def test_the_time_for_all_cases_is_the_longest_it_can_take_where_a_decision_may_come_before() -> None:
    clock = Clock()
    counts = Counts(Meter(), Watched("x", lambda: standing(cases=0, share=1.0)), clock=clock)
    counts.start(total=400)
    counts.advance(failed=False, fresh=True)
    clock.now = 1.0
    assert "1/400 answers" in counts.line()
    assert "at most 6m39s left" in counts.line()
    assert "so far: too early to tell" in counts.line()


def test_each_standing_has_its_words() -> None:
    assert str(standing(decided=4)) == "passing (4 of 4 objectives decided)"
    assert str(standing(decided=4, failing=1)) == "1 failing (4 of 4 objectives decided)"
    assert str(standing(decided=2, failing=2)) == "2 failing (2 of 4 objectives decided)"


def test_a_log_gets_a_line_now_and_then_and_one_at_the_end() -> None:
    clock, out = Clock(), io.StringIO()
    lines = LogLines(Meter(), Watched("head"), out, clock=clock)
    lines.start(total=100)
    for number in range(100):
        clock.now = float(number)
        lines.advance(failed=False, fresh=True)
    lines.stop()
    assert [line.split(",")[0] for line in out.getvalue().splitlines()] == [
        f"head: {done}/100 answers" for done in (16, 31, 46, 61, 76, 91, 100)
    ]


def test_a_name_from_a_change_draws_nothing_on_the_terminal() -> None:
    counts = Counts(Meter(), Watched("anchor \x1b[2Jv1\n::error::x"))
    assert "\x1b" not in counts.line()
    assert "\n" not in counts.line()


def test_a_pipe_gets_nothing_and_a_dumb_terminal_lines() -> None:
    class Dumb(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert type(choose_progress(Meter(), Watched("x"), {}, io.StringIO())) is Counts
    assert type(choose_progress(Meter(), Watched("x"), {"CI": "true"}, io.StringIO())) is LogLines
    assert type(choose_progress(Meter(), Watched("x"), {"TERM": "dumb"}, Dumb())) is LogLines


def test_in_a_pipe_a_run_says_nothing_on_the_way_and_in_a_github_job_it_is_folded(tmp_path: Path) -> None:
    with running(right) as server:
        repo = make_app(tmp_path / "app", server.url, cases=10, config=CONFIG)
        assert command(tmp_path / "home", "gate", "--repo", str(repo)).err == ""
        said = command(tmp_path / "home-2", "gate", "--repo", str(repo), CI="true", GITHUB_ACTIONS="true")
    first, *lines, last = said.err.splitlines()
    assert (first, last) == ("::group::Evaluating", "::endgroup::")
    assert all(line.startswith("base and head: ") for line in lines)
    assert lines


def test_on_a_terminal_one_line_lives_and_one_stays(tmp_path: Path) -> None:
    async def slowly(body: Any, number: int) -> str:
        await asyncio.sleep(0.05)
        return right(body)

    with running(slowly) as server:
        repo = make_app(tmp_path / "app", server.url, cases=120, config=JUDGED)
        shown = on_a_terminal(repo, tmp_path / "home", columns=200)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    drawn = [line.strip() for line in re.split(r"[\r\n]+", plain) if "answers" in line]
    assert len(drawn) > 5
    assert any("so far: no decision" in line or "too early to tell" in line for line in drawn)
    assert any(re.search(r"(about|at most) \d+s left", line) for line in drawn)
    assert re.match(r"base and head: \d+/\d+ answers, \$0\.\d+, so far: passing", drawn[-1]), drawn[-1]
    assert "\x1b[?25h" in shown, "the cursor is shown again"


def test_on_a_narrow_terminal_the_words_have_all_the_room(tmp_path: Path) -> None:
    async def slowly(body: Any, number: int) -> str:
        await asyncio.sleep(0.05)
        return right(body)

    with running(slowly) as server:
        repo = make_app(tmp_path / "app", server.url, cases=120, config=JUDGED)
        shown = on_a_terminal(repo, tmp_path / "home", columns=80)
    drawn = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown))
    live = [line.strip() for line in drawn[:-2] if "calls" in line]
    assert any(re.search(r"(too early|undecided \d/\d|passing \d/\d), \d+ calls, [\d.]+/s", line) for line in live), (
        live
    )
    assert all(len(line) <= 80 for line in live if "answers" not in line)
    assert "━" not in shown


def on_a_terminal(repo: Path, home: Path, *, columns: int) -> str:
    """All that a gate writes to a terminal of its own."""
    ours, its = pty.openpty()
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "LLM_EVAL_GATE_HOME": str(home), "STANDIN_KEY": "k"}
    environ |= {"TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "24"}
    environ.pop("CI", None)
    words = [sys.executable, "-m", "evaluator.cli.main", "gate", "--repo", str(repo), "--head", "change"]
    with subprocess.Popen(words, env=environ, stdin=its, stdout=subprocess.DEVNULL, stderr=its) as process:
        os.close(its)
        said = b""
        while select.select([ours], [], [], 60)[0]:
            try:
                data = os.read(ours, 65_536)
            except OSError:  # the other end is closed
                break
            if not data:
                break
            said += data
        assert process.wait(60) == 0, said
    os.close(ours)
    return said.decode("utf-8", "replace")
