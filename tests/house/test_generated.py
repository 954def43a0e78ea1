"""What is generated is what the code generates; what the docs name is there."""

import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import yaml

from evaluator.config.loading import parse_config
from evaluator.config.schema import config_schema
from evaluator.config.scorers import SCORER_TYPES
from evaluator.scoring.builtin import BUILTIN_METRICS

ROOT = Path(__file__).parents[2]


def test_generated_files_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "scripts/generate-docs", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def yaml_blocks(name: str) -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", (ROOT / name).read_text("utf-8"), re.S)


def test_the_configs_in_the_docs_are_valid_for_the_program_and_for_the_schema() -> None:
    for name in ("README.md", "docs/configuration.md"):
        configs = [block for block in yaml_blocks(name) if "jobs:" not in block]  # the others are workflows
        assert configs
        for block in configs:
            parse_config(block, name)
            jsonschema.validate(yaml.safe_load(block), config_schema())


def test_the_readme_shows_the_two_commands_and_fits_on_a_page() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert "make demo" in text
    assert "make test" in text
    assert len(text.splitlines()) <= 100


def test_every_scorer_and_builtin_metric_is_in_the_docs() -> None:
    scorers = (ROOT / "docs" / "scorers.md").read_text("utf-8")
    assert [name for name in SCORER_TYPES if f"`{name}`" not in scorers] == []
    config = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert [metric.name for metric in BUILTIN_METRICS if f"`{metric.name}`" not in config] == []


def test_links_in_the_docs_lead_somewhere() -> None:
    broken = []
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if not target.startswith(("http", "mailto")) and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def test_every_dependency_has_its_reason() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    reasons = (ROOT / "docs" / "dependencies.md").read_text("utf-8").lower()
    names = [re.split(r"[<>=\[]", line)[0] for line in project["dependencies"]]
    for extra in ("local", "parquet"):
        names += [re.split(r"[<>=\[]", line)[0] for line in project["optional-dependencies"][extra]]
    assert [name for name in names if name.lower() not in reasons] == []
