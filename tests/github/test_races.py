"""Many publishers at once: one comment in the end, and it is the newest run's."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from evaluator.github.comment import CommentOutcome
from evaluator.github.sticky import RunNumber, marker, read_marker
from tests.github.workbench import HEAD, Bench
from tests.standin.github import Request


def publish_at_once(at: Bench, runs: int, settle_s: float) -> list[CommentOutcome]:
    def one(run: int) -> CommentOutcome:
        return at.put(f"verdict of {run}", run=run, settle_s=settle_s, sleep=time.sleep)

    with ThreadPoolExecutor(runs) as pool:
        return list(pool.map(one, range(1, runs + 1)))


def test_twenty_publishers_that_find_no_comment_leave_one_with_the_newest_text(at: Bench) -> None:
    # All of them have looked and found nothing before the first of them writes.
    at.github.barrier(20, match="/comments", method="POST")
    outcomes = publish_at_once(at, 20, settle_s=1.5)
    (body,) = at.bodies()
    assert body.startswith("verdict of 20\n")
    assert at.sent("POST", "/comments") == 20
    assert {outcome.action for outcome in outcomes} <= {"created", "updated", "skipped"}
    assert outcomes[-1].action in ("created", "updated") and outcomes[-1].url


def test_twenty_publishers_that_find_a_comment_leave_the_newest_text(at: Bench) -> None:
    at.put("before", run=0)
    outcomes = publish_at_once(at, 20, settle_s=1.5)
    (body,) = at.bodies()
    assert body.startswith("verdict of 20\n")
    assert outcomes[-1].action == "updated"


def test_an_older_write_that_lands_later_is_written_over(at: Bench) -> None:
    at.put("before", run=1)
    held, landed = threading.Event(), threading.Event()

    def hold(_: Request) -> None:
        held.set()
        landed.wait(10)

    at.github.before(hold, match="/comments/", method="PATCH", times=1)
    with ThreadPoolExecutor(1) as pool:
        older = pool.submit(at.put, "older", run=2)
        held.wait(10)
        asked: list[float] = []

        def settle(seconds: float) -> None:
            asked.append(seconds)
            landed.set()  # The older write lands between the newer one's write and its second look.
            time.sleep(0.5)

        newer = at.put("newer", run=3, sleep=settle)
        older.result()
    (body,) = at.bodies()
    assert body.startswith("newer") and newer.action == "updated" and len(asked) == 2


def test_a_push_during_the_write_leaves_the_newer_heads_text(at: Bench) -> None:
    at.put("about a", run=1)

    def overtake(_: Request) -> None:
        at.repository.push(7, "c" * 40)
        at.put("about c", run=2, head="c" * 40)

    at.github.before(overtake, match="/comments$", method="GET", times=1)
    outcome = at.put("about a again", run=1, attempt=2)
    (body,) = at.bodies()
    assert body.startswith("about c") and outcome.action == "skipped"


def test_duplicates_of_an_earlier_race_are_folded_into_the_oldest(at: Bench) -> None:
    for run in (1, 2):
        at.repository.add_comment(7, f"old\n\n{marker('', HEAD, RunNumber(run, 1))}", user="github-actions[bot]")
    at.repository.add_comment(7, f"mine\n\n{marker('', HEAD, RunNumber(9, 1))}", user="mallory")
    first = at.repository.comments_on(7)[0]
    assert at.put("verdict", run=3).action == "updated"
    ours, theirs = at.repository.comments_on(7)
    assert ours.id == first.id and ours.body.startswith("verdict") and theirs.user.login == "mallory"


def test_an_older_run_removes_its_own_duplicate_and_nothing_else(at: Bench) -> None:
    def overtake(_: Request) -> None:
        at.put("newer", run=2)

    at.github.before(overtake, match="/comments$", method="POST", times=1)
    outcome = at.put("older", run=1)
    (body,) = at.bodies()
    assert body.startswith("newer") and outcome.action == "skipped"
    said = read_marker(body)
    assert said is not None and said.run == RunNumber(2, 1)


def test_a_comment_that_is_deleted_before_our_edit_is_made_again(at: Bench) -> None:
    at.put("old")
    at.github.before(lambda _: at.repository.comments.clear(), match="/comments/", method="PATCH", times=1)
    outcome = at.put("new", run=2)
    (body,) = at.bodies()
    assert body.startswith("new") and outcome.action in ("created", "updated")


def test_a_comment_that_others_keep_overwriting_is_told(at: Bench) -> None:
    def meddle(_: Request) -> None:
        for comment in at.repository.comments_on(7):
            comment.body = f"no\n\n{marker('', HEAD, RunNumber(1, 1))}"

    at.github.after(meddle, match="/comments", method="PATCH")
    at.github.after(meddle, match="/comments", method="POST")
    outcome = at.put("verdict", run=2)
    assert outcome.reason and at.sent("PATCH") + at.sent("POST") == 5
