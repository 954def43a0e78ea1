"""All publications together: each on its own, none in silence."""

import io
from pathlib import Path
from typing import Any

import pytest

from evaluator.github.check import CheckPlace, CheckReport
from evaluator.github.client import Client
from evaluator.github.commands import Annotation
from evaluator.github.comment import Pace
from evaluator.github.publish import UNRENDERED, Place, Publication, PublishOutcome, announce, publish
from evaluator.github.sticky import RunNumber
from tests.github.runner_rules import read_log, read_outputs
from tests.github.workbench import HEAD, READS, Bench
from tests.standin.github import Faults

NOTES = (Annotation("error", "It got worse.", "prompts/a.md", 3),)


class Desk:
    """Publishes at a bench, with files of its own."""

    def __init__(self, at: Bench, folder: Path) -> None:
        self.at, self.out = at, io.StringIO()
        self.output_file, self.summary_file = folder / "output", folder / "summary"

    def place(self, **fields: Any) -> Place:
        given: dict[str, Any] = {
            "number": 7, "head": HEAD, "run": RunNumber(1, 1), "check": CheckPlace("llm-eval-gate", HEAD, "1.1"),
            "output_file": self.output_file, "summary_file": self.summary_file, **fields,
        }  # fmt: skip
        return Place(**given)

    def publish(self, client: Client | None, place: Place | None = None, **fields: Any) -> PublishOutcome:
        given: dict[str, Any] = {
            "state": "fail", "comment": lambda limit: "comment", "summary": lambda limit: "summary",
            "check": CheckReport("failure", "Worse", "It got worse.", None, NOTES), "annotations": NOTES,
            "outputs": {"verdict": "fail"}, **fields,
        }  # fmt: skip
        pace = Pace(sleep=self.at.sleeps)
        return publish(client, place or self.place(), Publication(**given), out=self.out, pace=pace)

    def outputs(self) -> dict[str, str]:
        return read_outputs(self.output_file.read_text("utf-8"))

    def commands(self) -> list[str]:
        return [f"{command.name} {command.data}" for command in read_log(self.out.getvalue())]


@pytest.fixture
def desk(at: Bench, tmp_path: Path) -> Desk:
    return Desk(at, tmp_path)


def test_everything_is_published(desk: Desk) -> None:
    outcome = desk.publish(desk.at.client())
    (body,) = desk.at.bodies()
    (run,) = desk.at.repository.check_runs.values()
    assert outcome.failures == outcome.notes == ()
    assert body.startswith("comment") and run.fields["conclusion"] == "failure" and len(run.annotations) == 1
    assert outcome.comment and outcome.check
    assert desk.outputs() == {
        "verdict": "fail", "comment-url": outcome.comment.url, "check-run-url": outcome.check.url,
    }  # fmt: skip
    assert desk.summary_file.read_text() == "summary\n"
    assert desk.commands() == ["error It got worse."]


def test_what_was_announced_is_finished(desk: Desk) -> None:
    client = desk.at.client()
    begun = announce(
        client, desk.place(), lambda limit: "in progress", title="Running", pace=Pace(sleep=desk.at.sleeps)
    )
    assert begun.check and begun.check.check_id and begun.comment and begun.comment.action == "created"
    assert desk.at.bodies()[0].startswith("in progress")
    desk.publish(client, desk.place(check_id=begun.check.check_id))
    (run,) = desk.at.repository.check_runs.values()
    assert run.fields["conclusion"] == "failure" and desk.at.bodies()[0].startswith("comment")


@pytest.mark.parametrize("mode", ["on-change", "on-failure", "off"])
def test_only_always_announces_by_comment(desk: Desk, mode: str) -> None:
    announce(desk.at.client(), desk.place(comment_mode=mode), lambda limit: "in progress", title="Running")
    assert desk.at.bodies() == []


def test_a_process_that_is_told_to_end_finishes_in_a_moment(desk: Desk) -> None:
    client = desk.at.client()
    announce(client, desk.place(), lambda limit: "in progress", title="Running", pace=Pace(sleep=desk.at.sleeps))
    desk.at.sleeps.asked.clear()
    cancelled = CheckReport("cancelled", "Cancelled", "The workflow was cancelled.")
    publication = Publication("error", lambda limit: "cancelled", lambda limit: "cancelled", cancelled)
    hurried = client.hurried()
    publish(hurried, desk.place(), publication, out=desk.out, pace=Pace(settle_s=0, retry_s=0, sleep=desk.at.sleeps))
    hurried.transport.requester.close()
    (run,) = desk.at.repository.check_runs.values()
    assert desk.at.bodies()[0].startswith("cancelled") and run.fields["conclusion"] == "cancelled"
    assert sum(desk.at.sleeps.asked) == 0


