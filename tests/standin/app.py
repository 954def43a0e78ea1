"""A small app in a real git repository, for tests of the whole."""

import json
import subprocess
from pathlib import Path

PROMPT = """\
model: m
modelParameters: {{temperature: 0, maxTokens: 20}}
messages:
  - role: system
    content: {system}
  - role: user
    content: "{{{{input}}}}"
"""

CONFIG = """\
version: 1
dataset: evals/golden.jsonl
target: {{prompt: prompts/answer.prompt.yml, provider: standin}}
scorers: [exact_match]
objectives:
  exact_match: {{max_drop: 10%}}
  cost_per_request: {{max: $0.01}}
providers:
  standin: {{base_url: "{url}", api_key_env: STANDIN_KEY}}
prices:
  m: {{input: $1, output: $2}}
concurrency: 4
early_stop: false
max_repeats: 1
"""


def git(repo: Path, *words: str) -> str:
    """Run git in a repository, apart from the user's own settings."""
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *words], cwd=repo, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def commit(repo: Path, message: str, **files: str) -> None:
    """Write files (`__` in a name is a slash, `_dot_` a dot) and commit all."""
    for name, text in files.items():
        path = repo / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "--message", message)


def make_app(repo: Path, url: str, *, cases: int = 40, config: str = CONFIG) -> Path:
    """A repository with `main` (a good prompt) and `change` (another one), both with a prompt for the stand-in."""
    repo.mkdir(parents=True)
    git(repo, "init", "--quiet", "--initial-branch=main")
    rows = [{"id": f"c{n}", "input": f"질문 {n}", "expected": f"답 {n}", "tags": [f"t{n % 2}"]} for n in range(cases)]
    commit(
        repo,
        "base",
        evals__golden_dot_jsonl="".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows),
        prompts__answer_dot_prompt_dot_yml=PROMPT.format(system="good"),
        **{"llm-eval-gate_dot_yml": config.format(url=url)},
    )
    git(repo, "switch", "--quiet", "--create", "change")
    commit(repo, "another prompt", prompts__answer_dot_prompt_dot_yml=PROMPT.format(system="other"))
    return repo
