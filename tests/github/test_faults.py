"""Faults by schedule: whatever GitHub does, there is one comment with the right text, or a clear word why not."""

import random

import pytest

from evaluator.github.check import CheckPlace, CheckReport, complete_check, start_check
from evaluator.github.commands import Annotation
from evaluator.github.sticky import read_marker
from tests.github.workbench import HEAD, QUICK, Bench, bench
from tests.standin.github import Faults, running_github

SCHEDULES = 200
IN_ONE = 20


@pytest.mark.parametrize("start", range(0, SCHEDULES, IN_ONE))
def test_two_hundred_fault_schedules_leave_one_comment(start: int) -> None:
    for seed in range(start, start + IN_ONE):
        with running_github() as github:
            at = bench(github)
            for number in range(random.Random(seed).choice((0, 0, 99, 100, 130))):
                at.repository.add_comment(7, f"talk {number}", user="ann")
            talk = len(at.bodies())
            github.faults = Faults(seed=seed, rate=0.3, delay=0.002)
            heads = (HEAD, "c" * 40, "d" * 40)
            for number, head in enumerate(heads):
                if number:
                    at.repository.push(7, head)
                for text in (f"in progress {number}", f"verdict {number}"):
                    with at.client(patience=QUICK) as client:
                        outcome = at.put(text, run=number + 1, head=head, client=client)
                    assert outcome.action in ("created", "updated"), (seed, number, outcome)
            bodies = at.bodies()
            assert len(bodies) == talk + 1, (seed, bodies[talk:], github.faults.met)
            said = read_marker(bodies[-1])
            assert bodies[-1].startswith("verdict 2\n") and said is not None and said.head == heads[2]
            assert github.violations == []


def test_the_schedules_meet_every_kind_of_fault() -> None:
    with running_github() as github:
        at = bench(github)
        github.faults = Faults(seed=1, rate=0.5, delay=0.001)
        for run in range(1, 60):
            with at.client(patience=QUICK) as client:
                at.put(f"verdict {run}", run=run, client=client)
        assert set(github.faults.met) == set(github.faults.kinds)
        assert len(at.bodies()) == 1


@pytest.mark.parametrize("kind", ["drop-after", "502-after"])
def test_a_comment_whose_answer_was_lost_is_not_made_twice(at: Bench, kind: str) -> None:
    at.github.fail_next(kind, match="/comments$", method="POST")
    assert at.put().action == "created"
    assert len(at.bodies()) == 1 and at.sent("POST", "/comments") == 1


@pytest.mark.parametrize("kind", ["drop", "502", "500", "429", "429-bare", "secondary", "secondary-bare"])
def test_a_comment_that_was_not_made_is_made_again(at: Bench, kind: str) -> None:
    at.github.fail_next(kind, 2, match="/comments$", method="POST")
    assert at.put().action == "created"
    assert len(at.bodies()) == 1 and at.sent("POST", "/comments") == 3


@pytest.mark.parametrize("kind", ["drop", "502", "503", "429", "429-bare", "drop-after", "502-after", "secondary-bare"])
def test_an_edit_is_tried_again(at: Bench, kind: str) -> None:
    at.put("old")
    at.github.fail_next(kind, match="/comments/", method="PATCH")
    assert at.put("new", run=2).action == "updated"
    (body,) = at.bodies()
    assert body.startswith("new")


def test_an_edit_that_waits_for_a_retry_looks_again_first(at: Bench) -> None:
    at.put("old")
    at.github.fail_next("502", match="/comments/", method="PATCH")

    def overtake(_: object) -> None:
        at.put("newest", run=9)

    at.github.after(overtake, match="/comments/", method="PATCH", times=1)
    assert at.put("new", run=2).action == "skipped"
    assert at.bodies()[0].startswith("newest")


def test_a_github_that_stays_down_is_an_outcome(at: Bench) -> None:
    at.github.faults = Faults(seed=0, rate=1.0, in_a_row=10_000, kinds=("500", "502", "503", "drop"))
    with at.client(patience=QUICK) as client:
        outcome = at.put(client=client)
    assert outcome.action == "failed" and "githubstatus" in outcome.reason


@pytest.mark.parametrize("start", range(0, 60, 20))
def test_sixty_fault_schedules_leave_one_finished_check_with_every_annotation(start: int) -> None:
    notes = [Annotation("warning", f"message {number}", "prompts/a.md", number + 1) for number in range(120)]
    report = CheckReport("failure", "Worse", "It got worse.", lambda limit: "text", notes)
    place = CheckPlace("llm-eval-gate", HEAD, "1.1")
    for seed in range(start, start + 20):
        with running_github() as github:
            at = bench(github)
            github.faults = Faults(seed=seed, rate=0.3, delay=0.002)
            with at.client(patience=QUICK) as client:
                begun = start_check(client, place, title="Running", summary="It runs.")
                ended = complete_check(client, place, report, begun.check_id if seed % 2 else None)
            assert (begun.action, ended.action, ended.reason) == ("started", "completed", ""), (seed, begun, ended)
            (run,) = at.repository.check_runs.values()
            assert run.fields["conclusion"] == "failure"
            assert sorted(each["start_line"] for each in run.annotations) == list(range(1, 121)), seed
            assert github.violations == []
