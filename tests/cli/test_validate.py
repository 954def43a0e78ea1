"""`validate` finds, before anything is paid for, what a run would find late or never, and does not contradict itself."""

import json
from pathlib import Path

import pytest

from tests.pipeline.commands import Said, command
from tests.standin.app import CONFIG, commit, git, make_app


def app(tmp_path: Path, *, cases: int = 40, config: str = "") -> Path:
    """The test app, with more in its config."""
    return make_app(tmp_path / "app", "http://127.0.0.1:1/v1", cases=cases, config=CONFIG + config)


def validate(repo: Path, key: str = "k-secret") -> Said:
    return command(repo.parent / "home", "validate", "--repo", str(repo), STANDIN_KEY=key)


def test_a_slice_of_a_tag_that_no_case_has_is_an_error(tmp_path: Path) -> None:
    said = validate(app(tmp_path, config="slices: {{gate: [t1, t9]}}\n"))
    assert said.code == 2
    assert "no case of the golden set has the tag 't9'" in said.err
    assert said.out == ""


def test_a_gated_slice_that_is_too_small_to_fail_is_told(tmp_path: Path) -> None:
    small = validate(app(tmp_path / "a", cases=18, config="slices: {{gate: all}}\n"))
    assert "a slice with fewer than 10 cases is reported and cannot fail: 't0' (9), 't1' (9)" in small.out
    large = validate(app(tmp_path / "b", cases=20, config="slices: {{gate: all}}\n"))
    assert "cannot fail" not in large.out


def test_an_anchor_that_is_no_ref_is_an_error_with_its_line(tmp_path: Path) -> None:
    repo = app(tmp_path, config="anchor: v9.9\n")
    git(repo, "tag", "v9.8", "main")
    said = validate(repo)
    assert said.code == 2
    assert "llm-eval-gate.yml:15: the anchor ref v9.9 is no commit of this repository" in said.err
    assert "did you mean v9.8?" in said.err


@pytest.mark.parametrize(("anchor", "told"), [("last-release", "last-release is v1.10.0"), ("v1.9.0", "v1.9.0")])
def test_the_commit_of_the_anchor_and_its_calls_are_told(tmp_path: Path, anchor: str, told: str) -> None:
    config = f"anchor: {anchor}\n"
    repo = make_app(
        tmp_path / "app",
        "http://127.0.0.1:1/v1",
        config=CONFIG.replace("max_repeats: 1", "max_repeats: 5") + config,
    )
    for tag in ("v1.9.0", "v1.10.0"):
        git(repo, "tag", tag, "main")
    said = validate(repo)
    assert f"anchor: {told}, commit {git(repo, 'rev-parse', 'main')[:12]}" in said.out
    # 40 cases: once at base and at head, three times at the anchor.
    assert "3 times at the anchor; nothing cached): 200 of the app" in said.out


def test_without_a_release_the_anchor_costs_nothing_and_that_is_a_note(tmp_path: Path) -> None:
    said = validate(app(tmp_path, config="anchor: last-release\n"))
    assert said.code == 0
    assert "note: anchor: there is no release yet" in said.out
    assert "nothing cached): 80 of the app" in said.out


def test_an_anchor_in_a_folder_that_is_no_repository_cannot_be_looked_up(tmp_path: Path) -> None:
    repo = app(tmp_path, config="anchor: v1.0\n")
    (repo / ".git").rename(tmp_path / "gone")
    said = validate(repo)
    assert said.code == 0
    assert "anchor: v1.0 cannot be looked up" in said.out


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("promts/**", "prompts/**"),
        ("prompts", "prompts/**"),
        ("*.prompt.yml", "**/*.prompt.yml"),
        ("eval/*.jsonl", "evals/*.jsonl"),
        ("Prompts/answer.prompt.yml", "prompts/answer.prompt.yml"),
    ],
)
def test_a_pattern_of_paths_that_matches_nothing_is_told_with_what_is_meant(
    tmp_path: Path, pattern: str, meant: str
) -> None:
    said = validate(app(tmp_path, config=f'when: {{{{paths: ["evals/**", "{pattern}"]}}}}\n'))
    assert said.code == 0
    assert f"warning: llm-eval-gate.yml:15: '{pattern}' matches no file here; did you mean '{meant}'?" in said.out
    assert "'evals/**' matches" not in said.out


