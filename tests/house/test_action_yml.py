"""action.yml, the code, the docs and the tests name the same inputs and outputs, and nothing is there for show."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from evaluator.github.inputs import DEFAULTS, INPUTS

ROOT = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
READERS = {ROOT / "evaluator" / "github" / "inputs.py"}
TESTS_OF_THE_READER = {ROOT / "tests" / "github" / name for name in ("test_inputs.py", "test_settings.py")}
TESTS = ("action", "container", "github")
POLICY = (
    "dataset-path", "judge-model", "base-url", "repeat", "max-concurrency", "max-cases", "max-cost-usd", "timeout-minutes",
    "on-inconclusive",
)  # fmt: skip
BY_NAME = {entry.name: entry for entry in INPUTS}


def nodes(folders: list[Path], *, without: set[Path]) -> Iterator[ast.AST]:
    for folder in folders:
        for path in sorted(set(folder.rglob("*.py")) - without):
            yield from ast.walk(ast.parse(path.read_text("utf-8")))


def strings(folders: list[Path], *, without: set[Path]) -> list[str]:
    """All strings of the code but docstrings and other strings that stand alone: those are for people."""
    found = list(nodes(folders, without=without))
    alone = {id(node.value) for node in found if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in found
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone
    ]


def used_fields() -> set[str]:
    """Names of the attributes that are read from something called `inputs`."""
    found = set()
    for node in nodes([ROOT / "evaluator"], without=READERS):
        if isinstance(node, ast.Attribute):
            owner = node.value
            name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
            if name == "inputs":
                found.add(node.attr)
    return found


def test_the_code_reads_the_inputs_of_action_yml_and_no_others() -> None:
    assert list(ACTION["inputs"]) == list(BY_NAME)


@pytest.mark.parametrize("name", list(ACTION["inputs"]))
def test_an_inputs_default_is_the_programs_own(name: str) -> None:
    given = ACTION["inputs"][name].get("default")
    if name == "github-token":
        assert given == "${{ github.token }}"
    elif given:
        assert isinstance(given, str), "GitHub reads defaults as text"
        assert BY_NAME[name].parse(given) == DEFAULTS[name]
    else:
        assert not DEFAULTS[name]


def test_policy_inputs_have_no_default_so_that_the_config_file_decides() -> None:
    assert [name for name in POLICY if "default" in ACTION["inputs"][name]] == []
    assert [name for name in POLICY if DEFAULTS[name] is not None] == []


def test_every_input_is_used_beyond_being_read() -> None:
    used = used_fields()
    assert [name for name in ACTION["inputs"] if BY_NAME[name].field not in used] == []


def test_every_output_is_written_by_the_code() -> None:
    written = set(strings([ROOT / "evaluator" / "action", ROOT / "evaluator" / "github"], without=READERS))
    assert [name for name in ACTION["outputs"] if name not in written] == []


def test_every_input_and_output_is_in_a_test_of_what_it_does() -> None:
    folders = [ROOT / "tests" / name for name in TESTS]
    found = list(nodes(folders, without=TESTS_OF_THE_READER))
    fields = {node.arg for node in found if isinstance(node, ast.keyword)}
    fields |= {node.attr for node in found if isinstance(node, ast.Attribute)}
    text = "\n".join(strings(folders, without=TESTS_OF_THE_READER)).lower()
    # Only a name of several words is sure to be meant where it is a keyword or an attribute of something.
    missing = [
        name
        for name in [*ACTION["inputs"], *ACTION["outputs"]]
        if not re.search(rf"(?<![\w-]){name}(?![\w-])|input_{name}", text)
        and ("-" not in name or name.replace("-", "_") not in fields)
    ]
    assert missing == []


def test_every_input_and_output_is_a_row_of_the_docs_with_what_it_takes() -> None:
    page = (ROOT / "docs" / "action.md").read_text("utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    documented = {row[0].removeprefix("| ").strip("`"): row for row in rows if len(row) in (2, 4)}
    for name, entry in ACTION["inputs"].items():
        assert documented.get(name, [""] * 4)[1] == BY_NAME[name].expected or name in ACTION["outputs"]
        assert f"| {entry['description']} |" in page
    for name, entry in ACTION["outputs"].items():
        assert f"| `{name}` | {entry['description']} |" in page


def test_descriptions_are_one_paragraph_that_ends_as_a_sentence() -> None:
    entries = {**ACTION["inputs"], **{f"output {name}": entry for name, entry in ACTION["outputs"].items()}}
    odd = [name for name, entry in entries.items() if not re.fullmatch(r"[A-Z`][^\n|]{20,}[.]", entry["description"])]
    assert odd == []


def test_it_is_a_container_action_with_a_face_in_the_marketplace() -> None:
    assert ACTION["runs"] == {"using": "docker", "image": "Dockerfile"}
    assert set(ACTION["branding"]) == {"icon", "color"}
    assert len(ACTION["description"]) < 300
    assert (ROOT / "Dockerfile").is_file()