def test_a_read_only_token_leaves_log_outputs_and_summary(desk: Desk) -> None:
    outcome = desk.publish(desk.at.client(desk.at.github.installation_token(READS)))
    assert outcome.comment and outcome.comment.action == "denied" and outcome.check and outcome.check.action == "denied"
    assert [line.split(":")[0] for line in outcome.failures] == ["check run", "comment"]
    summary = desk.summary_file.read_text()
    assert summary.count("Not published") == 2 and "pull-requests: write" in summary and summary.endswith("summary\n")
    assert desk.commands()[0] == "error It got worse."
    assert [line.split(" ")[0] for line in desk.commands()[1:]] == ["warning", "warning"]
    assert desk.outputs()["comment-url"] == "" and desk.outputs()["verdict"] == "fail"


def test_without_a_token_the_rest_is_published(desk: Desk) -> None:
    outcome = desk.publish(None)
    assert outcome.comment is None and outcome.failures == () and "no token" in outcome.notes[0]
    assert desk.summary_file.read_text() == "summary\n" and desk.outputs()["verdict"] == "fail"


def test_a_merge_queue_has_no_comment(desk: Desk) -> None:
    outcome = desk.publish(desk.at.client(), desk.place(number=None, check=None))
    assert outcome.comment is None and outcome.check is None and outcome.failures == ()
    assert desk.at.github.requests == []


def test_a_comment_that_was_skipped_is_noted_and_no_failure(desk: Desk) -> None:
    desk.at.repository.push(7, "c" * 40)
    outcome = desk.publish(desk.at.client())
    assert outcome.failures == () and "moved on" in outcome.notes[0] and "moved on" in desk.out.getvalue()
    assert outcome.check and outcome.check.action == "completed"


def broken(_: int) -> str:
    raise RuntimeError("the renderer broke\n::error::forged")


@pytest.mark.parametrize("part", ["comment", "check", "summary", "outputs", "output_file", "summary_file", "github"])
def test_what_fails_stops_nothing_else_and_is_told(desk: Desk, part: str, tmp_path: Path) -> None:
    fields: dict[str, Any] = {}
    place = desk.place()
    if part in ("comment", "summary"):
        fields[part] = broken
    elif part == "check":
        fields["check"] = CheckReport("failure", "T", "S", broken)
    elif part == "outputs":
        fields["outputs"] = {"no name": "x"}
    elif part == "github":
        desk.at.github.faults = Faults(rate=1.0, kinds=("502",), in_a_row=1000)
    else:
        place = desk.place(**{part: tmp_path})
    outcome = desk.publish(desk.at.client(), place, **fields)
    name = {"check": "check run", "output_file": "outputs", "summary": "job summary", "summary_file": "job summary"}
    failed = {line.split(":")[0] for line in outcome.failures}
    assert failed == ({"comment", "check run"} if part == "github" else {name.get(part, part)})
    told = desk.commands()
    assert told[0] == "error It got worse." and len(told) == 1 + len(failed)
    assert all(line.startswith("warning") for line in told[1:])
    assert ("outputs" in failed) != desk.output_file.exists()
    if part == "summary_file":
        assert not desk.summary_file.exists()
    elif part == "summary":
        assert UNRENDERED in desk.summary_file.read_text()
    else:
        assert desk.summary_file.read_text().count("Not published") == len(failed)
    if part == "github":
        return
    # Nothing stays "in progress" because a renderer failed.
    (run,) = desk.at.repository.check_runs.values()
    assert run.fields["conclusion"] == "failure" and (run.fields["output"].get("text") == UNRENDERED) == (
        part == "check"
    )
    assert desk.at.bodies()[0].startswith(UNRENDERED if part == "comment" else "comment")


def test_the_log_keeps_ten_annotations_of_a_level_and_says_so(desk: Desk) -> None:
    notes = [Annotation("error", f"e{n}") for n in range(13)] + [Annotation("notice", "n")]
    outcome = desk.publish(desk.at.client(), annotations=notes)
    assert len(desk.commands()) == 11 and outcome.notes == (
        "annotations: 3 more are in the report; the runner shows ten of a level",
    )


def test_a_summary_that_is_switched_off_is_not_written(desk: Desk) -> None:
    desk.publish(desk.at.client(), desk.place(job_summary=False))
    assert not desk.summary_file.exists()
