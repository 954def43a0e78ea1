"""What an app asked its models for a case is in the document, bounded, and on the page."""

from dataclasses import replace

from evaluator.records import Call, Case, Failure, FailureKind, Output, ToolCall, TracedRequest, Usage
from evaluator.report.build_calls import MAX_CALLS
from evaluator.report.build_cases import CaseSelection, Observed, case_part
from evaluator.report.html_cases import case_views
from evaluator.report.redaction import without_texts
from tests.report.sample import sample_document

TOLD = Call("openai", "gpt-5-mini", Usage(1_412, 90), 0.5, 0.2)
SILENT = Call("openai", "<b>", None, None, 0.2, most_usage=Usage(100, 16), most_usd=4.0)
REQUESTS = (
    TracedRequest("POST", "/chat/completions", 200, 0.25, 1.5, (), 0.125, True, TOLD, 0.5, (ToolCall("find"),)),
    TracedRequest("POST", "/x", 504, 2.0, 3.0, (), None, True, SILENT, 4.0, (), Failure(FailureKind.TIMEOUT, "late")),
    TracedRequest("GET", "/models", 200, 3.0, 3.5, (), 0.1, False, None, 0.0),
)
CASE = Case("c1", "question")


def seen(requests: tuple[TracedRequest, ...]) -> Observed:
    calls = tuple(request.call for request in requests if request.call is not None)
    return Observed(Output(text="x", calls=calls, requests=requests))


def test_calls_have_their_model_tokens_cost_times_and_tools() -> None:
    part = case_part(CASE, [seen(REQUESTS)], [seen(REQUESTS)], ())
    assert part.head is not None
    told, silent, free = part.head.calls
    assert (told.model, told.input_tokens, told.output_tokens, told.cost_usd) == ("gpt-5-mini", 1_412, 90, 0.5)
    assert (told.started_s, told.took_s, told.first_byte_s, told.tools, told.told) == (
        0.25,
        1.25,
        0.125,
        ["find"],
        True,
    )
    assert (silent.cost_usd, silent.output_tokens, silent.told, silent.failure) == (4.0, 16, False, "timeout")
    assert (free.model, free.cost_usd, free.told) == ("", None, True)
    assert part.head.calls_made == 3


def test_the_document_has_the_first_calls_and_the_number_of_all() -> None:
    part = case_part(CASE, None, [seen(REQUESTS[:1] * 150)], ())
    assert part.head is not None
    assert (len(part.head.calls), part.head.calls_made) == (MAX_CALLS, 150)


def test_the_page_tells_each_call_in_a_line() -> None:
    part = case_part(CASE, [seen(REQUESTS)], [seen(REQUESTS)], ())
    [view] = case_views(sample_document().model_copy(update={"cases": [part]}))
    assert view["sides"][1]["calls"] == [
        "at 250 ms: gpt-5-mini, 1,412 tokens in, 90 out, $0.50, 1.25 s (first byte after 125 ms), find",
        "at 2.00 s: <b>, 100 tokens in, 16 out, $4.00, tokens were not told: at most, 1.00 s, timeout, status 504",
        "at 3.00 s: not metered, 500 ms (first byte after 100 ms)",
    ]


def test_a_kept_answer_tells_no_first_byte_of_the_call_that_it_stands_for() -> None:
    part = case_part(CASE, [seen(REQUESTS)], [seen(REQUESTS)], ())
    assert part.head is not None
    kept = part.head.calls[0].model_copy(update={"cached": True, "took_s": 0.0})
    part = part.model_copy(update={"head": part.head.model_copy(update={"calls": [kept]})})
    [view] = case_views(sample_document().model_copy(update={"cases": [part]}))
    assert view["sides"][1]["calls"] == [
        "at 250 ms: gpt-5-mini, 1,412 tokens in, 90 out, $0.50, 0 ms, find, from the cache"
    ]


def test_what_was_turned_away_or_whose_model_may_not_be_shown_is_not_called_unmetered() -> None:
    turned_away = replace(REQUESTS[2], failure=Failure(FailureKind.RATE_LIMIT, "no"), status=429)
    selected = CaseSelection([case_part(CASE, None, [seen((REQUESTS[0], turned_away))], ())], 1)
    [view] = case_views(sample_document().model_copy(update={"cases": without_texts(selected).cases}))
    hidden, refused = view["sides"][-1]["calls"]
    assert hidden.startswith("at 250 ms: a model, 1,412 tokens in")
    assert refused.startswith("at 3.00 s: no answer, 500 ms")


def test_without_texts_no_word_that_the_app_chose_is_left() -> None:
    part = case_part(CASE, [seen(REQUESTS)], [seen(REQUESTS)], ())
    [case] = without_texts(CaseSelection([part], 1)).cases
    assert case.head is not None
    assert [(call.model, call.tools) for call in case.head.calls] == [("", [])] * 3
    assert case.head.calls[0].cost_usd == 0.5
