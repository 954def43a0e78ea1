"""What a case asked of its models is in the journal, and comes back as it was."""

from evaluator.journal.codec import output_from_json, output_to_json
from evaluator.records import Call, Failure, FailureKind, Output, ToolCall, TracedRequest, Usage

TOLD = Call("openai", "m", Usage(10, 2, 4), 0.5, 0.2, measured_in="r", attempts=2)
SILENT = Call("openai", "m", None, None, 0.2, measured_in="r", most_usage=Usage(100, 16), most_usd=4.0)
UNKNOWN = Call("azure", "x", None, None, 0.0)
TOOL = ToolCall("find", {"q": "날씨"})
REQUESTS = (
    TracedRequest("POST", "/chat/completions", 200, 0.01, 1.5, ((0.01, 0.25), (0.5, 0.75)), 0.125, True, SILENT, 4.0),
    TracedRequest(
        "POST", "/responses", 503, 1.5, 2.0, (), None, False, None, 0.0, failure=Failure(FailureKind.SERVER, "down")
    ),
    TracedRequest("POST", "/responses", 200, 2.0, 3.0, (), 0.5, False, TOLD, 0.5, (TOOL,)),
)
OUTPUT = Output(
    text="x", tool_calls=(TOOL,), latency_s=3.5, calls=(SILENT, TOLD, UNKNOWN), usage=Usage(110, 18), requests=REQUESTS
)


def test_calls_and_requests_come_back_as_they_were() -> None:
    assert output_from_json(output_to_json(OUTPUT)) == OUTPUT
    assert output_from_json(output_to_json(OUTPUT)).requests[0].call == SILENT


def test_tokens_that_are_not_known_are_none_and_not_zero() -> None:
    found = output_from_json(output_to_json(OUTPUT))
    assert [call.usage for call in found.calls] == [None, Usage(10, 2, 4), None]
    free = Output(text="x", calls=(Call("local", "m", Usage(), 0.0, 0.1),))
    assert output_from_json(output_to_json(free)) == free


def test_of_a_request_only_short_arguments_of_tools_are_kept_twice() -> None:
    long = ToolCall("save", {"text": "x" * 5_000})
    request = TracedRequest("POST", "/responses", 200, 0.0, 1.0, (), 0.5, False, TOLD, 0.5, (long,))
    found = output_from_json(output_to_json(Output(text="x", tool_calls=(long,), calls=(TOLD,), requests=(request,))))
    assert found.tool_calls == (long,)
    assert found.requests[0].tool_calls == (ToolCall("save"),)
