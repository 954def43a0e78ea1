"""Hostile texts and documents for the property tests of the renderings."""

from hypothesis import strategies as st

from evaluator.report.document import ResultDocument, Tool
from evaluator.report.document_parts import (
    Answer,
    BoundPart,
    CasePart,
    ConfusionChange,
    FailurePart,
    IntervalPart,
    LabelTable,
    MetricRow,
    ObjectivePart,
    PolicyChange,
    RefInfo,
    SlicePart,
    VerdictPart,
)

PAYLOADS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</details></td><!-- llm-eval-gate:v1 key=x -->",
    "![x](https://evil.example/p.png)",
    "[pass](javascript:alert(1))",
    "<https://evil.example>",
    "www.evil.example http://evil.example/x a.b@evil.example",
    "@octocat @org/team #12 GH-34 org/repo#5 org/repo@0123abc 0123456789abcdef0123456789abcdef01234567",
    "| accuracy | 1 | 1 | +0% | – | ✅ pass |\n| x | y |",
    "\n### ✅ Pass\n\n- [x] done\n> [!NOTE]\n***\n---\n===",
    "```\nout of the fence\n````\n~~~",
    "`code` **bold** _it_ ~~no~~ $x^2$ $$y$$ :tada: [^1] \\| \\\\| \\`",
    "::error file=x::message\n##[error]x ##vso[x]y",
    "\x1b[31mred\x1b]8;;http://x\x07 \x00\x08 \u202eevil\u2066 \u200b\u2060\ufeff\U000e0041",
    "\ud800 lone \udfff",
    "결제 오류 請求書 👩‍💻 e" + "\u0301" * 40,
    "&lt;b&gt; &#64;octocat &commat;octocat &#x40;a",
    "1. one\n2) two\n    indented",
)

FRAGMENTS = (
    st.sampled_from(PAYLOADS)
    | st.sampled_from(list("|`\\<>&@#*_[]()!~$:-=+./\n\r\t \u2028\u202e\u200b\x00\x1b"))
    | st.text(max_size=12)
)
texts = st.lists(FRAGMENTS, max_size=6).map("".join)
"""Text built from known attacks, from single characters of meaning, and from anything."""
states = st.sampled_from(["pass", "fail", "inconclusive", "error"])
numbers = st.none() | st.floats(allow_nan=True, allow_infinity=True) | st.floats(-2, 2)
units = st.sampled_from(["score", "share", "usd", "seconds", "tokens", "count"])
intervals = st.none() | st.builds(IntervalPart, low=numbers, high=numbers, method=texts)
answers = st.none() | st.builds(
    Answer,
    text=st.none() | texts,
    data=st.none() | st.recursive(texts | st.integers(), lambda inner: st.lists(inner, max_size=2), max_leaves=3),
    contexts=st.lists(texts, max_size=2),
    latency_s=numbers,
    cost_usd=numbers,
    failure=st.none() | st.builds(FailurePart, kind=texts, message=texts),
    scores=st.dictionaries(texts, numbers, max_size=3),
    reasons=st.dictionaries(texts, texts, max_size=2),
)
cases = st.builds(
    CasePart,
    id=texts,
    line=st.integers(0, 9),
    tags=st.lists(texts, max_size=2),
    input=texts | st.dictionaries(texts, texts, max_size=2),
    expected=st.none() | texts,
    change=st.sampled_from(["regressed", "improved", "changed", "same", "failed", "added", "removed"]),
    importance=st.floats(0, 4),
    base=answers,
    head=answers,
)
rows = st.builds(
    MetricRow, name=texts, unit=units, higher_is_better=st.booleans(), base=numbers, head=numbers, change=numbers,
    interval=intervals,
)  # fmt: skip
bounds = st.builds(
    BoundPart, kind=st.sampled_from(["min", "max", "max_drop", "max_increase"]), limit=st.floats(0, 10),
    relative=st.booleans(), state=states, value=numbers, interval=intervals,
    reason=texts | texts.map("{}; a weak pass: it is".format),
)  # fmt: skip
objectives = st.builds(
    ObjectivePart, name=texts, unit=units, higher_is_better=st.booleans(), base=numbers, head=numbers, change=numbers,
    interval=intervals, state=states, reason=texts, warnings=st.lists(texts, max_size=2),
    bounds=st.lists(bounds, max_size=2), detectable=st.none() | st.floats(0, 1),
)  # fmt: skip
refs = st.builds(RefInfo, label=texts, ref=texts, sha=texts, subject=texts, dirty=st.booleans())
documents = st.builds(
    ResultDocument,
    tool=st.builds(Tool, version=texts),
    kind=st.sampled_from(["gate", "run", "compare"]),
    created_at=texts,
    base=st.none() | refs,
    head=refs,
    verdict=st.builds(
        VerdictPart, state=states, reason=texts, warnings=st.lists(texts, max_size=2),
        objectives=st.lists(objectives, max_size=3),
    ),
    other_metrics=st.lists(rows, max_size=2),
    slices=st.lists(
        st.builds(
            SlicePart, tag=texts, cases=st.integers(0, 9), rows=st.lists(rows, max_size=1), gated=st.booleans(),
            state=st.sampled_from(["pass", "fail", "inconclusive"]), failed=st.lists(texts, max_size=1),
            undecided=st.lists(texts, max_size=1),
        ),
        max_size=1,
    ),
    label_tables=st.lists(
        st.builds(
            LabelTable, scorer=texts,
            confusions=st.lists(
                st.builds(ConfusionChange, expected=texts, predicted=texts, base=st.just(1), head=st.just(2)), max_size=1
            ),
        ),
        max_size=1,
    ),
    cases=st.lists(cases, max_size=3),
    policy_changes=st.lists(st.builds(PolicyChange, path=texts, what=texts, effect=texts), max_size=1),
    notes=st.lists(texts | texts.map("base was not asked again: {}".format), max_size=2),
    rerun=texts,
)  # fmt: skip
