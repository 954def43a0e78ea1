"""JUnit XML: always well-formed, counted right, states as test tools read them."""

from xml.etree import ElementTree as xml

from hypothesis import given, settings

from evaluator.report.document import ResultDocument
from evaluator.report.junit import junit
from tests.report.sample import sample_document
from tests.report.strategies import documents


@settings(max_examples=40)
@given(documents)
def test_the_xml_always_parses(document: ResultDocument) -> None:
    root = xml.fromstring(junit(document).encode("utf-8"))
    assert [suite.get("name") for suite in root] == ["objectives", "cases"]


def test_suites_count_their_tests() -> None:
    root = xml.fromstring(junit(sample_document()))
    objectives, cases = root
    assert (objectives.get("tests"), objectives.get("failures"), objectives.get("skipped")) == ("6", "2", "1")
    assert (cases.get("tests"), cases.get("failures"), cases.get("errors")) == ("42", "11", "1")
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("48", "13", "1")


def test_a_regressed_case_shows_both_answers() -> None:
    root = xml.fromstring(junit(sample_document()))
    failure = root.find(".//testcase[@name='ticket-09']/failure")
    assert failure is not None and failure.text is not None
    assert failure.get("message") == "accuracy 1 → 0, judge 5 → 2"
    assert "base: account" in failure.text and "head: other" in failure.text