def test_a_pattern_like_nothing_there_gets_no_guess(tmp_path: Path) -> None:
    said = validate(app(tmp_path, config="when: {{paths: [zzz/**]}}\n"))
    assert "'zzz/**' matches no file here\n" in said.out


def test_the_verdict_on_the_config_is_the_last_word(tmp_path: Path) -> None:
    repo = app(tmp_path, cases=100)
    said = validate(repo)
    assert said.out.splitlines()[-1] == "llm-eval-gate.yml: valid"
    keyless = validate(repo, key="")
    assert "warning: provider 'standin': the environment variable STANDIN_KEY is not set" in keyless.out
    assert keyless.out.splitlines()[-1] == "llm-eval-gate.yml: valid, with 1 warning"


def test_what_would_be_seen_is_told_once(tmp_path: Path) -> None:
    said = validate(app(tmp_path, cases=40))
    seen = [line for line in said.out.splitlines() if "seen" in line]
    assert len(seen) == 1
    assert seen[0].startswith("exact_match: with 40 cases a drop of ")
    assert "cases, a drop of 16% (the far edge of the bound's zone)" in seen[0]


def test_a_bound_in_points_is_told_in_points(tmp_path: Path) -> None:
    config = CONFIG.replace("max_drop: 10%", "max_drop: 10pp")
    said = validate(make_app(tmp_path / "app", "http://127.0.0.1:1/v1", config=config))
    assert "points" in next(line for line in said.out.splitlines() if "seen" in line)


@pytest.mark.parametrize(
    ("budget", "told"),
    [
        ("max_calls: 70", "warning: max_calls is 70, and one gate run makes about 80: "),
        ("max_usd: $0.0005", "warning: max_usd is $0.0005, and one gate run is estimated at $0.0"),
        ("max_usd: 5, max_calls: 80", ""),
    ],
)
def test_a_budget_below_the_estimate_is_a_warning(tmp_path: Path, budget: str, told: str) -> None:
    said = validate(app(tmp_path, config=f"budget: {{{{{budget}}}}}\n"))
    assert said.code == 0, said.err
    assert told in said.out if told else "one gate run makes" not in said.out + said.err


def test_the_cost_of_an_app_that_was_never_run_is_told_as_unknown(tmp_path: Path) -> None:
    config = CONFIG.replace("{{prompt: prompts/answer.prompt.yml, provider: standin}}", "{{command: cat}}")
    said = validate(make_app(tmp_path / "app", "http://127.0.0.1:1/v1", config=config))
    assert "cost: unknown before the app was run; after `llm-eval-gate run --ref main` it is estimated" in said.out


ECHO = """\
import json, sys
for line in sys.stdin:
    print(json.dumps({"id": json.loads(line)["id"], "text": "x"}), flush=True)
"""


def test_what_base_took_is_known_on_another_branch_too(tmp_path: Path) -> None:
    config = CONFIG.replace("{{prompt: prompts/answer.prompt.yml, provider: standin}}", "{{command: python3 app.py}}")
    repo = make_app(tmp_path / "app", "http://127.0.0.1:1/v1", cases=4, config=config)
    git(repo, "switch", "--quiet", "main")
    commit(repo, "the app", app_dot_py=ECHO)
    left = git(repo, "rev-parse", "HEAD")
    git(repo, "switch", "--quiet", "--create", "feature")
    commit(repo, "the app changes", app_dot_py=f"# more\n{ECHO}")
    assert "cost: unknown" in validate(repo).out
    ran = command(tmp_path / "home", "run", "--repo", str(repo), "--ref", "main")
    assert "kept as a baseline" in ran.out, ran.out + ran.err
    git(repo, "switch", "--quiet", "main")
    commit(repo, "main goes on", README_dot_md="more")
    git(repo, "switch", "--quiet", "feature")
    said = validate(repo)
    assert "cost of one gate run" in said.out, said.out
    git(repo, "branch", "--quiet", "--move", "main", "trunk")
    assert "cost: unknown" in validate(repo).out
    assert "cost of one gate run" in command(tmp_path / "home", "validate", "--repo", str(repo), "--base", left).out


