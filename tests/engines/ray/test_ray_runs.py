"""A run on several workers comes to what it comes to in one process, whoever dies on the way."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.kills import differences, without_times
from tests.engines.ray.conftest import Kept, below
from tests.pipeline.commands import Said, command, right, worse_at_head
from tests.pipeline.test_hostile_head import HOLDS, Provider
from tests.standin.app import CONFIG, commit, make_app
from tests.standin.provider import StandIn, fault
from tests.standin.threaded import running
from tests.wiring.process_apps import PYTHON, WORKER, config, process_app

JUDGED = CONFIG.replace(
    "scorers: [exact_match]", "judge: {{model: m, provider: standin, canaries: off}}\nscorers: [exact_match, judge]"
).replace("  exact_match:", "  judge: {{max_drop: 10%}}\n  exact_match:")
WORKERS = "ray: {{workers: 2}}\n"


def judged(answer: Callable[[Any, int], str]) -> Callable[[Any, int], str]:
    """A provider that also judges: answers that say what was asked for are good."""

    def say(body: Any, number: int) -> str:
        if "response_format" in body:
            return '{"reasoning": "so", "score": 4}'
        return answer(body, number)

    return say


def slowly(answer: Callable[[Any, int], Any], seconds: float) -> Callable[[Any, int], Any]:
    async def say(body: Any, number: int) -> Any:
        await asyncio.sleep(seconds)
        return answer(body, number)

    return say


def comparable(said: Said, *, notes: bool = True) -> Any:
    document = without_times(said.json)
    document.pop("rerun")
    if not notes:
        document.pop("notes")
    document["cases"].sort(key=lambda case: case["id"])
    return document


def gate(repo: Path, *more: str) -> list[str]:
    return ["gate", "--repo", str(repo), "--head", "change", "--json", *more]


def wait_for(server: StandIn, answered: int, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while len(server.responses) < answered:
        assert time.monotonic() < until, f"{len(server.responses)} answers after {seconds} s"
        time.sleep(0.002)


@pytest.mark.parametrize(("text", "answer"), [(CONFIG, right), (JUDGED, worse_at_head)])
def test_the_document_is_that_of_one_process(
    tmp_path: Path, kept: Kept, text: str, answer: Callable[[Any, int], str]
) -> None:
    with running(judged(answer)) as server:
        repo = make_app(tmp_path / "app", server.url, config=text + WORKERS)
        alone = command(tmp_path / "alone", *gate(repo))
        asked = len(server.requests)
        shared = kept.command(tmp_path / "shared", *gate(repo, "--engine", "ray"))
    assert shared.code == alone.code == (0 if answer is right else 1), shared.err
    assert differences(comparable(alone), comparable(shared)) == []
    assert len(server.requests) == 2 * asked
    assert len({str(request) for request in server.requests}) == asked


def test_an_app_in_its_cage_is_metered_by_each_worker(tmp_path: Path, kept: Kept) -> None:
    text = config(f"{{{{command: {{{{run: [{PYTHON}, app.py]}}}}}}}}") + WORKERS
    text = text.replace("target: {{command", "target: {{provider: standin, command")
    base, head = ({"app_dot_py": WORKER.replace("{BEFORE}", f"side = '{side}'")} for side in ("base", "head"))
    with running(right) as server:
        repo = process_app(tmp_path / "app", server.url, text, cases=12, base=base, head=head)
        alone = command(tmp_path / "alone", *gate(repo))
        shared = kept.command(tmp_path / "shared", *gate(repo, "--engine", "ray"))
    assert alone.code == 0, alone.err
    assert shared.code == 0, shared.err
    assert differences(comparable(alone), comparable(shared)) == []
    assert len(server.log) == 48


@pytest.mark.parametrize(("first", "second"), [("local", "ray"), ("ray", "local")])
def test_a_run_that_one_engine_began_is_finished_by_another(
    tmp_path: Path, kept: Kept, first: str, second: str
) -> None:
    def by(engine: str) -> Said:
        words = gate(repo, "--engine", engine)
        return kept.command(tmp_path / "home", *words) if engine == "ray" else command(tmp_path / "home", *words)

    def refuse_later(body: Any, number: int) -> Any:
        return fault(401, "no such key") if number >= 30 else right(body)

    with running(refuse_later) as server:
        repo = make_app(tmp_path / "app", server.url, config=CONFIG + WORKERS)
        broken = by(first)
        assert broken.code == 3, broken.out
        assert "no such key" in broken.err
        before = len(server.requests)
        server.answer = right
        finished = by(second)
        assert finished.code == 0, finished.err
        assert len(server.requests) - before == 50
        alone = command(tmp_path / "alone", *gate(repo))
    assert differences(comparable(alone, notes=False), comparable(finished, notes=False)) == []
    assert finished.json["spend"] == alone.json["spend"]


def test_the_units_of_a_killed_worker_are_run_by_another(tmp_path: Path, kept: Kept) -> None:
    with running(slowly(right, 0.03)) as server:
        repo = make_app(tmp_path / "app", server.url, config=CONFIG + WORKERS)
        ended = kept.begin(tmp_path / "home", *gate(repo, "--engine", "ray"))
        wait_for(server, 20)
        os.kill(random.choice(kept.workers()), signal.SIGKILL)
        said = ended()
        repeated = len(server.requests) - 80
        alone = command(tmp_path / "alone", *gate(repo))
    assert said.code == 0, said.err
    assert differences(comparable(alone, notes=False), comparable(said, notes=False)) == []
    assert any("a worker of the `ray` engine died" in note for note in said.json["notes"])
    # It had two places and one unit waiting; each unit makes two calls.
    assert 0 <= repeated <= 6


def test_without_any_worker_left_the_run_ends_with_an_error_and_goes_on_later(tmp_path: Path, kept: Kept) -> None:
    with running(slowly(right, 0.03)) as server:
        repo = make_app(tmp_path / "app", server.url, config=CONFIG + WORKERS)
        ended = kept.begin(tmp_path / "home", *gate(repo, "--engine", "ray"))
        wait_for(server, 20)
        for pid in kept.workers():
            os.kill(pid, signal.SIGKILL)
        said = ended()
        assert said.code == 3
        assert "all 2 workers of the `ray` engine have died" in said.err
        before = len(server.requests)
        again = kept.command(tmp_path / "home", *gate(repo, "--engine", "ray"))
    assert again.code == 0, again.err
    assert len(server.requests) - before <= 80 - 20 + 8


def test_without_the_process_that_shares_out_the_budget_the_run_ends(tmp_path: Path, kept: Kept) -> None:
    with running(slowly(right, 0.03)) as server:
        repo = make_app(tmp_path / "app", server.url, config=CONFIG + WORKERS)
        ended = kept.begin(tmp_path / "home", *gate(repo, "--engine", "ray"))
        wait_for(server, 10)
        (treasury,) = [pid for pid, name in below(kept.process.pid).items() if name.startswith("ray::Treasury")]
        os.kill(treasury, signal.SIGKILL)
        said = ended()
    assert said.code == 3
    assert "the process that shares out the budget has died" in said.err


def test_no_call_goes_beyond_the_budget_whatever_the_workers_do(tmp_path: Path, kept: Kept) -> None:
    dice = random.Random()
    for turn in range(4):
        dollars, calls = dice.uniform(0.0005, 0.004), dice.randrange(5, 70)
        in_flight = dice.randrange(2, 17)
        text = (
            CONFIG.replace("concurrency: 4", f"concurrency: {in_flight}").replace("ray:", "")
            + f"budget: {{{{max_usd: ${dollars:.5f}, max_calls: {calls}}}}}\nray: {{{{workers: {dice.randrange(1, 4)}}}}}\n"
        )
        with running(slowly(right, dice.uniform(0, 0.02))) as server:
            repo = make_app(tmp_path / f"app-{turn}", server.url, config=text)
            said = kept.command(tmp_path / f"home-{turn}", *gate(repo, "--engine", "ray"))
        spent = sum(charged.given * 1e-6 + charged.made * 2e-6 for charged in server.log)
        told = f"{dollars=} {calls=} {in_flight=} {spent=} made={len(server.log)}"
        assert said.code == 3, told
        assert "share of the budget" in said.err or "the budget of" in said.err, said.err
        assert spent <= dollars + 1e-9, told
        assert len(server.log) <= calls, told
        # Each side has half, and whichever is at its end first ends the run.
        assert max(len(server.log) / calls, (spent + 0.0005) / dollars) >= 0.3, told


def test_what_a_worker_cannot_set_up_is_told_as_by_one_process(tmp_path: Path, kept: Kept) -> None:
    with running(right) as server:
        repo = make_app(tmp_path / "app", server.url, config=CONFIG + WORKERS)
        commit(repo, "broken", prompts__answer_dot_prompt_dot_yml="messages: 5\n")
        alone = command(tmp_path / "alone", *gate(repo))
        shared = kept.command(tmp_path / "shared", *gate(repo, "--engine", "ray"))
    assert alone.code == shared.code == 2
    assert alone.err == shared.err
    assert server.requests == []


def test_a_base_that_head_holds_up_is_asked_again_when_heads_apps_have_ended_at_all_workers(
    tmp_path: Path, kept: Kept
) -> None:
    target = "{{command: {{run: python3 app.py, timeout: 3s, workers: 4}}, provider: standin}}"
    text = config(target).replace("{{max_drop: 10%}}", "{{min: 50%, max_drop: 10%}}") + WORKERS
    app = WORKER.replace("{BEFORE}", "")
    held = app.replace("from asking import ask\n", f"from asking import ask\n{HOLDS}").replace(
        'ask(question["input"])', 'ask(question["input"] + " head")'
    )
    with running(Provider()) as server:
        repo = process_app(
            tmp_path / "app", server.url, text, cases=8, base={"app_dot_py": app}, head={"app_dot_py": held}
        )
        said = kept.command(tmp_path / "home", *gate(repo, "--engine", "ray"))
    verdict = said.json["verdict"]
    assert (said.code, verdict["state"]) == (3, "error"), verdict
    assert "and answered 5 of 5 of these cases when it was asked again alone" in verdict["reason"]
