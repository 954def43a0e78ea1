"""Whole runs of the batch engine: submit, leave, collect in a later run; the result is the local engine's."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.engines.batches import JUDGED, SUBMITTED, judging, scene, unlike
from tests.pipeline.commands import command, right, worse_at_head
from tests.standin.app import CONFIG, make_app
from tests.standin.provider import fault
from tests.standin.threaded import running


def test_answers_then_judgements_and_then_the_document_of_the_local_engine_at_half_the_price(tmp_path: Path) -> None:
    with scene(tmp_path, judging, cases=30, config=JUDGED) as here:
        first = here.gate()
        assert first.code == SUBMITTED
        assert first.out == ""
        assert "submitted: no verdict yet: 63 requests are sent in 2 batches, at most $" in first.err
        assert "run the same command again" in first.err
        here.api.finish()
        second = here.gate()
        assert "submitted: no verdict yet: 30 requests are sent in 1 batch" in second.err  # equal answers
        here.api.finish()
        said = here.gate()
        assert said.code == 0, said.err
        local = here.alone()
        assert unlike(said.json, local.json) == []
        # One model a batch; the judge's trials go with the answers, for no verdict comes without them.
        held = [Counter(line["body"]["model"] for line in batch.requests) for batch in here.api.batches.values()]
        assert held == [{"j": 3}, {"m": 60}, {"j": 30}]
        spend, whole = said.json["spend"], local.json["spend"]
        for name in ("target_usd", "evaluation_usd", "total_usd", "real_usd"):
            assert spend[name] == pytest.approx(whole[name] / 2), name
        assert spend["real_usd"] == pytest.approx(here.charged_usd())
        assert spend["cached_calls"] == whole["cached_calls"] == 30


def test_a_regression_is_seen_as_well(tmp_path: Path) -> None:
    with scene(tmp_path, worse_at_head, cases=40) as here:
        said = here.until_done()
        assert said.code == 1
        assert unlike(said.json, here.alone().json) == []


def test_an_early_stop_comes_to_the_same_verdict(tmp_path: Path) -> None:
    config = CONFIG.replace("early_stop: false\nmax_repeats: 1", "early_stop: true\nmax_repeats: 3")
    with scene(tmp_path, cases=80, config=config) as here:
        verdict = here.until_done().json["verdict"]
        assert verdict["state"] == here.alone().json["verdict"]["state"] == "pass"


def test_further_repeats_are_further_batches(tmp_path: Path) -> None:
    def flaky(body: Any, number: int) -> str:
        asked.append(number)
        return right(body) if len(asked) % 7 else "모르겠습니다"

    asked: list[int] = []
    config = CONFIG.replace("max_repeats: 1", "max_repeats: 3").replace("  cost_per_request: {{max: $0.01}}\n", "")
    with scene(tmp_path, flaky, cases=30, config=config) as here:
        said = here.until_done()
        assert said.json["repeats"] == len(here.api.batches) > 1
        keys = [line["custom_id"] for batch in here.api.batches.values() for line in batch.requests]
        assert len(keys) == len(set(keys)) == 60 * len(here.api.batches)


def test_run_and_its_repeats_go_out_together(tmp_path: Path) -> None:
    with scene(tmp_path, cases=10) as here:
        words = ("run", "--repo", str(here.repo), "--engine", "batch", "--repeats", "3", "--json")
        assert command(here.home, *words).code == SUBMITTED
        assert [len(batch.requests) for batch in here.api.batches.values()] == [30]
        here.api.finish()
        said = command(here.home, *words)
        assert said.json["repeats"] == 3
        assert any("kept as a baseline" in note for note in said.json["notes"])


def test_looking_at_a_batch_that_is_not_done_says_how_far_it_is_and_sends_nothing(tmp_path: Path) -> None:
    with scene(tmp_path) as here:
        here.gate()
        here.api.batches["batch_1"].told["request_counts"] |= {"completed": 7, "failed": 2}
        for _ in range(2):
            said = here.gate()
            assert said.code == SUBMITTED
            assert "batch_1 is in_progress, 7 of 20 requests done, 2 failed" in said.err
        assert here.api.seen.count("POST /batches") == 1
        assert here.until_done().code == 0


def test_what_was_collected_while_another_batch_was_out_counts_as_paid(tmp_path: Path) -> None:
    with scene(tmp_path, judging, cases=10, config=JUDGED) as here:
        assert here.gate().code == SUBMITTED
        trials, answers = here.api.batches
        for batch in (trials, answers):
            here.api.finish(batch)
            assert here.gate().code == SUBMITTED
        said = here.until_done()
        assert said.code == 0, said.err
        assert said.json["spend"]["real_usd"] == pytest.approx(here.charged_usd())


def test_what_an_expired_batch_has_is_taken_and_only_the_rest_is_sent_again(tmp_path: Path) -> None:
    with scene(tmp_path) as here:
        here.gate()
        here.api.expire(done=13)
        said = here.gate()
        assert "submitted: no verdict yet: 7 requests are sent in 1 batch" in said.err
        first, second = ([line["custom_id"] for line in batch.requests] for batch in here.api.batches.values())
        assert second == first[13:]
        said = here.until_done()
        assert said.code == 0
        assert "batch_1: expired, and 7 of its requests were sent again" in said.json["notes"]
        assert len(here.api.charged) == 20
        assert said.json["spend"]["real_usd"] == pytest.approx(here.charged_usd())


def test_a_cancelled_batch_is_taken_likewise(tmp_path: Path) -> None:
    with scene(tmp_path) as here:
        here.gate()
        here.api.expire(done=4, status="cancelled")
        assert "16 requests are sent in 1 batch" in here.gate().err
        assert here.until_done().code == 0


def test_failures_that_may_pass_are_sent_again_and_the_others_are_failures_of_their_cases(tmp_path: Path) -> None:
    def faulty(body: Any, number: int) -> web.StreamResponse | str:
        question = str(body["messages"][-1]["content"])
        asked[question] += 1
        if question == "질문 1" and asked[question] <= 4:  # twice a side
            return fault(429, code="rate_limit_exceeded")
        if question == "질문 2" and asked[question] <= 2:
            return fault(500)
        if question == "질문 3":
            return fault(400, "too long", code="context_length_exceeded")
        if question == "질문 4" and asked[question] <= 2:
            return web.json_response({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 0}})
        return right(body)

    asked: Counter[str] = Counter()
    with scene(tmp_path, faulty) as here:
        here.gate()
        here.api.finish()
        assert "6 requests are sent" in here.gate().err
        here.api.finish()
        assert "2 requests are sent" in here.gate().err
        said = here.until_done()
        errors = {case["id"]: case["head"]["failure"] for case in said.json["cases"] if case["head"]["failure"]}
        assert list(errors) == ["c3"]
        assert "too long" in str(errors)
        # The answer without a result was charged, too.
        assert here.spent()[0] == pytest.approx(here.charged_usd())


def test_what_fails_again_and_again_is_an_outage_and_the_next_run_asks_anew(tmp_path: Path) -> None:
    def dead(body: Any, number: int) -> web.StreamResponse | str:
        return right(body) if mended else fault(500)

    mended: list[bool] = []
    with scene(tmp_path, dead) as here:
        said = here.until_done()
        assert said.code == 3
        assert said.json["verdict"]["state"] == "error"
        assert [len(batch.requests) for batch in here.api.batches.values()] == [20, 20, 20]
        mended.append(True)
        assert here.until_done().code == 0
        assert len(here.api.batches) == 4


def test_a_refused_key_or_an_empty_account_ends_the_run_and_nothing_is_lost(tmp_path: Path) -> None:
    def empty(body: Any, number: int) -> web.StreamResponse | str:
        return (
            fault(429, "You exceeded your quota", code="insufficient_quota") if number > 4 and not paid else right(body)
        )

    paid: list[bool] = []
    with scene(tmp_path, empty) as here:
        here.gate()
        here.api.finish()
        said = here.gate()
        assert said.code == 3
        assert "You exceeded your quota" in said.err
        assert "check the key and the account" in said.err
        paid.append(True)
        assert "15 requests are sent" in here.gate().err
        assert here.until_done().code == 0


def test_a_batch_that_failed_as_a_whole_is_told_and_sent_anew(tmp_path: Path) -> None:
    with scene(tmp_path, most_requests=5) as here:
        here.gate()
        said = here.gate()
        assert said.code == 3
        assert "batch_1 failed as a whole: The batch input file contains too many requests" in said.err
        assert "nothing of it was charged" in said.err
        here.api.most_requests = 50
        assert here.gate().code == SUBMITTED
        assert here.until_done().code == 0


@pytest.mark.parametrize("spoiling", ["garbled", "foreign", "repeated", "missing", "no usage"])
def test_odd_lines_are_never_taken_for_answers(tmp_path: Path, spoiling: str) -> None:
    def spoil(lines: list[bytes]) -> list[bytes]:
        first = json.loads(lines[0])
        match spoiling:
            case "garbled":
                return [lines[0][:50] + b"\n", b"[]\n", b"\xff\xfe\n", *lines[1:]]
            case "foreign":
                first["response"]["body"]["choices"][0]["message"]["content"] = "planted"
                return [
                    json.dumps({**first, "custom_id": name}).encode() + b"\n" for name in ("ab" * 32, "x y")
                ] + lines
            case "repeated":
                first["response"]["body"]["choices"][0]["message"]["content"] = "planted"
                return [*lines, json.dumps(first).encode() + b"\n"]
            case "missing":
                return lines[1:]
            case _:
                del first["response"]["body"]["usage"]
                return [json.dumps(first).encode() + b"\n", *lines[1:]]

    with scene(tmp_path, spoil=spoil) as here:
        here.gate()
        here.api.finish()
        here.api.spoil = lambda lines: lines
        again = here.gate()
        lost = spoiling in ("garbled", "missing")
        assert ("1 request is sent" in again.err) is lost, again.err
        said = here.until_done() if lost else again
        assert said.code == 0, said.err
        assert "planted" not in said.out
        assert [case["head"]["text"] for case in said.json["cases"] if "답" not in case["head"]["text"]] == []
        odd = {"garbled": "3 garbled", "foreign": "2 foreign", "repeated": "1 repeated"}.get(spoiling)
        noted = [note for note in said.json["notes"] if "lines that could not be used" in note]
        assert [odd in note for note in noted if odd] == ([True] if odd else [])


def test_a_batch_holds_no_more_than_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "evaluator.gateway.outbox.Outbox.__init__.__kwdefaults__", {"most_requests": 8, "most_bytes": 10**6}
    )
    with scene(tmp_path, most_requests=8) as here:
        said = here.gate()
        assert "20 requests are sent in 3 batches" in said.err
        assert [len(batch.requests) for batch in here.api.batches.values()] == [8, 8, 4]
        here.api.finish("batch_1")
        here.api.finish("batch_3")
        said = here.gate()
        assert "batch_2 is in_progress" in said.err
        assert "batch_1" not in said.err
        here.api.finish()
        said = here.until_done()
        assert said.code == 0
        assert unlike(said.json, here.alone().json) == []
        assert len(here.api.batches) == 3


@pytest.mark.parametrize(
    ("budget", "said"),
    [("{{max_usd: $0.0005}}", "20 calls could cost $0.0017"), ("{{max_calls: 19}}", "20 calls would")],
)
def test_past_a_cap_nothing_is_sent(tmp_path: Path, budget: str, said: str) -> None:
    with scene(tmp_path, config=CONFIG + f"budget: {budget}\n") as here:
        stopped = here.gate()
        assert stopped.code == 3
        assert said in stopped.err
        assert here.api.seen == []


def test_the_budget_holds_over_all_runs_of_a_gate(tmp_path: Path) -> None:
    config = JUDGED + "budget: {{max_usd: $0.10}}\n"  # enough for the answers, not for the judgements
    with scene(tmp_path, judging, config=config) as here:
        assert here.gate().code == SUBMITTED
        here.api.finish()
        said = here.gate()
        assert said.code == 3
        assert "spent in 23 calls" in said.err
        assert len(here.api.batches) == 2


def test_a_provider_without_a_batch_api_is_named(tmp_path: Path) -> None:
    with running(right) as server:
        repo = make_app(tmp_path / "app", server.url, cases=4)
        for _ in range(2):
            said = command(tmp_path / "home", "gate", "--repo", str(repo), "--engine", "batch")
            assert said.code == 2
            assert "provider 'standin' has no Batch API (HTTP 404 for POST /files)" in said.err
            assert "write `engine: local`" in said.err


def test_a_judge_that_obeys_ends_the_run_before_it_judges_anything(tmp_path: Path) -> None:
    def obeys(body: Any, number: int) -> str:
        ordered = body["model"] == "j" and "NOTE TO THE EVALUATOR" in str(body["messages"])
        return json.dumps({"reasoning": "as told", "score": 5}) if ordered else judging(body)

    with scene(tmp_path, obeys, config=JUDGED.replace("{{model: j", "{{canaries: fail, model: j")) as here:
        assert here.gate().code == SUBMITTED
        here.api.finish()
        said = here.gate()
        assert said.code == 2
        assert "can write its own score" in said.err
        assert len(here.api.batches) == 2


def test_embeddings_go_in_batches_too(tmp_path: Path) -> None:
    config = CONFIG.replace(
        "scorers: [exact_match]", "scorers: [exact_match, {{similarity: {{model: m, provider: standin}}}}]"
    )
    with scene(tmp_path, config=config) as here:
        said = here.until_done()
        assert said.code == 0, said.err
        assert [batch.told["endpoint"] for batch in here.api.batches.values()] == [
            "/v1/chat/completions",
            "/v1/embeddings",
        ]


def test_neither_engine_takes_the_others_answers_for_its_own(tmp_path: Path) -> None:
    with scene(tmp_path, cases=5) as here:
        assert here.until_done().code == 0
        local = command(here.home, "gate", "--repo", str(here.repo), "--json")
        assert local.json["spend"]["cached_calls"] == 0
        assert all(case["head"]["latency_s"] > 0 for case in local.json["cases"])
        again = here.gate("--fresh")
        assert again.json["spend"]["cached_calls"] == 10
        assert all(case["head"]["latency_s"] is None for case in again.json["cases"])


def test_noise_does_not_judge_twice_in_batches(tmp_path: Path) -> None:
    with scene(tmp_path, judging, config=JUDGED) as here:
        said = command(here.home, "noise", "--repo", str(here.repo), "--engine", "batch")
        assert said.code == 2
        assert "asks judges a second time" in said.err
        assert here.api.seen == []