def test_the_embedded_model_is_free(tmp_path: Path) -> None:
    config = CONFIG.replace("provider: standin", "provider: local").replace("  cost_per_request: {{max: $0.01}}\n", "")
    repo = make_app(tmp_path / "app", "http://127.0.0.1:1/v1", cases=3, config=config)
    prompt = repo / "prompts" / "answer.prompt.yml"
    prompt.write_text(prompt.read_text("utf-8").replace("model: m\n", ""), "utf-8")
    said = validate(repo)
    assert said.code == 0, said.err
    assert "cost of one gate run: free (the embedded model)" in said.out


def test_an_unknown_provider_is_told_before_a_missing_model(tmp_path: Path) -> None:
    config = CONFIG.replace("provider: standin}}", "provider: lokal}}")
    repo = make_app(tmp_path / "app", "http://127.0.0.1:1/v1", cases=3, config=config)
    prompt = repo / "prompts" / "answer.prompt.yml"
    prompt.write_text(prompt.read_text("utf-8").replace("model: m\n", ""), "utf-8")
    said = validate(repo)
    assert said.code == 2
    assert "llm-eval-gate.yml:3: provider 'lokal' is not described; did you mean 'local'?" in said.err


def test_examples_that_are_still_there_are_told_by_validate_and_by_a_second_init(tmp_path: Path) -> None:
    repo = tmp_path / "app"
    repo.mkdir()
    command(tmp_path / "home", "init", "--yes", "--dir", str(repo))
    told = "evals/golden.jsonl still holds 8 "
    assert told in validate(repo).out
    assert told in command(tmp_path / "home", "init", "--yes", "--force", "--dir", str(repo)).out
    rows = [{"input": f"q{n}", "expected": "a", "tags": ["example"]} for n in range(8)]
    (repo / "evals" / "golden.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    assert told not in validate(repo).out


@pytest.mark.parametrize("words", [["gate"], ["gate", "--base", "mian"], ["run"], ["noise"], ["validate"]])
@pytest.mark.parametrize("state", ["no repository", "no commit", "a commit"])
def test_without_a_config_that_is_the_first_word(tmp_path: Path, words: list[str], state: str) -> None:
    repo = tmp_path / "app"
    repo.mkdir()
    if state != "no repository":
        git(repo, "init", "--quiet", "--initial-branch=main")
    if state == "a commit":
        git(repo, "commit", "--quiet", "--allow-empty", "--message", "x")
    said = command(tmp_path / "home", *words, "--repo", str(repo))
    assert said.code == 2
    assert said.err.startswith("error: no config file in ")
    assert "run `llm-eval-gate init`" in said.err


def test_a_config_that_only_a_ref_has_is_enough(tmp_path: Path) -> None:
    repo = app(tmp_path)
    git(repo, "switch", "--quiet", "--orphan", "bare")
    said = command(tmp_path / "home", "gate", "--repo", str(repo), "--head", "change", "--base", "main", STANDIN_KEY="")
    assert "STANDIN_KEY is not set" in said.err


def test_an_engine_that_is_not_installed_is_told_with_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evaluator.engines.ray.session.find_spec", lambda _name: None)
    said = command(tmp_path / "home", "gate", "--repo", str(app(tmp_path)), "--engine", "ray", STANDIN_KEY="k")
    assert said.code == 2
    assert "`engine: ray` needs Ray, which is not installed" in said.err
    assert "pip install 'llm-eval-gate[ray]'" in said.err
