"""The folder for reports is tried before anything is paid for, and a run is over only when its result was told."""

import shutil
from pathlib import Path
from typing import Any

from tests.action.scene import scene
from tests.pipeline.commands import right
from tests.standin.app import CONFIG

TIMED = CONFIG.replace("objectives:\n", "objectives:\n  latency_p95: {{max: 60s}}\n")
"""No answer of another run counts: what is asked twice shows."""


def test_a_workspace_that_takes_no_report_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    with scene(tmp_path) as found:
        ran = found.run(GITHUB_WORKSPACE="/proc/self")
        assert found.provider.requests == []
    assert ran.code == 2
    assert "input 'report-path'" in ran.log


def test_a_job_whose_report_could_not_be_written_is_gone_on_with_for_nothing(tmp_path: Path) -> None:
    folders = [tmp_path / "job-1" / "workspace" / "llm-eval-gate-report"]

    def answer(body: Any, number: int = 0) -> str:
        """As right; a link to somewhere else takes the report's place while the app is asked."""
        for folder in folders:
            if folder.is_dir() and not folder.is_symlink():
                shutil.rmtree(folder)
                folder.symlink_to(tmp_path)
        return right(body)

    with scene(tmp_path, answer, config=TIMED) as found:
        lost = found.run()
        asked = len(found.provider.requests)
        assert (lost.code, "symbolic link" in lost.log) == (2, True), lost.log
        assert asked > 0
        told = found.run()
        assert (told.code, told.outputs["verdict"]) == (0, "pass"), told.log
        assert len(found.provider.requests) == asked
        found.run()  # it is over: the same job begins anew
        assert len(found.provider.requests) == 2 * asked
