"""What the lint says of a golden set that is valid but weak."""

import random

from evaluator.dataset.lint import Finding, Kind, lint
from evaluator.records import Case, JsonValue


def case(
    number: int, given: JsonValue, expected: JsonValue = None, tags: tuple[str, ...] = (), **metadata: JsonValue
) -> Case:
    """Make a case whose line is its number."""
    return Case(f"c{number}", given, expected, tags, metadata, None, number)


WORDS: tuple[str, ...] = (
    "refund",
    "card",
    "transfer",
    "balance",
    "login",
    "travel",
    "hotel",
    "weather",
    "music",
    "alarm",
    "meeting",
)
WORDS += ("meeting", "pizza", "salary", "passport", "visa")


def distinct(count: int, expected: JsonValue = "x", tags: tuple[str, ...] = ()) -> list[Case]:
    """Make cases with inputs that have little in common."""
    generator = random.Random(7)
    return [case(n, f"{n} " + " ".join(generator.sample(WORDS, 8)), expected, tags) for n in range(1, count + 1)]


def found(cases: list[Case], kind: Kind) -> list[Finding]:
    """Give the findings of one kind."""
    return [finding for finding in lint(cases).findings if finding.kind == kind]


def test_a_sound_set_has_no_findings() -> None:
    cases = [Case(c.id, c.input, f"label-{c.line % 4}", ("ko",), {}, None, c.line) for c in distinct(120)]
    report = lint(cases)
    assert report.findings == ()
    assert report.cases == 120
    assert report.labels == (("label-1", 30), ("label-2", 30), ("label-3", 30), ("label-0", 30))


def test_an_empty_set_is_very_few_cases_and_no_crash() -> None:
    assert [finding.kind for finding in lint([]).findings] == ["size"]


def test_size_is_judged_by_what_the_gate_can_see() -> None:
    (few,) = found(distinct(29), "size")
    (small,) = found(distinct(99), "size")
    assert (few.severity, small.severity) == ("warning", "note")
    assert "29 cases are very few" in few.message
    assert "99 cases are few" in small.message
    assert found(distinct(100), "size") == []


def test_the_same_input_with_different_answers_is_a_conflict() -> None:
    cases = [*distinct(30), case(31, {"q": "a", "r": 1}, "yes"), case(32, {"r": 1, "q": "a"}, "no")]
    (finding,) = found(cases, "conflict")
    assert finding.severity == "warning"
    assert (finding.cases, finding.lines, finding.count) == (("c31", "c32"), (31, 32), 2)
    assert "lines 31, 32" in finding.message
    assert found(cases, "duplicate") == []
    assert found(cases, "near_duplicate") == []


def test_many_conflicts_are_counted_rather_than_listed() -> None:
    cases = [case(n, f"question {n % 25} {WORDS[n % 5] * (n % 25)}", f"answer {n}") for n in range(50)]
    findings = found(cases, "conflict")
    assert len(findings) == 11
    assert "15 more inputs" in findings[-1].message


def test_a_repeated_input_and_answer_is_a_duplicate() -> None:
    cases = [*distinct(30), case(31, "ça va", "x"), case(32, "c\u0327a va", "x")]
    (finding,) = found(cases, "duplicate")
    assert (finding.cases, finding.count) == (("c32",), 1)


def test_near_duplicates_are_named_by_line() -> None:
    question = "환불은 언제쯤 받을 수 있는지 알려 주세요"
    cases = [*distinct(30), case(31, question + "."), case(32, question)]
    (finding,) = found(cases, "near_duplicate")
    assert finding.lines == (31, 32)
    assert "lines 31/32" in finding.message


def test_small_and_dominant_labels_are_told() -> None:
    cases = [Case(c.id, c.input, "common" if c.line > 4 else "rare", (), {}, None, c.line) for c in distinct(100)]
    small, large = found(cases, "label_balance")
    assert "1 of 2 labels have fewer than 5 cases" in small.message
    assert "F1" not in small.message  # a set is read whatever scorers there are
    assert "'rare' (4)" in small.message
    assert small.cases == ("c1", "c2", "c3", "c4")
    assert "96 of 100 cases (96%)" in large.message


