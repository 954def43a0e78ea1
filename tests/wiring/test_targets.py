"""Apps that know nothing of us run in a whole gate: metered to the token, set up, caged, one ref apart from the other."""

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.pipeline.commands import Said, command, right
from tests.standin.provider import fault
from tests.standin.threaded import running
from tests.wiring.process_apps import FUNCTION, PYTHON, SERVER, WORKER, config, process_app

NO_MORE = {"note_dot_txt": "a change that changes nothing"}
KINDS = [
    ("{{command: python3 app.py, provider: standin}}", WORKER.replace("{BEFORE}", "")),
    ("{{command: {{run: python3 app.py, mode: per_case}}, provider: standin}}", WORKER.replace("{BEFORE}", "")),
    (f"{{{{python: {{{{function: 'app:answer', interpreter: {PYTHON}}}}}, provider: standin}}}}", FUNCTION),
    ("{{http: {{run: python3 app.py, answer: $.text, servers: 2}}, provider: standin}}", SERVER),
]


def gate(tmp_path: Path, repo: Path, **environ: str) -> Said:
    return command(tmp_path / "home", "gate", "--repo", str(repo), "--json", cwd=None, **environ)


@pytest.mark.parametrize(("target", "app"), KINDS, ids=["worker", "per_case", "python", "http"])
def test_every_kind_of_app_is_metered_to_the_token(tmp_path: Path, target: str, app: str) -> None:
    with running(right) as server:
        repo = process_app(tmp_path / "app", server.url, config(target), base={"app_dot_py": app}, head=NO_MORE)
        said = gate(tmp_path, repo)
        assert (said.code, said.json["verdict"]["state"]) == (0, "pass"), said.err
        asked = sum(charged.given for charged in server.log), sum(charged.made for charged in server.log)
    assert set(server.keys) == {"Bearer k-secret"}
    # What head's code is answered is shared with nobody, though base asks the same: it could choose what base is told.
    spend = said.json["spend"]
    assert len(server.log) == 12
    assert spend["real_usd"] == pytest.approx((asked[0] * 1 + asked[1] * 2) / 1e6), spend
    for case in said.json["cases"]:
        assert case["head"]["cost_usd"] == pytest.approx(case["base"]["cost_usd"])
        assert case["head"]["cost_usd"] > 0


@pytest.mark.parametrize(("target", "app"), [KINDS[0], KINDS[3]], ids=["worker", "http"])
def test_where_a_latency_is_bounded_nothing_comes_from_the_cache(tmp_path: Path, target: str, app: str) -> None:
    text = config(target, objectives="  latency_p95: {{max_increase: 900%}}\n")
    with running(right) as server:
        repo = process_app(tmp_path / "app", server.url, text, base={"app_dot_py": app}, head=NO_MORE)
        said = gate(tmp_path, repo)
        assert said.code == 0, said.err
        assert len(server.log) == 12
    assert all(case[side]["latency_s"] > 0 for case in said.json["cases"] for side in ("base", "head"))


def test_a_run_that_is_started_again_and_again_keeps_its_cap(tmp_path: Path) -> None:
    target, app = KINDS[2]
    text = config(target, objectives="  latency_p95: {{max_increase: 900%}}\n") + "budget: {{max_calls: 5}}\n"
    with running(right) as server:
        repo = process_app(tmp_path / "app", server.url, text, base={"app_dot_py": app}, head=NO_MORE)
        said = [gate(tmp_path, repo) for _ in range(3)]
        assert len(server.log) <= 5
    assert {one.code for one in said} == {3}


def test_the_real_key_is_lent_for_nothing_but_what_is_metered(tmp_path: Path) -> None:
    target, app = KINDS[2]
    body = app.replace(
        "def answer",
        """
def other(method, path):
    import os, urllib.error, urllib.request
    request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + path, method=method)
    request.add_header("Authorization", "Bearer " + os.environ["OPENAI_API_KEY"])
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as error:
        return error.code


TRIED = [other("GET", "/files"), other("DELETE", "/models/x"), other("POST", "/files"), other("GET", "/files/models")]
assert TRIED == [403] * 4, TRIED


def answer""",
        1,
    )
    assert body != app
    with running(right) as server:
        repo = process_app(tmp_path / "app", server.url, config(target), base={"app_dot_py": body}, head=NO_MORE)
        said = gate(tmp_path, repo)
        assert said.code == 0, said.err
        assert all("chat" in charged.path for charged in server.log)
    [note] = [note for note in said.json["notes"] if note.startswith("head:") and "not metered" in note]
    assert "(403): GET /files (" in note
    assert "`sandbox: {unmetered: true}` at base opens such paths" in note


