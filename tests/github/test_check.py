"""The check run: begun once, always ended, and within GitHub's limits."""

import pytest

from evaluator.github.check import MOST_ANNOTATIONS, CheckPlace, CheckReport, complete_check, start_check
from evaluator.github.commands import Annotation
from tests.github.workbench import HEAD, READS, Bench
from tests.standin.github import App, Faults

PLACE = CheckPlace("llm-eval-gate", HEAD, "run.5.1", "https://github.com/octo/app/actions/runs/5")
REPORT = CheckReport("success", "No regression", "All objectives hold.", lambda limit: "details")


def test_a_check_is_begun_and_ended(at: Bench) -> None:
    client = at.client()
    begun = start_check(client, PLACE, title="Running", summary="120 cases")
    (run,) = at.repository.check_runs.values()
    assert run.fields["status"] == "in_progress" and run.fields["head_sha"] == HEAD
    ended = complete_check(client, PLACE, REPORT, begun.check_id)
    assert ended.action == "completed" and ended.url and ended.check_id == run.id
    assert run.fields["conclusion"] == "success" and run.fields["details_url"] == PLACE.details_url
    assert run.fields["output"] == {"title": "No regression", "summary": "All objectives hold.", "text": "details"}


@pytest.mark.parametrize("conclusion", ["success", "failure", "neutral", "action_required", "cancelled"])
def test_a_check_can_be_ended_without_its_number_and_without_having_been_begun(at: Bench, conclusion: str) -> None:
    report = CheckReport(conclusion, "Title", "Summary")  # type: ignore[arg-type]
    start_check(at.client(), PLACE, title="Running", summary="")
    assert complete_check(at.client(), PLACE, report).action == "completed"
    other = CheckPlace("llm-eval-gate", HEAD, "run.6.1")
    assert complete_check(at.client(), other, report).action == "completed"
    assert [run.fields["conclusion"] for run in at.repository.check_runs.values()] == [conclusion] * 2


@pytest.mark.parametrize("kind", ["drop-after", "502-after"])
def test_a_check_whose_answer_was_lost_is_found(at: Bench, kind: str) -> None:
    at.github.fail_next(kind, match="check-runs", method="POST")
    begun = start_check(at.client(), PLACE, title="Running", summary="")
    assert begun.action == "started" and list(at.repository.check_runs) == [begun.check_id]
    at.github.fail_next(kind, match="check-runs", method="POST")
    other = CheckPlace("llm-eval-gate", HEAD, "run.6.1")
    assert complete_check(at.client(), other, REPORT).action == "completed"
    assert len(at.repository.check_runs) == 2


def test_checks_of_other_runs_are_left_alone(at: Bench) -> None:
    start_check(at.client(), CheckPlace("llm-eval-gate", HEAD, "run.4.1"), title="Running", summary="")
    start_check(at.client(), CheckPlace("another", HEAD, "run.5.1"), title="Running", summary="")
    complete_check(at.client(), PLACE, REPORT)
    statuses = [run.fields["status"] for run in at.repository.check_runs.values()]
    assert statuses == ["in_progress", "in_progress", "completed"]


def test_a_run_that_was_completed_before_is_begun_anew(at: Bench) -> None:
    complete_check(at.client(), PLACE, REPORT)
    assert start_check(at.client(), PLACE, title="Running", summary="").action == "started"
    assert len(at.repository.check_runs) == 2


def test_annotations_go_in_fifties(at: Bench) -> None:
    notes = [Annotation("error", f"m{n}", "a.md", n + 1, title="t" * 400) for n in range(101)]
    notes.insert(50, Annotation("error", "about no file"))
    ended = complete_check(at.client(), PLACE, CheckReport("failure", "T", "S", None, notes))
    (run,) = at.repository.check_runs.values()
    assert [note["message"] for note in run.annotations] == [f"m{n}" for n in range(101)]
    assert at.sent("PATCH", "check-runs") == 3 and ended.reason == ""
    assert run.annotations[0]["annotation_level"] == "failure" and len(run.annotations[0]["title"]) == 255


