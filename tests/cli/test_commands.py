"""The other commands, and what the command line does with mistakes: one clear message, the right exit code."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from evaluator import __version__
from tests.pipeline.commands import command
from tests.standin.app import CONFIG, make_app

ROOT = Path(__file__).parents[2]


def scores(path: Path, values: list[float], name: str = "judge") -> Path:
    path.write_text("".join(json.dumps({"id": f"c{n}", name: value}) + "\n" for n, value in enumerate(values)), "utf-8")
    return path


def test_version_and_help_come_without_the_heavy_imports() -> None:
    program = (
        "import sys; from evaluator.cli.main import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "heavy = {'numpy', 'aiohttp', 'openai', 'pydantic', 'jinja2', 'genai_prices', 'github'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    for option, expected in (("--version", __version__), ("--help", "gate")):
        done = subprocess.run(
            [sys.executable, "-c", program, option], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert expected in done.stdout


def test_compare_of_two_plain_files_needs_no_config(tmp_path: Path) -> None:
    base = scores(tmp_path / "base.jsonl", [4.0, 4.5, 5.0, 3.5] * 30)
    head = scores(tmp_path / "head.jsonl", [3.0, 3.5, 4.0, 2.5] * 30)
    worse, better = (command(tmp_path / "h", "compare", *map(str, pair)) for pair in ((base, head), (head, base)))
    assert (worse.code, better.code) == (1, 0)
    assert "judge" in worse.out
    found = command(tmp_path / "h", "compare", str(base), str(head), "--json").json
    [row] = found["verdict"]["objectives"]
    assert row["change"] == pytest.approx(-1 / 4.25)
    assert found["cases"][0]["base"]["scores"]["judge"] > found["cases"][0]["head"]["scores"]["judge"]


def test_compare_tells_what_one_file_lacks_and_never_joins_silently(tmp_path: Path) -> None:
    base = scores(tmp_path / "base.jsonl", [1.0, 0.0] * 30)
    head = scores(tmp_path / "head.jsonl", [1.0, 0.0] * 28)
    found = command(tmp_path / "h", "compare", str(base), str(head), "--json").json
    assert any("4 cases are in base only" in note for note in found["notes"])
    half = scores(tmp_path / "half.jsonl", [1.0, 0.0] * 15)
    assert command(tmp_path / "h", "compare", str(base), str(half)).code == 3


def test_lower_is_better_is_told_by_the_name_or_by_the_bound(tmp_path: Path) -> None:
    base = scores(tmp_path / "base.jsonl", [1.0, 1.2] * 40, "cost")
    head = scores(tmp_path / "head.jsonl", [2.0, 2.4] * 40, "cost")
    assert command(tmp_path / "h", "compare", str(base), str(head)).code == 1
    base, head = (scores(tmp_path / f"{n}.jsonl", [v, v + 0.2] * 40, "toil") for n, v in (("a", 1.0), ("b", 2.0)))
    bounds = tmp_path / "bounds.yml"
    bounds.write_text("objectives: {toil: {max_increase: 10%}}\n")
    assert command(tmp_path / "h", "compare", str(base), str(head), "--config", str(bounds)).code == 1


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (["compare", "no.jsonl", "no.jsonl"], ["no.jsonl"]),
        (["report", "nothing"], ["cannot be read"]),
        (["gate", "--repo", "nowhere"], ["nowhere"]),
        (["gate", "--repo", "empty"], ["no config file", "init"]),
        (["gate", "--repo", "app", "--base", "mian"], ["mian", "main"]),
        (["gate", "--repo", "app", "--head", "main"], ["same content", "WORKTREE"]),
        (["gate", "--repo", "app", "--config", "other.yml"], ["no config file", "other.yml"]),
        (["validate", "--repo", "empty"], ["no config file", "init"]),
        (["validate", "--repo", "app", "--config", "other.yml"], ["no config file", "other.yml"]),
        (["gate", "--repo", "app"], ["STANDIN_KEY is not set", "provider: local"]),
    ],
)
def test_a_mistake_on_the_command_line_is_one_clear_message(
    tmp_path: Path, words: list[str], fragments: list[str]
) -> None:
    make_app(tmp_path / "app", "http://127.0.0.1:1/v1", cases=3)
    (tmp_path / "empty").mkdir()
    said = command(tmp_path / "home", *words, cwd=tmp_path, STANDIN_KEY="")
    assert said.code == 2
    assert said.err.startswith("error: ")
    for fragment in fragments:
        assert fragment in said.err


def test_validate_counts_calls_and_estimates_the_cost(tmp_path: Path) -> None:
    repo = make_app(tmp_path / "app", "http://127.0.0.1:1/v1", cases=40)
    said = command(tmp_path / "home", "validate", "--repo", str(repo))
    assert said.code == 0, said.err
    assert "40 cases" in said.out
    assert "80 of the app" in said.out
    assert re.search(r"about \$0\.00\d+ ", said.out)  # a small amount is no $0.00


@pytest.mark.parametrize(
    ("planted", "fragments"),
    [
        ("scorers: [exact_match, judge]", ["asks a model, but none is named"]),
        ("scorers: [exact_match, exact_match]", ["two metrics are named"]),
        ("scorers: [exact_match, {regex: {pattern: '('}}]", ["regex"]),
        ("scorers: [exact_match, {json_schema: {schema: no.json}}]", ["no.json"]),
        ("scorers: [exact_match, {python: evals/own.py:score}]", ["evals/own.py"]),
    ],
)
def test_validate_finds_what_would_fail_later(tmp_path: Path, planted: str, fragments: list[str]) -> None:
    config = CONFIG.replace("scorers: [exact_match]", planted.replace("{", "{{").replace("}", "}}"))
    repo = make_app(tmp_path / "app", "http://127.0.0.1:1/v1", cases=3, config=config)
    said = command(tmp_path / "home", "validate", "--repo", str(repo))
    assert said.code == 2
    for fragment in fragments:
        assert fragment in said.err


def test_validate_renders_every_case(tmp_path: Path) -> None:
    repo = make_app(tmp_path / "app", "http://127.0.0.1:1/v1", cases=3)
    prompt = repo / "prompts" / "answer.prompt.yml"
    prompt.write_text(prompt.read_text("utf-8").replace("{{input}}", "{{question}}"), "utf-8")
    said = command(tmp_path / "home", "validate", "--repo", str(repo))
    assert said.code == 2
    assert "evals/golden.jsonl:1" in said.err
    assert "question" in said.err


def test_a_model_without_a_price_cannot_have_its_cost_bounded(tmp_path: Path) -> None:
    config = CONFIG.replace("  m: {{input: $1, output: $2}}", "  other: {{input: $1, output: $2}}")
    repo = make_app(tmp_path / "app", "http://127.0.0.1:1/v1", cases=3, config=config)
    said = command(tmp_path / "home", "validate", "--repo", str(repo))
    assert said.code == 2
    assert "llm-eval-gate.yml:7: model 'm' has no known price" in said.err


@pytest.mark.parametrize("form", ["terminal", "markdown", "summary", "html", "junit", "json"])
def test_a_result_is_rendered_again_in_every_form(tmp_path: Path, form: str) -> None:
    base, head = (scores(tmp_path / f"{name}.jsonl", [4.0, 4.5] * 20) for name in ("base", "head"))
    command(tmp_path / "h", "compare", str(base), str(head), "--out", str(tmp_path / "out"))
    said = command(tmp_path / "h", "report", str(tmp_path / "out"), "--format", form)
    assert said.code == 0
    assert "judge" in said.out


@pytest.mark.parametrize("sample", ["github", "promptfoo", "openai_evals", ""])
def test_what_init_writes_is_valid(tmp_path: Path, sample: str) -> None:
    repo = tmp_path / "app"
    repo.mkdir()
    if sample:
        shutil.copytree(ROOT / "tests" / "starter" / "samples" / sample, repo, dirs_exist_ok=True)
    written = command(tmp_path / "home", "init", "--yes", "--dir", str(repo))
    assert written.code == 0, written.err
    said = command(tmp_path / "home", "validate", "--repo", str(repo))
    assert said.code == 0, said.err
    again = command(tmp_path / "home", "init", "--yes", "--dir", str(repo))
    assert again.code == 2


def test_a_scorer_without_anything_to_compare_with_is_an_error(tmp_path: Path) -> None:
    repo = make_app(tmp_path / "app", "http://127.0.0.1:1/v1", cases=2)
    (repo / "evals" / "golden.jsonl").write_text('{"input": "a"}\n{"input": "b"}\n', "utf-8")
    said = command(tmp_path / "home", "validate", "--repo", str(repo))
    assert said.code == 2
    assert "exact_match needs `expected`, and none of the 2 cases" in said.err


def test_the_embedded_provider_answers_as_no_other_model(tmp_path: Path) -> None:
    config = CONFIG.replace("provider: standin", "provider: local")
    repo = make_app(tmp_path / "app", "http://127.0.0.1:1/v1", cases=2, config=config)
    said = command(tmp_path / "home", "validate", "--repo", str(repo))
    assert said.code == 2
    assert "`provider: local` has one model, smollm2-135m-instruct; found 'm'" in said.err


@pytest.mark.parametrize("folder", ["evals", "."])
def test_validate_works_from_a_folder_inside_the_repository(tmp_path: Path, folder: str) -> None:
    repo = make_app(tmp_path / "app", "http://127.0.0.1:1/v1", cases=2)
    assert command(tmp_path / "home", "validate", cwd=repo / folder).code == 0


def test_an_address_that_is_none_is_told(tmp_path: Path) -> None:
    config = CONFIG.replace("provider: standin", "provider: openai")
    repo = make_app(tmp_path / "app", "http://127.0.0.1:1/v1", cases=2, config=config)
    words = ["gate", "--repo", str(repo)]
    said = command(tmp_path / "home", *words, OPENAI_API_KEY="k", OPENAI_BASE_URL="127.0.0.1:9")
    assert said.code == 2
    assert "OPENAI_BASE_URL is '127.0.0.1:9'" in said.err
