"""What a hostile or a broken head tries on the verdict, end to end: apps in real repositories, a real provider beside."""

import asyncio
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.pipeline.commands import Said, command, right
from tests.standin.app import CONFIG, make_app
from tests.standin.provider import StandIn, fault
from tests.standin.threaded import running
from tests.wiring.process_apps import WORKER, config, process_app

TARGET = "{{command: python3 app.py, provider: standin}}"
APP = WORKER.replace("{BEFORE}", "")
NO_MORE = {"note_dot_txt": "a change that changes nothing"}
BREAKS = "import sys\nsys.stdin.readline()\nraise SystemExit('broken')\n"
PROVOKES = APP.replace("    \n", "    if question['input'] in ('질문 3', '질문 7'): ask('fail me')\n")


def gate(tmp_path: Path, repo: Path, *words: str) -> Said:
    return command(tmp_path / "home", "gate", "--repo", str(repo), "--json", *words)


def rows(said: Said) -> dict[str, Any]:
    return {row["name"]: row for row in said.json["verdict"]["objectives"]}


def questions(server: StandIn) -> list[str]:
    """What was asked for cases."""
    return [text for body in server.requests if "hold" not in (text := str(body["messages"][-1]["content"]))]


def kinds(said: Said, side: str) -> dict[str, str]:
    """Failure's kind of each case that failed."""
    return {
        case["id"]: case[side]["failure"]["kind"]
        for case in said.json["cases"]
        if case[side].get("failure") is not None
    }


@pytest.mark.parametrize("both", [False, True])
def test_a_providers_failure_on_heads_side_alone_counts_as_a_wrong_answer(tmp_path: Path, both: bool) -> None:
    def answer(body: Any, number: int) -> web.StreamResponse | str:
        return fault(429, "too fast") if body["messages"][-1]["content"] == "fail me" else right(body)

    with running(answer) as server:
        base = PROVOKES if both else APP
        repo = process_app(
            tmp_path / "app", server.url, config(TARGET), cases=40, base={"app_dot_py": base},
            head=NO_MORE if both else {"app_dot_py": PROVOKES},
        )  # fmt: skip
        said = gate(tmp_path, repo)
    match = rows(said)["exact_match"]
    assert kinds(said, "head") == {"c3": "rate_limit", "c7": "rate_limit"}
    assert (match["head"], match["pairs"]) == ((1.0, 38) if both else (0.95, 40))
    assert any("2 answers more failed on head alone" in warning for warning in match["warnings"]) != both


@pytest.mark.parametrize(
    ("status", "code"), [(400, "context_length_exceeded"), (404, "model_not_found"), (403, "no_access"), (413, "")]
)
def test_a_failure_that_the_request_itself_brings_about_is_the_apps_own(tmp_path: Path, status: int, code: str) -> None:
    def answer(body: Any, number: int) -> web.StreamResponse | str:
        return fault(status, "no", code=code) if body["messages"][-1]["content"] == "fail me" else right(body)

    with running(answer) as server:
        repo = process_app(
            tmp_path / "app", server.url, config(TARGET), cases=40, base={"app_dot_py": PROVOKES}, head=NO_MORE
        )
        said = gate(tmp_path, repo)
    # On both sides: an outage would leave the cases out of both, a fault of the app counts on both.
    assert kinds(said, "base") == kinds(said, "head") == {"c3": "crash", "c7": "crash"}
    assert (rows(said)["exact_match"]["base"], rows(said)["exact_match"]["pairs"]) == (0.95, 40)


def test_an_app_that_claims_an_outage_excuses_nothing(tmp_path: Path) -> None:
    claims = APP.replace(
        "    \n",
        "    if question['input'] in ('질문 3', '질문 7'):\n"
        "        print(json.dumps({'id': question['id'], 'error': '503 server: rate_limit, timeout'}), flush=True)\n"
        "        continue\n",
    )
    with running(right) as server:
        repo = process_app(
            tmp_path / "app",
            server.url,
            config(TARGET),
            cases=40,
            base={"app_dot_py": APP},
            head={"app_dot_py": claims},
        )
        said = gate(tmp_path, repo)
    assert kinds(said, "head") == {"c3": "crash", "c7": "crash"}
    assert (rows(said)["exact_match"]["head"], rows(said)["exact_match"]["pairs"]) == (0.95, 40)