@pytest.mark.parametrize("kind", ["drop-after", "502-after", "drop", "502", "429"])
def test_a_batch_of_annotations_arrives_once(at: Bench, kind: str) -> None:
    notes = [Annotation("notice", f"m{n}", "a.md", n + 1) for n in range(70)]
    begun = start_check(at.client(), PLACE, title="Running", summary="")
    done = []

    def plan(_: object) -> None:  # the first PATCH ends the check, the second brings the first batch
        done.append(1)
        if len(done) == 1:
            at.github.fail_next(kind, match="check-runs", method="PATCH")

    at.github.after(plan, match="check-runs", method="PATCH")
    complete_check(at.client(), PLACE, CheckReport("neutral", "T", "S", None, notes), begun.check_id)
    (run,) = at.repository.check_runs.values()
    assert [note["message"] for note in run.annotations] == [f"m{n}" for n in range(70)]
    assert at.github.faults.met[kind] == 1


def test_too_many_annotations_are_told(at: Bench) -> None:
    notes = [Annotation("notice", "m", "a.md", 1)] * (MOST_ANNOTATIONS + 7)
    ended = complete_check(at.client(), PLACE, CheckReport("neutral", "T", "S", None, notes))
    (run,) = at.repository.check_runs.values()
    assert len(run.annotations) == MOST_ANNOTATIONS and ended.reason.startswith("7 annotations")


def test_a_check_ends_though_its_annotations_are_refused(at: Bench) -> None:
    notes = [Annotation("notice", "m", "a.md", 1)]
    begun = start_check(at.client(), PLACE, title="Running", summary="")
    at.github.after(
        lambda _: at.github.fail_next("read-only", match="check-runs", method="PATCH"), match="check-runs", times=1
    )
    ended = complete_check(at.client(), PLACE, CheckReport("failure", "T", "S", None, notes), begun.check_id)
    (run,) = at.repository.check_runs.values()
    assert run.fields["conclusion"] == "failure"
    assert ended.action == "completed" and "1 annotations are missing" in ended.reason


@pytest.mark.parametrize("letter", ["x", "ü", "😀"])
def test_texts_stay_within_githubs_limits(at: Bench, letter: str) -> None:
    report = CheckReport(
        "neutral", letter * 1000, letter * 70_000, lambda limit: letter * limit,
        [Annotation("notice", letter * 70_000, "a.md", 0)],
    )  # fmt: skip
    assert complete_check(at.client(), PLACE, report).reason == ""
    (run,) = at.repository.check_runs.values()
    output = run.fields["output"]
    assert len(output["title"]) <= 255
    assert max(len(output[part].encode()) for part in ("summary", "text")) <= 65_535
    assert len(output["text"]) >= 15_000
    assert len(run.annotations[0]["message"].encode()) <= 64_000 and run.annotations[0]["start_line"] == 1


@pytest.mark.parametrize("text", ["", "x" * 70_000])
def test_a_text_that_does_not_shrink_is_replaced(at: Bench, text: str) -> None:
    complete_check(at.client(), PLACE, CheckReport("neutral", "", "S", lambda limit: text))
    (run,) = at.repository.check_runs.values()
    assert run.fields["output"]["text"] == ("" if not text else "The report is too long for a check run.")


def test_what_is_not_allowed_is_an_outcome(at: Bench) -> None:
    for token in (at.github.installation_token(READS), at.github.user_token("ann")):
        client = at.client(token)
        begun = start_check(client, PLACE, title="Running", summary="")
        assert begun.action == "denied" and "checks: write" in begun.reason
        assert complete_check(client, PLACE, REPORT).action == "denied"
    start_check(at.client(), PLACE, title="Running", summary="")
    (check_id,) = at.repository.check_runs
    other = at.client(at.github.installation_token({"checks": "write"}, app=App("other", 9, "Other")))
    assert "Invalid app_id" in complete_check(other, PLACE, REPORT, check_id).reason


def test_a_github_that_stays_down_is_an_outcome_also_in_a_hurry(at: Bench) -> None:
    begun = start_check(at.client(), PLACE, title="Running", summary="")
    at.github.faults = Faults(rate=1.0, kinds=("502",), in_a_row=1000)
    assert complete_check(at.client().hurried(), PLACE, REPORT, begun.check_id).action == "failed"
    assert sum(at.sleeps.asked) < 2
    at.github.faults.clear()
    assert complete_check(at.client().hurried(), PLACE, REPORT, begun.check_id).action == "completed"


def test_a_check_is_found_behind_a_later_runs(at: Bench) -> None:
    begun = start_check(at.client(), PLACE, title="Running", summary="")
    start_check(at.client(), CheckPlace("llm-eval-gate", HEAD, "run.6.1"), title="Running", summary="")
    assert complete_check(at.client(), PLACE, REPORT).check_id == begun.check_id
    assert len(at.repository.check_runs) == 2
