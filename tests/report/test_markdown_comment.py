"""The comment: verdict first, never too long, never a cut table, nothing of an attack alive."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from markdown_it import MarkdownIt
from markdown_it.token import Token

from evaluator.report.document import ResultDocument
from evaluator.report.document_parts import Answer, CasePart, ObjectivePart
from evaluator.report.markdown import COMMENT_LIMIT, SMALLEST_LIMIT, SUMMARY_LIMIT, comment, summary
from tests.report.sample import sample_document
from tests.report.strategies import PAYLOADS, documents

PARSER = MarkdownIt("commonmark").enable("table")
OUR_HTML = {"<details>", "</details>", "<summary>", "</summary>", "<sub>", "</sub>"}
HOSTILE = " ".join(PAYLOADS) * 3


def with_cases(count: int, text: str, objectives: int = 6) -> ResultDocument:
    """Give the sample with many cases and objectives that are long and hostile everywhere."""
    document = sample_document()
    answer = Answer(text=text, scores={text: 1.0}, reasons={text: text})
    case = CasePart(id=text, tags=[text] * 9, input=text, expected=text, change="regressed", base=answer, head=answer)
    row = document.verdict.objectives[0].model_dump() | {"name": text, "reason": text, "warnings": [text] * 30}
    verdict = document.verdict.model_copy(
        update={"reason": text, "warnings": [text] * 30, "objectives": [ObjectivePart(**row)] * objectives}
    )
    ref = document.head.model_copy(update={"label": text, "subject": text, "sha": text})
    return document.model_copy(
        update={
            "cases": [case] * count, "verdict": verdict, "head": ref, "base": ref, "rerun": text, "notes": [text] * 50,
            "policy_changes": document.policy_changes * 500,
        }
    )  # fmt: skip


def tokens(source: str) -> Iterator[Token]:
    """Walk all tokens of a document."""
    for token in PARSER.parse(source):
        yield token
        yield from token.children or []


def assert_tables_are_whole(source: str) -> None:
    """Check that each table's rows have as many cells as its header."""
    lines = source.split("\n")
    for token in PARSER.parse(source):
        if token.type == "table_open" and token.map:
            rows = lines[slice(*token.map)]
            assert all(row.startswith("| ") and row.endswith(" |") for row in rows)
            assert len({row.count("|") for row in rows}) == 1


def count_html(source: str, element: str) -> int:
    """Count an element that is HTML to the parser, not text in a fence."""
    return sum(t.content.count(element) for t in tokens(source) if t.type in ("html_inline", "html_block"))


@settings(max_examples=40)
@given(documents)
def test_nothing_hostile_is_alive_in_a_comment(document: ResultDocument) -> None:
    source = comment(document)
    assert "<!--" not in source
    assert_tables_are_whole(source)
    for token in tokens(source):
        assert token.type not in ("link_open", "image", "code_inline", "code_block", "heading_close", "s_open") or (
            token.tag == "h3"
        )
        if token.type in ("html_inline", "html_block"):
            assert {*re.findall(r"<[^>]*>", token.content)} <= OUR_HTML
    assert sum(token.type == "heading_open" for token in tokens(source)) == 1


@pytest.mark.parametrize("text", [HOSTILE, "ㅤ한국어 " * 400, "👩‍💻" * 800, "|" * 20_000])
@pytest.mark.parametrize(("cases", "objectives"), [(0, 1), (2000, 50)])
@pytest.mark.parametrize("limit", [SMALLEST_LIMIT, 8_000, COMMENT_LIMIT])
def test_a_comment_is_never_above_its_limit(text: str, cases: int, objectives: int, limit: int) -> None:
    source = comment(with_cases(cases, text, objectives), limit=limit)
    assert len(source.encode("utf-16-le")) // 2 <= limit
    assert source.startswith("### ❌ Fail: ")
    assert_tables_are_whole(source)
    assert count_html(source, "<details>") == count_html(source, "</details>")


def test_a_summary_counts_bytes_and_has_more_cases() -> None:
    document = with_cases(150, HOSTILE)
    assert len(summary(document).encode()) <= SUMMARY_LIMIT
    assert len(summary(sample_document())) > len(comment(sample_document()))


def test_the_first_line_is_the_verdict_with_its_reason() -> None:
    first = comment(sample_document()).splitlines()[0]
    assert first == "### ❌ Fail: accuracy fell by 18.8% and judge by 10.7%; 5% is allowed"


def test_it_says_what_could_have_been_seen_and_what_it_cost() -> None:
    source = comment(sample_document())
    assert "accuracy a drop of 9.8% or more" in source
    assert "really spent, the rest cached" in source


def test_it_says_what_the_pull_request_changes_in_its_own_policy() -> None:
    assert "- evals/tickets.jsonl: 1 case added (run and reported, not gated)" in comment(sample_document())


def test_headings_of_our_own_render_as_meant() -> None:
    kinds = [token.type for token in tokens(comment(sample_document(), report_url="https://example.com/r?a=1"))]
    assert kinds.count("table_open") == 1 + 12 + 3
    assert kinds.count("link_open") == 1
    assert kinds.count("fence") == 1


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://x.y/)[a](b", "https://x.y/ z", "http://x.y/<b>"])
def test_a_report_address_that_is_no_plain_link_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="plain http"):
        comment(sample_document(), report_url=url)


def test_a_limit_that_cannot_hold_the_headline_is_refused() -> None:
    with pytest.raises(ValueError, match="at least"):
        comment(sample_document(), limit=100)


def test_big_runs_say_that_they_show_the_worst_only() -> None:
    update: dict[str, Any] = {"cases_total": 9000, "cases_shown": 42}
    assert "The 42 cases that changed most are here, of 9,000" in comment(sample_document().model_copy(update=update))