def dear(tmp_path: Path, url: str, start: str) -> Said:
    """A gate whose head asks more while it starts."""
    text = config(TARGET).replace("{{max: $0.01}}", "{{max_increase: 20%}}")
    early = APP.replace("from asking import ask\n", f"from asking import ask\n{start}\n")
    repo = process_app(tmp_path / "app", url, text, cases=10, base={"app_dot_py": APP}, head={"app_dot_py": early})
    return gate(tmp_path, repo, "--out", str(tmp_path / "out"))


def test_calls_that_are_moved_to_the_start_cost_what_they_cost(tmp_path: Path) -> None:
    with running(right) as server:
        said = dear(tmp_path, server.url, "[ask(f'what may come {number}') for number in range(10)]")
        charged = sum(row.given + 2 * row.made for row in server.log) / 1e6
    assert (said.code, rows(said)["cost_per_request"]["state"]) == (1, "fail")
    spend = said.json["spend"]
    assert spend["outside_calls"] == 40  # ten of each of four workers
    assert spend["real_usd"] == pytest.approx(charged)
    assert 0 < spend["outside_usd"] < spend["target_usd"] <= spend["total_usd"]
    row = rows(said)["cost_per_request"]
    cases = [case["head"]["cost_usd"] for case in said.json["cases"]]
    assert row["head"] == pytest.approx((sum(cases) + spend["outside_usd"]) / 10)
    assert "of it outside of any case" in (tmp_path / "out" / "comment.md").read_text("utf-8")
    assert "outside of any case" in (tmp_path / "out" / "report.html").read_text("utf-8")
    assert any(note.startswith("head: 40 calls outside of any case cost $0.0") for note in said.json["notes"])


def test_calls_of_unknown_cost_at_the_start_let_no_bound_on_cost_pass(tmp_path: Path) -> None:
    unread = (
        "import http.client, os, json; from urllib.parse import urlsplit\n"
        "url = urlsplit(os.environ['OPENAI_BASE_URL'])\n"
        "asked = http.client.HTTPConnection(url.netloc)\n"
        "asked.request('POST', url.path + '/chat/completions', json.dumps({'model': 'm', 'messages': [], 'stream': True}),"
        " {'Authorization': 'Bearer ' + os.environ['OPENAI_API_KEY']})\n"
        "asked.close()\n"
        "ask('settled')\n"
    )

    async def slow(body: Any, number: int) -> str:
        if body["messages"]:
            return right(body)
        await asyncio.sleep(20)
        return "never read"

    with running(slow) as server:
        said = dear(tmp_path, server.url, unread)
        asked = len(server.requests)
        gate(tmp_path, tmp_path / "app")
    assert (said.code, rows(said)["cost_per_request"]["state"]) == (3, "error"), rows(said)["cost_per_request"]
    # Asked for again, the app is asked again: an unknown cost that is kept would be unknown for ever.
    assert len(server.requests) > asked + 10
    assert any("head: the cost of 4 calls outside of any case is not known" in note for note in said.json["notes"])


class Provider:
    """Answers nobody else while one request is held, and nobody before there was one."""

    def __init__(self) -> None:
        self.held = 0
        self.begun = asyncio.Event()

    async def __call__(self, body: Any, number: int) -> str:
        if body["messages"][-1]["content"] == "hold":
            self.held += 1
            self.begun.set()
            try:
                await asyncio.sleep(60)
            finally:
                self.held -= 1
        if "head" not in str(body):
            await self.begun.wait()
            await asyncio.sleep(30 if self.held else 0)
        return right(body).removesuffix(" head")


HOLDS = """
import threading, time
threading.Thread(target=ask, args=("hold",), daemon=True).start()
time.sleep(0.5)
"""


