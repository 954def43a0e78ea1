"""The result as JUnit XML, for the many tools that show test results: one suite of objectives, one of cases."""

from xml.etree import ElementTree as xml

from evaluator.report import presentation, wording
from evaluator.report.document import ResultDocument
from evaluator.report.document_parts import CasePart, ObjectivePart, Unit
from evaluator.report.escape import xml_text

_TEXT = 4000


def junit(document: ResultDocument) -> str:
    """Render the result as JUnit XML.

    An objective is a failed test if its state is fail, an error if it is error, and skipped if it is inconclusive. A
    case is a failed test if its scores fell, and an error if head gave no answer; the objectives decide, not these.
    """
    root = xml.Element("testsuites", name=_clean(document.tool.name), time=f"{document.duration_s:.3f}")
    _suite(root, "objectives", [_objective(row) for row in document.verdict.objectives], document)
    known = presentation.units(document)
    _suite(root, "cases", [_case(case, known) for case in document.cases], document)
    totals = {name: sum(int(suite.get(name, "0")) for suite in root) for name in ("tests", "failures", "errors")}
    for name, total in totals.items():
        root.set(name, str(total))
    xml.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + xml.tostring(root, encoding="unicode") + "\n"


def _suite(root: xml.Element, name: str, tests: list[xml.Element], document: ResultDocument) -> None:
    suite = xml.SubElement(
        root,
        "testsuite",
        name=name,
        timestamp=_clean(document.created_at),
        tests=str(len(tests)),
        failures=str(sum(test.find("failure") is not None for test in tests)),
        errors=str(sum(test.find("error") is not None for test in tests)),
        skipped=str(sum(test.find("skipped") is not None for test in tests)),
    )
    suite.extend(tests)


def _objective(row: ObjectivePart) -> xml.Element:
    test = xml.Element("testcase", classname="objectives", name=_clean(row.name))
    told = (
        f"base {wording.value(row.base, row.unit)}, head {wording.value(row.head, row.unit)}, "
        f"change {wording.change(row)}, bound {presentation.bounds_text(row, icons=False)}"
    )
    kind = {"fail": "failure", "error": "error", "inconclusive": "skipped"}.get(row.state)
    if kind:
        found = xml.SubElement(test, kind, message=_clean(row.reason or row.state))
        found.text = _clean(told)
    else:
        xml.SubElement(test, "system-out").text = _clean(told)
    return test


def _case(case: CasePart, known: dict[str, Unit]) -> xml.Element:
    time = case.head.latency_s if case.head and case.head.latency_s else 0.0
    test = xml.Element("testcase", classname="cases", name=_clean(case.id), time=f"{time:.3f}")
    kind = {"regressed": "failure", "failed": "error", "removed": "skipped"}.get(case.change)
    if kind:
        found = xml.SubElement(test, kind, message=_clean(presentation.change_text(case, known)))
        found.text = _clean("\n".join(f"{label}: {text}" for label, text in presentation.texts(case)))
    return test


def _clean(text: str) -> str:
    return xml_text(text[:_TEXT])
