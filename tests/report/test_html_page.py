"""The HTML page as text: hostile text in text nodes only, no network, quick with many cases. See tests/browser too."""

import re
import time
from html.parser import HTMLParser

from hypothesis import given, settings

from evaluator.report.document import ResultDocument
from evaluator.report.html import content_security_policy, html_report
from evaluator.report.templates import template_folder
from tests.report.sample import sample_document
from tests.report.strategies import documents

ELEMENTS = (
    "html head meta title style body header div p h1 h2 h3 h4 span b i code dl dt dd small nav a main section aside ul li "
    "figure figcaption svg line rect circle text table caption thead tbody tr th td form input select option button "
    "output details summary del ins footer script"
)
ATTRIBUTES = (
    "lang charset http-equiv content name id class role for href aria-label aria-labelledby aria-live aria-pressed hidden "
    "type placeholder autocomplete spellcheck value data-label data-change data-tags data-importance data-slowdown "
    "data-line scope rowspan colspan viewbox x y x1 y1 x2 y2 cx cy r width height text-anchor"
)


class Page(HTMLParser):
    """Collects what a page is made of."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: set[str] = set()
        self.links: set[str] = set()
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links |= {value or "" for name, value in attrs if name in ("href", "src")}


@settings(max_examples=40, deadline=None)
@given(documents)
def test_hostile_text_makes_no_element_and_no_attribute(document: ResultDocument) -> None:
    page = Page(html_report(document))
    assert set(page.elements) <= set(ELEMENTS.split())
    assert page.attributes <= set(ATTRIBUTES.split())
    assert (page.elements.count("script"), page.elements.count("style")) == (1, 1)
    assert all(link.startswith("#") for link in page.links)


def test_the_policy_forbids_everything_but_the_one_style_and_script() -> None:
    folder = template_folder() / "report"
    policy = content_security_policy((folder / "report.css").read_text(), (folder / "report.js").read_text())
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert policy.replace("'", "&#39;") in html_report(sample_document())


def test_the_script_and_the_style_cannot_end_early() -> None:
    for name in ("report.js", "report.css"):
        assert not re.search(r"</|<!--|https?:", (template_folder() / "report" / name).read_text())


def test_five_hundred_long_cases_render_fast_and_small() -> None:
    document = sample_document()
    case = document.cases[1]
    assert case.base and case.head
    long = [
        case.model_copy(
            update={
                "base": case.base.model_copy(update={"text": f"{number} " + "alpha beta gamma delta " * 80}),
                "head": case.head.model_copy(update={"text": f"{number} " + "alpha beta delta gamma " * 80}),
            }
        )
        for number in range(500)
    ]
    started = time.process_time()
    page = html_report(document.model_copy(update={"cases": long}))
    assert time.process_time() - started < 20
    assert len(page) < 8_000_000