def test_a_dearer_change_is_seen_though_its_answers_are_the_same(tmp_path: Path) -> None:
    target, app = KINDS[0]
    thrice = app.replace("{BEFORE}", "").replace('"output": ask(', '"output": [ask("a"), ask("b"), ask(')
    thrice = thrice.replace('question["input"])}', 'question["input"])][-1]}')
    text = config(target).replace("{{max: $0.01}}", "{{max_increase: 20%}}")
    with running(lambda body, n: right(body)) as server:
        repo = process_app(tmp_path / "app", server.url, text, base={"app_dot_py": app}, head={"app_dot_py": thrice})
        said = gate(tmp_path, repo)
    assert said.code == 1, said.err
    [cost] = [row for row in said.json["verdict"]["objectives"] if row["name"] == "cost_per_request"]
    assert cost["state"] == "fail"
    assert cost["change"] > 1


def test_a_model_without_a_price_stops_the_run_where_its_cost_is_bounded(tmp_path: Path) -> None:
    target, app = KINDS[0]
    other = app.replace('ask(question["input"])', 'ask(question["input"], "unheard-of")')
    with running(right) as server:
        repo = process_app(
            tmp_path / "app", server.url, config(target), base={"app_dot_py": app}, head={"app_dot_py": other}
        )
        said = gate(tmp_path, repo)
        assert said.code == 2, said.err
        assert "'unheard-of', which has no known price" in said.err
        assert "llm-eval-gate.yml:7" in said.err
        free = config(target).replace("  cost_per_request: {{max: $0.01}}\n", "")
        repo = process_app(tmp_path / "two", server.url, free, base={"app_dot_py": app}, head={"app_dot_py": other})
        said = gate(tmp_path, repo)
    assert said.code == 0, said.err
    assert any("head: the cost of 6 calls is not known (unheard-of)" in note for note in said.json["notes"])


def test_a_refused_key_ends_the_run_and_is_no_fault_of_the_app(tmp_path: Path) -> None:
    target, app = KINDS[0]
    with running(lambda body, n: fault(401, "no such key")) as server:
        repo = process_app(tmp_path / "app", server.url, config(target), base={"app_dot_py": app}, head=NO_MORE)
        said = gate(tmp_path, repo)
    assert said.code == 3
    assert "check the key" in said.err


def test_an_outage_of_the_provider_is_no_wrong_answer_of_the_app(tmp_path: Path) -> None:
    target, app = KINDS[0]

    def answer(body: Any, number: int) -> web.StreamResponse | str:
        return fault(503, "down") if "질문 3" in str(body["messages"]) else right(body)

    with running(answer) as server:
        repo = process_app(tmp_path / "app", server.url, config(target), base={"app_dot_py": app}, head=NO_MORE)
        said = gate(tmp_path, repo)
    assert (said.code, said.json["verdict"]["state"]) == (3, "error"), said.json["verdict"]
    assert "down" in said.json["verdict"]["reason"]


def test_the_budget_holds_for_an_app_that_asks_by_itself(tmp_path: Path) -> None:
    target, app = KINDS[0]
    with running(right) as server:
        text = config(target, more="budget: {{max_calls: 4}}\n")
        repo = process_app(tmp_path / "app", server.url, text, cases=20, base={"app_dot_py": app}, head=NO_MORE)
        said = gate(tmp_path, repo)
        assert 2 <= len(server.log) <= 4
    assert said.code == 3
    assert "of 4 calls" in said.err
    assert "is used up" in said.err


def test_what_is_spent_outside_of_cases_is_told(tmp_path: Path) -> None:
    target, app = KINDS[2]
    early = app.replace("from asking import ask\n", "from asking import ask\nask('warm up')\n")
    with running(right) as server:
        repo = process_app(
            tmp_path / "app", server.url, config(target), base={"app_dot_py": app}, head={"app_dot_py": early}
        )
        said = gate(tmp_path, repo)
    assert said.code == 0, said.err
    assert any(note.startswith("head: 4 calls outside of any case cost $0.0") for note in said.json["notes"])


def test_validate_starts_the_app_without_a_way_to_any_model(tmp_path: Path) -> None:
    target, _ = KINDS[2]
    app = "import os\nurl = os.environ['OPENAI_BASE_URL']; key = os.environ['OPENAI_API_KEY']\nassert 'secret' not in key\n"
    with running(right) as server:
        repo = process_app(
            tmp_path / "app", server.url, config(target), base={"app_dot_py": app + FUNCTION}, head=NO_MORE
        )
        said = command(tmp_path / "home", "validate", "--repo", str(repo))
        assert said.code == 0, said.err
        assert server.log == []
        (repo / "app.py").write_text("import no_such_module\n")
        said = command(tmp_path / "home", "validate", "--repo", str(repo))
    assert said.code == 2
    assert "no_such_module" in said.err