def test_labels_at_the_thresholds_are_fine() -> None:
    cases = [Case(c.id, c.input, "a" if c.line <= 60 else "b", (), {}, None, c.line) for c in distinct(100)]
    assert found(cases, "label_balance") == []


def test_free_text_answers_are_not_labels() -> None:
    cases = [Case(c.id, c.input, f"answer {c.line}", (), {}, None, c.line) for c in distinct(100)]
    report = lint(cases)
    assert report.labels == ()
    assert not [finding for finding in report.findings if finding.kind == "label_balance"]


def test_one_label_spelt_in_two_ways_is_told() -> None:
    spelt = ("refund_status", "Refund status", "other")
    cases = [Case(c.id, c.input, spelt[c.line % 3], (), {}, None, c.line) for c in distinct(90)]
    (finding,) = found(cases, "label_spelling")
    assert finding.count == 60
    assert "'Refund status' (30)" in finding.message


def test_cases_without_an_expected_answer_are_counted() -> None:
    (some,) = found([*distinct(30), case(31, "open question")], "no_expected")
    assert some.message.startswith("1 of 31 cases")
    (every,) = found(distinct(30, expected=None), "no_expected")
    assert "no case has an expected answer" in every.message


def test_tags_with_few_cases_are_listed_smallest_first() -> None:
    cases = [*distinct(30, tags=("ko",)), case(31, "a b c d", tags=("en",)), case(32, "e f g", tags=("ja", "en"))]
    (finding,) = found(cases, "small_tag")
    assert "2 of 3 tags" in finding.message
    assert "'ja' (1), 'en' (2)" in finding.message
    assert finding.cases == ("c31", "c32")


def test_inputs_far_longer_than_the_rest_are_named_longest_first() -> None:
    cases = [*distinct(30), case(31, "long " * 2000), case(32, {"document": "longer " * 2000})]
    (finding,) = found(cases, "long_input")
    assert finding.lines == (32, 31)
    assert "line 31: 10,000" in finding.message


def test_text_that_is_odd_unseen_is_told_by_kind() -> None:
    cases = [
        *distinct(30),
        case(31, " leading"),
        case(32, {"q": ["zero\u200bwidth"]}),
        case(33, "lost \ufffd"),
        case(34, "cafÃ© and itâ€™s"),
        case(35, ""),
        case(36, "fine", expected="label "),
        case(37, "Ã is a letter, Â too: 가나다 家"),
    ]
    findings = {finding.message: finding.lines for finding in found(cases, "odd_text")}
    assert findings == {
        "white space at the start or end of the input (lines 31)": (31,),
        "invisible characters in the input (lines 32)": (32,),
        "characters of the input were lost in a conversion (U+FFFD) (lines 33)": (33,),
        "the input was written in UTF-8 and read as Windows-1252 (lines 34)": (34,),
        "the input is blank (lines 35)": (35,),
        "white space at the start or end of the expected answer (lines 36)": (36,),
    }


def test_metadata_that_looks_like_a_misspelt_field_is_told() -> None:
    cases = [*distinct(30), case(31, "x y z", expcted="a", source="mail")]
    (finding,) = found(cases, "field_name")
    assert finding.severity == "warning"
    assert "'expcted' is taken as metadata in 1 cases; did you mean 'expected'?" in finding.message


def test_warnings_come_before_notes_and_text_of_the_set_is_escaped() -> None:
    cases = [case(n, f"{n}", "evil\x1b[2J" if n % 2 else "good", ("t\u202e",)) for n in range(8)]
    report = lint(cases)
    order = [finding.severity for finding in report.findings]
    assert order == sorted(order, reverse=True)
    assert all(finding.message.isprintable() for finding in report.findings)
