"""A key that is not there ends the run with its name: what an app cannot be asked is no fault of the change."""

from pathlib import Path

import pytest

from evaluator.records import Failure, FailureKind
from evaluator.wiring.missed_keys import missed_key
from tests.pipeline.commands import Said, command, right
from tests.standin.threaded import running
from tests.wiring.process_apps import FUNCTION, PYTHON, SERVER, WORKER, config, process_app

WORDS = WORKER.replace("{BEFORE}", "")
AT_ONCE = "import os; os.environ['OPENAI_BASE_URL']; os.environ['OPENAI_API_KEY']\n"
KINDS = [
    ("{{command: python3 app.py}}", WORDS),
    ("{{command: {{run: python3 app.py, mode: per_case}}}}", AT_ONCE + WORDS),
    (f"{{{{python: {{{{function: 'app:answer', interpreter: {PYTHON}}}}}}}}}", AT_ONCE + FUNCTION),
    ("{{http: {{run: python3 app.py, answer: $.text, servers: 2}}}}", AT_ONCE + SERVER),
]


def named(provider: str) -> str:
    """The Python target, with its provider."""
    return KINDS[2][0].removesuffix("}}") + f", provider: {provider}}}}}"


SILENT = """
def answer(question):
    return question.replace("질문", "답")
"""


def keyless(target: str) -> str:
    """A config of an app that asks `openai`, without a word on providers."""
    text = config(target)
    return text[: text.index("providers:")] + text[text.index("prices:") :]


def told(tmp_path: Path, text: str, app: str, *words: str, **environ: str) -> Said:
    """What a command says of an app whose change changes nothing."""
    with running(right) as server:
        repo = process_app(
            tmp_path / "app", server.url, text, base={"app_dot_py": app}, head={"note_dot_txt": "nothing"}
        )
        said = command(tmp_path / "home", *words, "--repo", str(repo), cwd=None, **environ)
    assert server.log == []
    return said


@pytest.mark.parametrize(("target", "app"), KINDS, ids=["worker", "per_case", "python", "http"])
def test_a_missing_key_ends_the_run_with_its_name(tmp_path: Path, target: str, app: str) -> None:
    said = told(tmp_path, keyless(target), app, "gate", "--json", OPENAI_API_KEY=" ")
    assert said.code == 2, said.out
    assert "the app asks 'openai', and the environment variable OPENAI_API_KEY is not set" in said.err
    assert '"fail"' not in said.out


def test_an_app_that_asks_while_it_starts_is_told_the_same(tmp_path: Path) -> None:
    app = "from asking import ask\nask('hello')\n" + FUNCTION
    said = told(tmp_path, keyless(KINDS[2][0]), app, "gate", "--json")
    assert (said.code, "OPENAI_API_KEY is not set" in said.err) == (2, True), said.err


def test_an_app_that_catches_the_refusal_ends_the_run_too(tmp_path: Path) -> None:
    app = FUNCTION.replace(
        "return ask(question)", "\n    try:\n        return ask(question)\n    except OSError:\n        return 'sorry'"
    )
    said = told(tmp_path, keyless(KINDS[2][0]), app, "gate", "--json")
    assert (said.code, "OPENAI_API_KEY is not set" in said.err) == (2, True), said.err


def test_an_app_that_asks_nothing_needs_no_key(tmp_path: Path) -> None:
    said = told(tmp_path, keyless(KINDS[2][0]), SILENT, "gate", "--json")
    assert (said.code, said.json["verdict"]["state"]) == (0, "pass"), said.err


def test_a_provider_that_is_described_and_not_named_is_pointed_at(tmp_path: Path) -> None:
    said = told(tmp_path, config(KINDS[2][0]), FUNCTION, "gate", "--json")
    assert said.code == 2
    assert "OPENAI_API_KEY is not set" in said.err
    assert "keys are there for: standin" in said.err


@pytest.mark.parametrize("name", ["ANTHROPIC_API_KEY", "AZURE_OPENAI_API_KEY"])
def test_where_no_key_is_there_at_all_any_of_them_is_missed_by_its_name(tmp_path: Path, name: str) -> None:
    url = {"ANTHROPIC_API_KEY": "ANTHROPIC_BASE_URL", "AZURE_OPENAI_API_KEY": "AZURE_OPENAI_ENDPOINT"}[name]
    asking = f"import os; os.environ['OPENAI_BASE_URL'] = os.environ['{url}']; os.environ['OPENAI_API_KEY'] = os.environ['{name}']\n"
    said = told(tmp_path, keyless(KINDS[2][0]), asking + FUNCTION, "gate", "--json")
    assert (said.code, f"{name} is not set" in said.err) == (2, True), said.err


