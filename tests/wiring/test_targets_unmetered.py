"""Beside what is metered: what is free needs no opening, what base opens does as it is told, what is refused is noted."""

import json
from pathlib import Path

import pytest

from tests.pipeline.commands import Said, command, right
from tests.standin.provider import StandIn
from tests.standin.threaded import running
from tests.wiring.process_apps import FUNCTION, PYTHON, config, process_app

TARGET = f"{{{{python: {{{{function: 'app:answer', interpreter: {PYTHON}}}}}}}}}"
POSTS = """
import json, os, urllib.error, urllib.request
def post(path, **body):
    request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + path, json.dumps(body).encode())
    request.add_header("Authorization", "Bearer " + os.environ["OPENAI_API_KEY"])
    request.add_header("Content-Type", "application/json")
    return json.load(urllib.request.urlopen(request))
"""
MODERATED = POSTS + FUNCTION.replace(
    "    return", '    assert post("/moderations", input=question)["results"][0]["flagged"] is False\n    return'
)
DRAWING = POSTS + FUNCTION.replace("    return", '    post("/echo/images", prompt=question)\n    return')
LOOPING = FUNCTION.replace(
    "    return ask(question)",
    """
    answers = []
    for _ in range(3):
        try:
            answers.append(ask(question))
        except OSError:
            pass
    return answers[0]
""",
)
NO_COST = ("  cost_per_request: {{max: $0.01}}\n", "")


def gate(tmp_path: Path, app: str, more: str = "", *, cost: bool = True) -> tuple[Said, StandIn]:
    """Gate an app whose provider is `openai`, at the stand-in's address; its change changes nothing."""
    text = config(TARGET) + more
    text = text[: text.index("providers:")] + text[text.index("prices:") :]
    text = text if cost else text.replace(*NO_COST)
    with running(right) as server:
        repo = process_app(tmp_path / "app", server.url, text, base={"app_dot_py": app}, head={"note_dot_txt": "x"})
        said = command(
            tmp_path / "home", "gate", "--repo", str(repo), "--json", cwd=None,
            OPENAI_API_KEY="k-secret", OPENAI_BASE_URL=server.url,
        )  # fmt: skip
        return said, server


@pytest.mark.parametrize("more", ["", "budget: {{max_usd: $1}}\n", "sandbox: {{unmetered: true}}\n"])
def test_an_app_that_moderates_first_needs_nothing_opened_and_is_charged_for_its_chat_alone(
    tmp_path: Path, more: str
) -> None:
    said, server = gate(tmp_path, MODERATED, more)
    assert (said.code, said.json["verdict"]["state"]) == (0, "pass"), said.err
    charged = sum((row.given * 1 + row.made * 2) / 1e6 for row in server.log)
    assert said.json["spend"]["real_usd"] == pytest.approx(charged)
    assert not [note for note in said.json["notes"] if "metered" in note or "not known" in note]


def test_what_is_refused_is_noted_for_each_side_with_what_opens_it(tmp_path: Path) -> None:
    said, _ = gate(tmp_path, DRAWING)
    assert said.code == 1, said.err
    for side in ("base", "head"):
        [note] = [note for note in said.json["notes"] if note.startswith(f"{side}:") and "metered" in note]
        assert note.startswith(f"{side}: 6 requests were refused as not metered (403): POST /echo/images (6)")
        assert "sandbox: {unmetered: true}" in note


def test_what_base_opens_is_forwarded_and_its_cost_is_told_as_unknown(tmp_path: Path) -> None:
    said, _ = gate(tmp_path, DRAWING, "sandbox: {{unmetered: true}}\n", cost=False)
    assert said.code == 0, said.err
    assert "head: the cost of 6 calls is not known (POST /echo/images)" in said.json["notes"]


def test_an_opened_path_beside_a_bound_on_cost_says_which_path_and_which_key(tmp_path: Path) -> None:
    said, _ = gate(tmp_path, DRAWING, "sandbox: {{unmetered: true}}\n")
    assert said.code == 2
    assert "the app asked openai for 'POST /echo/images', which is not metered" in said.err
    assert "take `sandbox: {unmetered: true}` out" in said.err


def test_a_cap_on_dollars_holds_also_where_base_opens_paths_and_the_note_says_so(tmp_path: Path) -> None:
    more = "sandbox: {{unmetered: true}}\nbudget: {{max_usd: $1}}\n"
    said, _ = gate(tmp_path, DRAWING, more, cost=False)
    assert said.code == 1, said.err
    [note] = [note for note in said.json["notes"] if note.startswith("head:") and "metered" in note]
    assert "would pass the cap on dollars unseen" in note


def test_validate_warns_of_what_cannot_go_together(tmp_path: Path) -> None:
    text = config(TARGET) + "sandbox: {{unmetered: true}}\nbudget: {{max_usd: $1}}\n"
    with running(right) as server:
        repo = process_app(tmp_path / "app", server.url, text, base={"app_dot_py": FUNCTION}, head={"n_dot_txt": "x"})
        said = command(tmp_path / "home", "validate", "--repo", str(repo), OPENAI_API_KEY="k")
    assert said.code == 0, said.err
    assert "warning: sandbox.unmetered beside budget.max_usd: POST, PUT and PATCH" in said.out
    assert "warning: sandbox.unmetered beside cost_per_request: a case that asks" in said.out


def test_a_cap_that_the_app_swallows_is_noted(tmp_path: Path) -> None:
    said, _ = gate(tmp_path, LOOPING, "budget: {{max_calls_per_case: 2}}\n")
    assert (said.code, said.json["verdict"]["state"]) == (0, "pass"), said.err
    for side in ("base", "head"):
        [note] = [note for note in said.json["notes"] if note.startswith(f"{side}: a cap of a case")]
        assert "refused calls in 6 cases" in note


def test_an_app_finds_its_provider_under_the_names_that_base_gives(tmp_path: Path) -> None:
    given = ", url_env: LLM_URL, key_env: [LLM_TOKEN, SECOND_NAME]}}"
    text = config(TARGET).replace("STANDIN_KEY}}", "STANDIN_KEY" + given)
    assert given in text
    app = (
        "import os\nos.environ['OPENAI_BASE_URL'] = os.environ['LLM_URL']\n"
        "os.environ['OPENAI_API_KEY'] = os.environ['LLM_TOKEN']\nassert os.environ['SECOND_NAME']\n"
    )
    with running(right) as server:
        repo = process_app(
            tmp_path / "app", server.url, text, base={"app_dot_py": app + FUNCTION}, head={"n_dot_txt": "x"}
        )
        said = command(tmp_path / "home", "gate", "--repo", str(repo), "--json")
        assert said.code == 0, said.err
        assert set(server.keys) == {"Bearer k-secret"}
        checked = command(tmp_path / "home", "validate", "--repo", str(repo))
    assert checked.code == 0, checked.err
    assert "k-secret" not in json.dumps(said.json)
