"""Two thousand hostile strings through every text that GitHub shows: nothing of them is alive."""

import random
import re
from collections.abc import Iterator

import pytest

from evaluator.report import notices
from evaluator.report.markdown import COMMENT_LIMIT, comment, summary
from tests.report.strategies import PAYLOADS
from tests.report.test_markdown_comment import OUR_HTML, assert_tables_are_whole, tokens, with_cases

CORPUS = 2_000
ALIVE = (
    re.compile(r"(?<![\w`])@[A-Za-z0-9]"),  # a mention
    re.compile(r"(?im)^\s*::[a-z-]+"),  # a workflow command
    re.compile(r"##\[|##vso\["),
    re.compile(r"<!--"),
    re.compile(r"https?://evil|\bwww\.evil"),  # an address that GitHub would link by itself
)


def corpus() -> Iterator[str]:
    """Known attacks, cut, doubled, nested in each other and in the letters that hold them together."""
    dice = random.Random(20261126)
    glue = ["", " ", "\n", "|", "\\", "`", "``` ", "<", "](", "<!--", "\r\n", "\u200b", "\u2028", "> ", "1. ", "@"]
    for number in range(CORPUS):
        if number < len(PAYLOADS):
            yield PAYLOADS[number]
            continue
        parts = [dice.choice(PAYLOADS) for _ in range(dice.randint(1, 3))]
        cut = [part[dice.randint(0, 3) :][: dice.randint(5, 200)] for part in parts]
        yield dice.choice(glue) + dice.choice(glue).join(cut) + dice.choice(glue)


def assert_dead(source: str, *, links: frozenset[str] = frozenset(), code: bool = False) -> None:
    for pattern in ALIVE:
        assert not pattern.search(source), pattern.pattern
    allowed = {"h3"}
    for token in tokens(source):
        if token.type == "link_open":
            assert token.attrs["href"] in links
        assert token.type not in ("image", "code_block", "s_open")
        assert code or token.type != "code_inline"
        assert token.type != "heading_open" or token.tag in allowed
        if token.type in ("html_inline", "html_block"):
            assert {*re.findall(r"<[^>]*>", token.content)} <= OUR_HTML


@pytest.mark.parametrize("render", [comment, summary])
def test_a_report_made_of_the_corpus_shows_text_and_nothing_else(render: object) -> None:
    for number, text in enumerate(corpus()):
        if number % 4:  # a report is slow to parse; the rest of the corpus goes through the notices
            continue
        source = render(with_cases(2, text, 2))  # type: ignore[operator]
        # What is run again stands in a fence of its own, longer than any inside.
        outside = re.sub(r"(?ms)^(`{3,}|~{3,})sh\n.*?^\1$", "", source)
        assert_dead(outside)
        assert_tables_are_whole(source)
        assert len(source.encode("utf-16-le")) // 2 <= COMMENT_LIMIT or render is summary


def test_a_notice_made_of_the_corpus_shows_text_and_nothing_else() -> None:
    url = "https://github.com/acme/app/actions/runs/1"
    for text in corpus():
        source = notices.failed(text, text, text, url, "gh run rerun 1 --repo acme/app")
        assert_dead(source, links=frozenset({url}), code=True)
        assert len(source) < 65_000
        assert_dead(notices.skipped(text))
        assert_dead(notices.begun(text, url), links=frozenset({url}))


def test_an_address_cannot_leave_its_link() -> None:
    source = notices.begun("x", "https://github.com/a) [pass](https://evil.example) <script>@octocat")
    assert "evil.example)" not in source.split("](")[0]
    assert sum(token.type == "link_open" for token in tokens(source)) == 1
