"""What changes between start and resumption makes another run of it, and is said in one line."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evaluator.runner import identity
from tests.pipeline.commands import command, right
from tests.standin.app import CONFIG, PROMPT, commit, git, make_app
from tests.standin.threaded import running

SHORT = CONFIG + "budget: {{max_calls: 3}}\n"
"""Each run is stopped by its budget, with three answers."""


def on_main(repo: Path, change: Callable[[], None]) -> None:
    git(repo, "switch", "--quiet", "main")
    change()
    git(repo, "switch", "--quiet", "change")
    git(repo, "merge", "--quiet", "main")


def edit(repo: Path, name: str, old: str, new: str) -> None:
    path = repo / name
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    git(repo, "commit", "--quiet", "--all", "--message", f"{name}: {new}")


def test_each_thing_that_answers_hang_on_is_named_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(right) as server:
        repo = make_app(tmp_path / "app", server.url, cases=10, config=SHORT)
        environ: dict[str, Any] = {}

        def gate(*words: str) -> str:
            said = command(tmp_path / "home", "gate", "--repo", str(repo), "--json", *words, **environ)
            assert said.code == 3, said.err
            assert "used up" in said.err
            return said.err

        def prompt() -> None:
            commit(repo, "prompt", prompts__answer_dot_prompt_dot_yml=PROMPT.format(system="a third one"))

        changes: list[tuple[str, Callable[[], None]]] = [
            ("but what is at head changed", prompt),
            (
                "`target:` of the config",
                lambda: on_main(
                    repo,
                    lambda: edit(
                        repo, "llm-eval-gate.yml", "provider: standin}", "provider: standin, params: {top_p: 1}}"
                    ),
                ),
            ),
            (
                "the golden set",
                lambda: on_main(repo, lambda: edit(repo, "evals/golden.jsonl", "답 3", "답 three")),
            ),
            ("the version of llm-eval-gate", lambda: monkeypatch.setattr(identity, "__version__", "99")),
            ("OPENAI_BASE_URL", lambda: environ.update(OPENAI_BASE_URL="http://127.0.0.1:9/v1")),
        ]
        assert "unfinished" not in gate()
        assert "unfinished" not in gate()  # goes on with the same run
        for words, change in changes:
            change()
            [line] = [line for line in gate().splitlines() if "unfinished run" in line]
            assert re.search(r"has \d+ answers?", line)
            assert words in line
            assert "this is a new run" in line
        assert "unfinished" not in gate("--no-resume")


def test_a_bound_that_changed_changes_no_answer_and_the_run_goes_on(tmp_path: Path) -> None:
    with running(right) as server:
        repo = make_app(tmp_path / "app", server.url, cases=10, config=SHORT)
        assert command(tmp_path / "home", "gate", "--repo", str(repo)).code == 3
        for old, new in (("max_drop: 10%", "max_drop: 20%"), ("max_calls: 3", "max_calls: 300")):
            git(repo, "switch", "--quiet", "main")  # whose tip rules, while the app is what it was
            edit(repo, "llm-eval-gate.yml", old, new)
            git(repo, "switch", "--quiet", "change")
        said = command(tmp_path / "home", "gate", "--repo", str(repo))
        assert said.code == 0
        assert "unfinished" not in said.err
        assert len(server.requests) == 20


def test_starting_over_asks_the_cache_first_and_without_it_everything_anew(tmp_path: Path) -> None:
    with running(right) as server:
        repo = make_app(tmp_path / "app", server.url, cases=10, config=CONFIG)
        asked = []
        for words in (
            (),
            ("--no-resume",),
            ("--fresh",),
            ("--resume",),
            ("--no-cache",),
            ("--no-cache", "--no-resume"),
        ):
            before = len(server.requests)
            assert command(tmp_path / "home", "gate", "--repo", str(repo), *words).code == 0
            asked.append(len(server.requests) - before)
    assert asked == [20, 0, 0, 0, 20, 20]
