"""Slices that may fail the gate, end to end."""

from pathlib import Path
from typing import Any

from tests.pipeline.commands import command, right
from tests.standin.app import CONFIG, make_app
from tests.standin.threaded import running


def broken_slice(body: Any, number: int = 0) -> str:
    """Head is wrong in most odd cases below 40: a slice of its own, a small part of the whole."""
    question = int(str(body["messages"][-1]["content"]).split()[-1])
    return "?" if "other" in str(body["messages"][0]) and question % 2 and question < 40 else right(body)


def test_a_slice_fails_the_gate_only_where_the_config_lets_it(tmp_path: Path) -> None:
    for name, addition, code in (
        ("report", "", 0),
        ("gate", "slices: {{gate: [t1]}}\n", 1),
        ("all", "slices: {{gate: all}}\n", 1),
    ):
        config = CONFIG.replace("max_drop: 10%", "max_drop: 15%") + addition
        with running(broken_slice) as server:
            repo = make_app(tmp_path / name, server.url, cases=160, config=config)
            said = command(tmp_path / f"home-{name}", "gate", "--repo", str(repo), "--json")
        assert said.code == code, said.err
        found = {part["tag"]: part for part in said.json["slices"]}
        assert found["t1"]["gated"] == (code == 1)
        assert bool(found["t1"]["failed"]) == (code == 1)
        assert found["t0"]["gated"] == (name == "all")
        assert not found["t0"]["failed"]
        if code:
            assert "slice 't1'" in said.json["verdict"]["reason"]


def test_a_tag_that_no_case_has_is_a_mistake_told_before_anything_is_paid_for(tmp_path: Path) -> None:
    with running(right) as server:
        repo = make_app(tmp_path / "app", server.url, config=CONFIG + "slices: {{gate: [korean]}}\n")
        said = command(tmp_path / "home", "gate", "--repo", str(repo))
        assert not server.requests
    assert said.code == 2
    assert "llm-eval-gate.yml:" in said.err
    assert "korean" in said.err
    assert "t0, t1" in said.err