def test_a_base_that_head_holds_up_is_no_verdict(tmp_path: Path) -> None:
    """Base hangs as long as head's process lives, and answers when it is asked again alone."""
    target = "{{command: {{run: python3 app.py, timeout: 3s, workers: 4}}, provider: standin}}"
    text = config(target).replace("{{max_drop: 10%}}", "{{min: 50%, max_drop: 10%}}")
    text = text.replace("objectives:\n", "objectives:\n  latency_p95: {{max: 60s}}\n")  # no call comes from the cache
    held = APP.replace("from asking import ask\n", f"from asking import ask\n{HOLDS}").replace(
        'ask(question["input"])', 'ask(question["input"] + " head")'
    )
    with running(Provider()) as server:
        repo = process_app(
            tmp_path / "app", server.url, text, cases=8, base={"app_dot_py": APP}, head={"app_dot_py": held}
        )
        said = gate(tmp_path, repo)
        asked = len(questions(server))
        [journal] = (tmp_path / "home" / "runs").glob("*/journal-1.sqlite")
        with closing(sqlite3.connect(journal)) as database, database:  # as if it was killed before its report was there
            database.execute("DELETE FROM meta WHERE name = 'finished'")
        again = gate(tmp_path, repo)
        assert len(questions(server)) == asked
    verdict = said.json["verdict"]
    assert (again.json["verdict"]["state"], again.json["verdict"]["reason"]) == (verdict["state"], verdict["reason"])
    assert (said.code, verdict["state"]) == (3, "error"), verdict
    assert re.search("base failed in 8 of 8 answers beside head, and answered [3-5] of 5 of these", verdict["reason"])


class UsedUp:
    """Takes its time with everybody else once one request came, also when who asked it is gone."""

    def __init__(self) -> None:
        self.used_up = False

    async def __call__(self, body: Any, number: int) -> str:
        text = str(body["messages"][-1]["content"])
        self.used_up = self.used_up or text == "hold"
        if self.used_up and "head" not in text:
            await asyncio.sleep(60)
        return right(body).removesuffix(" head")


def test_a_base_that_the_provider_keeps_waiting_after_head_is_gone_too_is_no_verdict(tmp_path: Path) -> None:
    target = "{{command: {{run: python3 app.py, timeout: 2s, workers: 1}}, provider: standin}}"
    text = (
        config(target).replace("concurrency: 4", "concurrency: 2").replace("  cost_per_request: {{max: $0.01}}\n", "")
    )
    uses_up = APP.replace(
        "    \n",
        "    number = globals().get('number', 0) + 1\n"
        "    if number == 14: __import__('threading').Thread(target=ask, args=('hold',), daemon=True).start()\n",
    ).replace('ask(question["input"])', '"?" if number % 8 == 0 else ask(question["input"] + " head")')
    with running(UsedUp()) as server:
        repo = process_app(
            tmp_path / "app", server.url, text, cases=20, base={"app_dot_py": APP}, head={"app_dot_py": uses_up}
        )
        said = gate(tmp_path, repo)
    verdict = said.json["verdict"]
    assert (said.code, verdict["state"]) == (3, "error"), verdict
    assert "the provider failed or kept it waiting in 5 of 5 cases" in verdict["reason"]


@pytest.mark.parametrize(("bound", "code", "state"), [("min: 80%, ", 0, "pass"), ("", 3, "error")])
def test_a_change_that_mends_a_broken_base_passes_by_absolute_bounds_alone(
    tmp_path: Path, bound: str, code: int, state: str
) -> None:
    with running(right) as server:
        text = config(TARGET).replace("{{max_drop: 10%}}", f"{{{{{bound}max_drop: 10%}}}}")
        repo = process_app(
            tmp_path / "app", server.url, text, cases=8, base={"app_dot_py": BREAKS}, head={"app_dot_py": APP}
        )
        said = gate(tmp_path, repo)
    assert (said.code, said.json["verdict"]["state"]) == (code, state), said.json["verdict"]
    assert "base itself failed in 8 of 8 answers" in str(said.json["verdict"])


def test_a_head_that_spends_its_share_ends_the_run_and_the_error_says_whose_calls_they_were(tmp_path: Path) -> None:
    greedy = APP.replace("    \n", "    [ask(question['input'] + f'{number} ' + 'x' * 400) for number in range(6)]\n")
    with running(right) as server:
        text = config(TARGET, more="budget: {{max_usd: $0.5}}\n").replace("m: {{input: $1", "m: {{input: $50")
        repo = process_app(
            tmp_path / "app", server.url, text, cases=20, base={"app_dot_py": APP}, head={"app_dot_py": greedy}
        )
        said = gate(tmp_path, repo)
        charged = sum(50 * row.given + 2 * row.made for row in server.log) / 1e6
    assert said.code == 3
    assert "head's calls have used head's share of the budget" in said.err
    assert "would have been needed for one answer a case" in said.err
    assert charged <= 0.5


