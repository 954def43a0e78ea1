"""The HTML report in a real browser: it filters, searches, opens cases; hostile answers run nothing; no network."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from evaluator.report.document_parts import CasePart, IntervalPart
from evaluator.report.html import html_report
from tests.browser.chromium import browser_path, open_browser
from tests.report.sample import sample_document
from tests.report.strategies import PAYLOADS

ATTACKS = (
    *PAYLOADS,
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 2</script>",
    '"><img src=x onerror="window.hacked = 3">',
    "<svg onload='window.hacked = 4'></svg>",
    "</div></details><iframe srcdoc='<script>parent.hacked = 5</script>'></iframe>",
    "{{ 7 * 7 }}{% for x in y %}",
    "<style>*{display:none}</style><link rel=stylesheet href=http://evil.example/x.css>",
    "<a href='javascript:window.hacked = 6' autofocus onfocus='window.hacked = 7'>x</a>",
    "<meta http-equiv=refresh content='0;url=http://evil.example/'>",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give one browser for all tests; where it is missing they fail and say what to install."""
    with open_browser() as started:
        yield started


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the sample's page."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(html_report(sample_document()), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Browser, report: Path) -> Iterator[Page]:
    """Give the open page, and check that it asked for nothing and complained of nothing."""
    tab = browser.new_page(viewport={"width": 1200, "height": 900})
    requests: list[str] = []
    complaints: list[str] = []
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(report.as_uri())
    yield tab
    assert requests == [report.as_uri()]
    assert complaints == []
    tab.close()


def test_search_finds_cases_by_their_answers_in_any_script(page: Page) -> None:
    page.fill("#search", "다크 모드")
    expect(page.locator(".case:visible")).to_have_count(1)
    expect(page.locator("#count")).to_have_text("1 of 42 cases")
    page.fill("#search", "no such words")
    expect(page.locator("#empty")).to_be_visible()
    page.click("#reset")
    expect(page.locator(".case:visible")).to_have_count(42)


def test_cases_are_filtered_by_change_and_by_tag(page: Page) -> None:
    page.click(".chip.regressed")
    expect(page.locator(".case:visible")).to_have_count(11)
    page.click(".chip.failed")
    expect(page.locator(".case:visible")).to_have_count(12)
    page.select_option("#tag", label="ko")
    shown = page.locator(".case:visible")
    assert 0 < shown.count() < 12
    assert all("ko" in (text or "") for text in shown.all_text_contents())


def test_cases_are_sorted(page: Page) -> None:
    expect(page.locator(".case .id").first).to_have_text("ticket-38")
    page.select_option("#sort", "line")
    expect(page.locator(".case .id").first).to_have_text("ticket-01")


def test_a_case_opens_and_marks_the_words_that_changed(page: Page) -> None:
    case = page.locator(".case", has_text="ticket-09")
    expect(case.locator(".body")).to_be_hidden()
    case.locator("summary").first.click()
    expect(case.locator(".side.base .text").first).to_contain_text("account")
    expect(case.locator(".side.head ins").first).to_have_text("other")
    expect(case.locator(".side.base del").first).to_have_text("account")


def test_all_cases_open_and_close_at_once(page: Page) -> None:
    page.click("#unfold")
    expect(page.locator(".case[open]")).to_have_count(42)
    page.click("#unfold")
    expect(page.locator(".case[open]")).to_have_count(0)


