"""The filters for untrusted text: what is left alive of an attack is nothing, what is left of a text is readable."""

import re

import pytest
from hypothesis import given
from markdown_it import MarkdownIt

from evaluator.report.escape import BREAK, fence, markdown, one_line, shorten, terminal, visible, xml_text
from tests.report.strategies import PAYLOADS, texts

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
QUIET = {"text", "softbreak", "hardbreak", "text_special"}
LIVE = re.compile(r"@[\w-]|#\d|\bGH-\d|\bwww\.|https?://|ftp://|[0-9a-f]{7}|:[\w+-]+:|^\s*::|##\[|##vso\[", re.I | re.M)


def inline_text(source: str) -> tuple[list[str], str]:
    """Parse one paragraph; give the kinds of its inline tokens and its text after Markdown."""
    tokens = PARSER.parse(source)
    assert [token.type for token in tokens] in ([], ["paragraph_open", "inline", "paragraph_close"]), source
    children = [child for token in tokens for child in token.children or []]
    return [child.type for child in children], "".join(child.content for child in children)


@given(texts)
def test_markdown_leaves_plain_text_only(text: str) -> None:
    kinds, shown = inline_text(markdown(text))
    assert set(kinds) <= QUIET
    assert not LIVE.search(shown)


@given(texts)
def test_markdown_shows_the_text_itself(text: str) -> None:
    _, shown = inline_text(markdown(text))
    assert shown.replace(BREAK, "").strip() == one_line(text).strip()


@given(texts, texts)
def test_markdown_cannot_forge_cells_or_rows(first: str, second: str) -> None:
    source = f"| a | b |\n| --- | --- |\n| {markdown(first)} | {markdown(second)} |\n"
    kinds = [token.type for token in PARSER.parse(source)]
    assert kinds.count("tr_open") == 2
    assert kinds.count("td_open") == 2


@given(texts)
def test_fence_cannot_be_left(text: str) -> None:
    tokens = PARSER.parse(fence(text, "sh") + "\n\nafter")
    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert "<!--" not in tokens[0].content


@given(texts)
def test_terminal_has_no_controls_and_no_workflow_commands(text: str) -> None:
    for shown in (terminal(text), terminal(text, lines=True)):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069]", shown)
        assert not any(line.lstrip().startswith("::") for line in shown.splitlines())
        assert "##[" not in shown
    assert "\n" not in terminal(text)


@given(texts)
def test_xml_text_is_legal_xml(text: str) -> None:
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", xml_text(text))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_every_known_attack_is_dead(payload: str) -> None:
    kinds, shown = inline_text(markdown(payload))
    assert set(kinds) <= QUIET
    assert not LIVE.search(shown)


@pytest.mark.parametrize(
    "text",
    [
        "결제가 두 번 됐어요. 환불해 주세요.",
        "請求書の宛名を変更してください。",
        "我换了手机号码",
        "billing_refund: 12.5 % (ok)",
        "👩‍💻 café",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert markdown(text) == text
    assert terminal(text) == text


def test_a_filtered_text_is_not_filtered_twice() -> None:
    once = markdown("a | b")
    assert markdown(once) == once


def test_the_limit_never_cuts_an_escape_or_a_grapheme() -> None:
    assert markdown("<<<<<<", 3) == "&lt;&lt;…"
    assert shorten("👩‍💻" * 5, 3) == "👩‍💻👩‍💻…"
    assert shorten("한국어", 3) == "한국어"


def test_shortening_a_huge_text_is_quick_and_bounded() -> None:
    assert len(markdown("|" * 5_000_000, 100)) < 1000
    assert len(shorten("e" + "\u0301" * 1_000_000, 10)) < 1000


def test_bidi_overrides_are_shown_and_invisible_characters_go() -> None:
    assert visible("a\u202eb\u200bc\u2060d") == "a\ufffdbcd"
    assert visible("x\x1b[31m") == "x␛[31m"