def test_the_report_holds_the_estimate_against_the_bill(tmp_path: Path) -> None:
    with running(right) as server:
        repo = make_app(tmp_path / "app", server.url, cases=20, config=CONFIG)
        told = command(tmp_path / "home", "validate", "--repo", str(repo)).out
        said = gate(tmp_path, repo, "--out", str(tmp_path / "out"))
        charged = sum(row.given + 2 * row.made for row in server.log) / 1e6
        again = gate(tmp_path, repo)
    part = said.json["estimate"]
    assert (part["calls"], part["spent_calls"]) == (40, 40)
    assert f"about ${part['usd']:.2f}" in told
    assert part["spent_usd"] == pytest.approx(charged)
    assert part["error"] == pytest.approx(charged / part["usd"] - 1)
    footer = (tmp_path / "out" / "comment.md").read_text("utf-8").splitlines()[-1]
    assert footer.startswith("<sub>llm-eval-gate ")
    assert "· Estimated $0.00" in footer
    assert "in 40 calls, spent $0.00" in footer
    assert "% less)</sub>" in footer
    assert "Estimated $0.00" in (tmp_path / "out" / "report.html").read_text("utf-8")
    assert (again.json["estimate"]["spent_calls"], again.json["estimate"]["spent_usd"]) == (0, 0)


def test_an_app_that_ran_before_is_estimated_by_what_it_took_then(tmp_path: Path) -> None:
    twice = APP.replace("    \n", "    ask('first ' + question['input'])\n")
    with running(right) as server:
        repo = process_app(
            tmp_path / "app", server.url, config(TARGET) + "baseline: {{pool: 0}}\n", cases=10,
            base={"app_dot_py": twice}, head=NO_MORE,
        )  # fmt: skip
        none = gate(tmp_path, repo).json["estimate"]
        command(tmp_path / "home", "run", "--repo", str(repo), "--ref", "main", "--no-cache")
        found = gate(tmp_path, repo, "--no-cache").json["estimate"]
    assert none is None
    assert (found["calls"], found["spent_calls"]) == (40, 40)
    assert abs(found["error"]) < 0.01


WAITING = """
import http.client, json, os, sys, threading, time
from urllib.parse import urlsplit
from asking import ask
url = urlsplit(os.environ["OPENAI_BASE_URL"])
body = json.dumps({"model": "none", "max_tokens": 1, "messages": [[] for _ in range(300_000)]}).encode()
def hold():
    while True:
        try:
            asked = http.client.HTTPConnection(url.netloc, timeout=30)
            asked.request("POST", url.path + "/chat/completions", body, {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]})
            asked.getresponse().read()
        except OSError:
            pass
for _ in range(3):
    threading.Thread(target=hold, daemon=True).start()
for line in sys.stdin:
    question = json.loads(line)
    time.sleep(1.5)
    print(json.dumps({"id": question["id"], "output": ask(question["input"])}), flush=True)
"""


def test_a_slower_head_whose_requests_wait_for_us_all_the_time_passes_no_bound_on_latency(tmp_path: Path) -> None:
    def answer(body: Any, number: int) -> web.StreamResponse | str:
        return fault(404, "no", code="model_not_found") if body["model"] == "none" else right(body)

    with running(answer) as server:
        text = config(TARGET).replace("cost_per_request: {{max: $0.01}}", "latency_p50: {{max: 1s}}")
        repo = process_app(
            tmp_path / "app", server.url, text.replace("concurrency: 4", "concurrency: 2"), cases=8,
            base={"app_dot_py": APP}, head={"app_dot_py": WAITING},
        )  # fmt: skip
        said = gate(tmp_path, repo)
    assert said.out, said.err
    row = rows(said)["latency_p50"]
    # Waits of requests that came to nothing are the app's own time.
    assert (said.code, row["state"]) == (1, "fail"), row