def test_the_slash_key_goes_to_the_search(page: Page) -> None:
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    expect(page.locator("#search")).to_have_value("")


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_nothing_is_wider_than_the_screen(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.click("#unfold")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [1000, 1200, 390])
def test_words_in_place_of_an_interval_stay_inside_their_cell(browser: Browser, tmp_path: Path, width: int) -> None:
    document = sample_document()
    unknown = {"interval": IntervalPart()}
    rows = [row.model_copy(update=unknown) for row in document.verdict.objectives]
    slices = [
        part.model_copy(update={"rows": [row.model_copy(update=unknown) for row in part.rows]})
        for part in document.slices
    ]
    verdict = document.verdict.model_copy(update={"objectives": rows})
    path = tmp_path / "report.html"
    path.write_text(html_report(document.model_copy(update={"verdict": verdict, "slices": slices})), encoding="utf-8")
    tab = browser.new_page(viewport={"width": width, "height": 800})
    tab.goto(path.as_uri())
    boxes = tab.evaluate(
        """[...document.querySelectorAll("small.words")].map(small => {
            const text = document.createRange();
            text.selectNodeContents(small);
            const [words, cell] = [text, small.parentElement].map(one => one.getBoundingClientRect());
            return [cell.left <= words.left + 1, words.right <= cell.right + 1, small.textContent];
        })"""
    )
    assert boxes == [[True, True, "(no interval: too little is known)"]] * 7
    tab.close()


def test_a_hostile_answer_runs_no_script_and_fetches_nothing(browser: Browser, tmp_path: Path) -> None:
    document = sample_document()
    cases = []
    for number, attack in enumerate(ATTACKS):
        raw = document.cases[1].model_dump()
        raw |= {"id": attack, "input": {attack: attack}, "expected": attack, "tags": [attack], "line": number}
        for side in ("base", "head"):
            raw[side] |= {"text": f"{side} {attack}", "reasons": {attack: attack}, "contexts": [attack]}
            raw[side]["scores"] = {attack: 0.5}
        cases.append(CasePart(**raw))
    everything = "".join(ATTACKS)
    ref = document.head.model_copy(update={"label": everything, "subject": everything, "sha": everything})
    verdict = document.verdict.model_copy(update={"reason": everything, "warnings": list(ATTACKS)})
    hostile = document.model_copy(
        update={
            "cases": cases,
            "base": ref,
            "head": ref,
            "verdict": verdict,
            "rerun": everything,
            "notes": [everything],
        }
    )
    path = tmp_path / "hostile.html"
    path.write_text(html_report(hostile), encoding="utf-8")
    tab = browser.new_page()
    requests: list[str] = []
    violations: list[str] = []
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("console", lambda message: violations.append(message.text))
    tab.goto(path.as_uri())
    tab.click("#unfold")
    tab.fill("#search", "script")
    tab.wait_for_timeout(200)
    assert tab.evaluate("window.hacked") is None
    assert tab.locator("iframe, img, link, object, embed, base").count() == 0
    assert tab.locator("script").count() == 1
    assert requests == [path.as_uri()]
    assert violations == []
    assert tab.locator(".case:visible").count() > 3
    tab.close()


def test_it_reads_without_javascript(browser: Browser, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(report.as_uri())
    expect(tab.locator("h1")).to_have_text("accuracy fell by 18.8% and judge by 10.7%; 5% is allowed")
    expect(tab.locator("#tools")).to_be_hidden()
    expect(tab.locator(".case:visible")).to_have_count(42)
    case = tab.locator(".case").nth(1)
    case.locator("summary").first.click()
    expect(case.locator(".side.head .text").first).to_be_visible()
    context.close()


def test_five_hundred_cases_open_fast(browser: Browser, tmp_path: Path) -> None:
    document = sample_document()
    cases = [document.cases[n % 42].model_copy(update={"id": f"c-{n}", "line": n + 1}) for n in range(500)]
    path = tmp_path / "many.html"
    path.write_text(html_report(document.model_copy(update={"cases": cases})), encoding="utf-8")
    tab = browser.new_page()
    tab.goto(path.as_uri())
    ready = tab.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    assert ready < 5000
    tab.fill("#search", "c-499")
    expect(tab.locator(".case:visible")).to_have_count(1)
    tab.close()


def test_a_missing_browser_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_EVAL_GATE_CHROMIUM", "/nowhere/chromium")
    with pytest.raises(RuntimeError, match="apt-get install -y chromium"):
        browser_path()
