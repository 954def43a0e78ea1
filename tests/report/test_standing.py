"""What a reader is told first: whether a pass is weak, what to do, what the run rests on and cost, which notes matter."""

from typing import Any

import pytest

from evaluator.gate import Noise, cases_for
from evaluator.gate.power import smallest_visible
from evaluator.gate.rule import Rule
from evaluator.records import Bound, BoundKind
from evaluator.report import advice, notes, presentation, slices, standing
from evaluator.report.document import ResultDocument
from evaluator.report.document_parts import BoundPart, ObjectivePart, RefInfo, SlicePart, Spend
from evaluator.report.html import html_report
from evaluator.report.markdown import COMMENT_TIERS, comment, render
from evaluator.report.terminal import terminal_report
from tests.report.sample import sample_document

WEAK = "3% better, within the 5% allowed; a weak pass: a drop of 8% or more cannot be ruled out"


def passing(*, names: tuple[str, ...] = ("accuracy",), implied: bool = False, **update: Any) -> ResultDocument:
    """Give the harmless sample with weak passes of these names."""
    document = sample_document(passing=True)
    rows = [
        row.model_copy(
            update={
                "bounds": [row.bounds[0].model_copy(update={"reason": WEAK})],
                "warnings": [WEAK], "reason": WEAK, "implied": implied, "detectable": 0.44,
            }
        )
        if row.name in names
        else row
        for row in document.verdict.objectives
    ]  # fmt: skip
    verdict = document.verdict.model_copy(update={"objectives": rows, "reason": "All 3 objectives hold."})
    return document.model_copy(update={"verdict": verdict, **update})


def test_a_weak_pass_looks_like_none_and_says_what_it_could_have_missed() -> None:
    source = comment(passing())
    first = source.splitlines()[0]
    assert first == ("### 🟡 Weak pass: All 3 objectives hold. A drop of accuracy by less than 44% could be missed.")
    assert "| 🟡 accuracy |" in source
    assert "| 🟡 weak pass |" in source
    assert "- 🟡 **accuracy**: 3% better" in source
    assert source.count(WEAK) == 1
    assert "**What to do:** Nothing, if this is sure enough." in source


def test_a_weak_pass_of_the_bound_that_nobody_wrote_is_a_pass() -> None:
    source = comment(passing(names=("error_rate",), implied=True))
    assert source.startswith("### ✅ Pass: ")
    assert "🟡" not in source
    assert "What to do" not in source


def test_a_weak_pass_is_yellow_everywhere() -> None:
    assert '<p class="badge weak">Weak pass</p>' in html_report(passing())
    assert terminal_report(passing()).startswith("Weak pass: ")


@pytest.mark.parametrize("limit", [0.05, 0.1])
def test_the_advised_number_of_cases_is_about_the_gates_own(limit: float) -> None:
    noise, bound, rule, there = Noise(cases=0.06, runs=0.03), Bound(BoundKind.MAX_DROP, limit), Rule(3), 60
    part = BoundPart(kind="max_drop", limit=limit, state="pass")
    seen = smallest_visible(noise, bound, there, 1, rule)
    row = ObjectivePart(name="accuracy", state="pass", bounds=[part], detectable=seen)
    document = sample_document()
    assert document.dataset
    dataset = document.dataset.model_copy(update={"cases": there})
    needed = advice.cases_needed(document.model_copy(update={"dataset": dataset}), [row])
    exact = cases_for(noise, bound, 1, rule)
    assert needed is not None
    assert exact is not None
    assert 0.8 * exact <= needed <= 1.25 * exact


def test_an_open_verdict_says_how_many_cases_would_decide_it() -> None:
    document = sample_document()
    rows = [row.model_copy(update={"state": "inconclusive", "detectable": 0.13}) for row in document.verdict.objectives]
    verdict = document.verdict.model_copy(update={"state": "inconclusive", "objectives": rows[1:2]})
    told = advice.what_to_do(document.model_copy(update={"verdict": verdict}))
    assert told == (
        "About 150 cases (there are 42), or more repeats (max_repeats), decide it."
        " Until then, read the 12 cases that got worse below, and judge for yourself."
    )


def test_no_number_is_advised_that_nobody_could_collect() -> None:
    rows = [row.model_copy(update={"detectable": 0.9}) for row in sample_document().verdict.objectives[1:2]]
    assert advice.cases_needed(sample_document(), rows) is None
    for limit in (1e-300, 5e-324):
        [tiny] = [
            row.model_copy(update={"bounds": [BoundPart(kind="max_drop", limit=limit, state="pass")]}) for row in rows
        ]
        assert advice.cases_needed(sample_document(), [tiny]) is None


