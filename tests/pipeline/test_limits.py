"""A provider whose limits are below what a run asks for slows the run and costs it nothing else."""

from pathlib import Path
from typing import Any

from bench.kills import differences, without_times
from tests.pipeline.commands import command, right
from tests.standin.app import CONFIG, make_app
from tests.standin.limited import Limited
from tests.standin.threaded import running


def test_a_run_before_a_provider_with_limits_ends_as_one_without(tmp_path: Path) -> None:
    def free(body: Any, number: int) -> str:
        return right(body)

    limited = Limited(requests=(20, 60), tokens=(4000, 4000), text=right)
    config = CONFIG.replace("concurrency: 4", "concurrency: 16")
    documents: list[Any] = []
    for answer in (free, limited):
        with running(answer) as server:
            repo = make_app(tmp_path / f"app-{len(documents)}", server.url, cases=60, config=config)
            said = command(tmp_path / f"home-{len(documents)}", "gate", "--repo", str(repo), "--json")
        assert said.code == 0, said.err
        documents.append(without_times(said.json))
    quick, slowed = documents
    assert limited.answered["m"] == 120
    assert limited.turned_away["m"] <= 16  # at most what was under way before the first answer told
    for document in documents:
        document["cases"].sort(key=lambda case: case["id"])
    allowed = (".base.sha", ".head.sha", ".config", ".rerun")  # another repository, at another address
    assert [where for where in differences(quick, slowed) if not where.startswith(allowed)] == []