def test_a_well_known_provider_can_be_the_apps_own(tmp_path: Path) -> None:
    target = named("anthropic")
    said = told(tmp_path, keyless(target), SILENT, "gate", "--json", OPENAI_API_KEY="k")
    assert (said.code, "ANTHROPIC_API_KEY is not set" in said.err) == (2, True), said.err


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("os.environ['ANTHROPIC_API_KEY']", "ANTHROPIC_API_KEY"),
        ("raise TypeError('Could not resolve authentication method. Expected api_key')", "ANTHROPIC_API_KEY"),
        ("raise ValueError('pass `api_key` or the AZURE_OPENAI_API_KEY variable')", "AZURE_OPENAI_API_KEY"),
    ],
)
def test_an_app_that_dies_for_want_of_a_well_known_key_is_no_fault_of_the_change(
    tmp_path: Path, line: str, name: str
) -> None:
    app = f"import os\ndef answer(question):\n    {line}\n"
    said = told(tmp_path, keyless(KINDS[2][0]), app, "gate", "--json", OPENAI_API_KEY="k")
    assert said.code == 2, said.out
    assert f"for want of a key: the environment variable {name} is not set" in said.err


def test_an_app_that_names_a_key_which_is_there_failed_by_itself(tmp_path: Path) -> None:
    app = "def answer(question):\n    raise ValueError('ANTHROPIC_API_KEY looks odd')\n"
    said = told(tmp_path, keyless(KINDS[2][0]), app, "gate", "--json", ANTHROPIC_API_KEY="k", OPENAI_API_KEY="k")
    assert said.code == 1, said.err


def test_a_key_that_an_app_does_without_is_not_why_a_case_dies_of_something_else(tmp_path: Path) -> None:
    before = "if question['input'].endswith('5'):\n        sys.exit('out of luck')"
    app = "import sys\nprint('ANTHROPIC_API_KEY is not set: no Claude', file=sys.stderr)\n"
    text = config("{{command: {{run: python3 app.py, workers: 1}}, provider: standin}}")
    with running(right) as server:
        files = {"app_dot_py": app + WORKER.replace("{BEFORE}", before)}
        repo = process_app(tmp_path / "app", server.url, text, base=files, head={"note_dot_txt": "nothing"})
        said = command(tmp_path / "home", "gate", "--json", "--repo", str(repo))
    assert (said.code, "for want of a key" in said.err) == (0, False), said.err


@pytest.mark.parametrize(
    ("message", "before", "after"),
    [
        ("python3 exited with code 1; its stderr ends: KeyError: 'ANTHROPIC_API_KEY' (before that: x)", True, True),
        ('TypeError: "Could not resolve authentication method. Expected ..."', True, True),
        ("exited; its stderr ends: Node.js v20 (before that: Error: no ANTHROPIC_API_KEY | at x)", True, False),
        ("exited; its stderr ends: ValueError: x (before that: ANTHROPIC_API_KEY is not set)", False, False),
        ("no answer within 5 s; its stderr ends: ANTHROPIC_API_KEY is not set", True, False),
        ("out of memory", False, False),
    ],
)
def test_of_an_app_that_was_answered_the_error_alone_tells_a_missed_key(
    message: str, *, before: bool, after: bool
) -> None:
    failure = Failure(FailureKind.CRASH, message)
    assert bool(missed_key(failure, (), answered=False)) is before
    assert bool(missed_key(failure, (), answered=True)) is after
    assert not missed_key(failure, ("ANTHROPIC_API_KEY",), answered=False)


def test_validate_warns_of_a_missing_key(tmp_path: Path) -> None:
    said = told(tmp_path, keyless(KINDS[2][0]), AT_ONCE + FUNCTION, "validate")
    assert said.code == 0, said.err
    assert "OPENAI_API_KEY is not set" in said.out
    assert "valid, with" in said.out


def test_validate_is_silent_where_the_key_is_there(tmp_path: Path) -> None:
    said = told(tmp_path, keyless(KINDS[2][0]), AT_ONCE + FUNCTION, "validate", OPENAI_API_KEY="k")
    assert (said.code, "is not set" in said.out) == (0, False), said.err
    own = told(tmp_path / "own", keyless(KINDS[2][0]), SILENT, "validate", ANTHROPIC_API_KEY="k")
    assert (own.code, "is not set" in own.out) == (0, False), own.err