def test_gated_slices_that_fail_or_are_open_are_told_in_the_open() -> None:
    failed = "accuracy 36.7% → 0%, 100% worse (95% interval 65.1% to 100%), more than the 5% allowed"
    parts = [
        SlicePart(tag="neg", cases=30, gated=True, state="fail", failed=[failed]),
        SlicePart(tag="food", cases=6, gated=True, state="inconclusive", undecided=["6 cases are too few: accuracy"]),
        SlicePart(tag="pos", cases=30, gated=True),
        SlicePart(tag="goods", cases=54),
    ]
    document = sample_document().model_copy(update={"slices": parts})
    visible = comment(document).split("<details>")[0]
    assert f"- ❌ **slice neg (30 cases)**: {failed}" in visible
    assert "- ⚠️ **slice food (6 cases)**: 6 cases are too few" in visible
    assert [slices.gate_mark(part) for part in parts] == [
        "❌ failed", "⚠️ gated, undecided: 6 cases are too few", "✅ gated", "",
    ]  # fmt: skip
    assert "slice neg (30 cases)" in html_report(document)
    assert "slice neg (30 cases)" in terminal_report(document, width=200)


def test_what_a_pull_request_changes_in_its_own_rules_stands_above_the_table() -> None:
    source = comment(sample_document())
    assert source.index("⚠️ **This pull request changes how it is judged.**") < source.index("| Metric |")
    smallest = render(sample_document(), COMMENT_TIERS[-1])
    assert "⚠️ **This pull request changes how it is judged, in 2 places.**" in smallest


def test_a_run_that_stopped_early_counts_the_cases_it_rests_on() -> None:
    document = sample_document()
    rows = [row.model_copy(update={"pairs": 30}) for row in document.verdict.objectives]
    stopped = document.model_copy(
        update={
            "verdict": document.verdict.model_copy(update={"objectives": rows}),
            "cases": [case for case in document.cases if case.gated][:31], "cases_total": 31, "cases_shown": 31,
        }
    )  # fmt: skip
    source = comment(stopped)
    assert " · 30 of 42 cases · " in source
    assert "31 cases were answered: 1 was on the way when 30 had decided it." in source
    assert "<dd>30 of 42<" in html_report(stopped)


@pytest.mark.parametrize(
    ("spend", "text"),
    [
        (Spend(total_usd=0.0, real_usd=0.0, calls=240, unpriced_calls=240), "cost unknown (no price for the model)"),
        (Spend(total_usd=0.0, calls=4, unpriced_calls=1), "cost unknown of 1 of 4 calls (no price for the model)"),
        (Spend(total_usd=0.0, real_usd=0.0, calls=240, cached_calls=31), "free"),
        (Spend(total_usd=0.5, real_usd=0.0, calls=2, cached_calls=2), "$0.50 (nothing really spent, all of it cached)"),
        (Spend(total_usd=0.5, real_usd=0.5, calls=2), "$0.50"),
        (Spend(), ""),
    ],
)
def test_what_a_run_cost(spend: Spend, text: str) -> None:
    assert presentation.spend_text(spend) == text


def test_housekeeping_is_folded_and_warnings_are_not() -> None:
    document = sample_document()
    latency = document.verdict.objectives[4].model_copy(
        update={
            "bounds": document.verdict.objectives[4].bounds[:1],
            "warnings": [
                "60 of 60 cases count on one side only",
                "few cases: 0 cases; below 101 this interval errs on the wide side",
            ],
        }
    )
    accuracy = document.verdict.objectives[0].model_copy(update={"warnings": ["9 of 60 cases count on one side only"]})
    verdict = document.verdict.model_copy(update={"objectives": [accuracy, latency]})
    document = document.model_copy(
        update={
            "verdict": verdict,
            "notes": ["the app runs as our own user", "120 pairs of latencies were measured in different runs and are not compared"],
        }
    )  # fmt: skip
    assert notes.warnings(document) == [
        "accuracy: 9 of 60 cases count on one side only",
        "the app runs as our own user",
    ]
    assert notes.housekeeping(document) == [
        "latency_p95: 60 of 60 cases count on one side only",
        "120 pairs of latencies were measured in different runs and are not compared",
    ]
    source = comment(document)
    assert "<details><summary>Notes (2)</summary>" in source
    assert ": 0 cases" not in source


def test_our_own_hashes_can_be_copied_and_no_others() -> None:
    own, other = "905588badeaa", "0123456789abcdef0123456789abcdef01234567"
    anchor = f"rows that end in _vs_anchor compare with v1 ({own}), not with base; there 60% of each bound is allowed"
    sha = "4f1c2ab98d0e7c55a1b2c3d4e5f60718293a4b5c"
    document = sample_document().model_copy(
        update={
            "notes": [anchor, f"what was run is its merge into main ({own[::-1]})", f"base is {sha}", f"see {other}"]
        }
    )
    source = comment(document)
    for copied in (own, own[::-1], sha):
        assert copied in source
    assert other[:7] not in source
    assert notes.own_hashes(sample_document().model_copy(update={"base": None, "head": RefInfo(sha="<b>")})) == ()


def test_reasons_come_worst_first() -> None:
    icons = [line[2] for line in comment(sample_document()).splitlines() if line.startswith(("- ❌", "- ⚠", "- 🟡"))]
    assert icons == sorted(icons, key=[icon[0] for icon in standing.WORST_FIRST].index)
