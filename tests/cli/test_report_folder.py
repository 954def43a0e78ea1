"""A paid run is not lost with its report: the folder is tried first, and the run is over only once it is written."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.commands import command, right
from tests.standin.app import CONFIG, make_app
from tests.standin.threaded import running

TIMED = CONFIG.replace("objectives:\n", "objectives:\n  latency_p95: {{max: 60s}}\n")
"""No answer of another run counts: what is asked twice shows."""


@pytest.mark.parametrize("words", [("gate",), ("run", "--ref", "main")])
@pytest.mark.parametrize("way", ["/proc/nope", "a file", "a report that is a folder"])
def test_a_folder_that_takes_no_report_is_told_before_anything_is_asked(
    tmp_path: Path, words: tuple[str, ...], way: str
) -> None:
    out = Path(way)
    if way == "a file":
        (tmp_path / "file").write_text("mine", "utf-8")
        out = tmp_path / "file" / "out"
    elif way != "/proc/nope":
        out = tmp_path / "out"
        (out / "result.json").mkdir(parents=True)
    with running(right) as server:
        repo = make_app(tmp_path / "app", server.url, cases=4)
        said = command(tmp_path / "home", *words, "--repo", str(repo), "--out", str(out))
        assert server.requests == []
    assert said.code == 3
    assert "the reports cannot be written to" in said.err
    assert "--out" in said.err


def test_a_config_that_is_wrong_leaves_no_folder(tmp_path: Path) -> None:
    repo = make_app(tmp_path / "app", "http://127.0.0.1:9", config=CONFIG.replace("max_repeats", "most_repeats"))
    said = command(tmp_path / "home", "gate", "--repo", str(repo), "--out", str(tmp_path / "out"))
    assert said.code == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [("gate",), ("run", "--ref", "main")])
def test_a_run_whose_report_could_not_be_written_tells_its_result_later_and_pays_nothing_more(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    out = tmp_path / "out"

    def answer(body: Any, number: int = 0) -> str:
        """As right; the folder for the reports goes away while the app is asked."""
        if out.is_dir():
            shutil.rmtree(out)
            out.write_text("somebody else's", "utf-8")
        return right(body)

    with running(answer) as server:
        repo = make_app(tmp_path / "app", server.url, cases=10, config=TIMED)
        all_words = (*words, "--repo", str(repo), "--out", str(out))
        lost = command(tmp_path / "home", *all_words)
        assert (lost.code, "cannot be written" in lost.err) == (3, True), lost.err
        asked = len(server.requests)
        assert asked == 10 * (2 if words == ("gate",) else 1)
        out.unlink()
        told = command(tmp_path / "home", *all_words, "--json")
        assert len(server.requests) == asked
        assert (told.code, told.json["verdict"]["state"]) == (0, "pass"), told.err
        assert told.json["spend"]["real_usd"] == told.json["spend"]["total_usd"] > 0
        # It is told, so it is over: the same words begin anew.
        command(tmp_path / "home", *all_words)
        assert len(server.requests) == 2 * asked
