"""The calls behind an answer, for the result document: the first few of what an app asked for one case."""

from evaluator.records import Output, TracedRequest
from evaluator.report.document_parts import CallPart
from evaluator.report.escape import shorten

MAX_CALLS = 10
"""Calls of one answer that are in the document; the journal has more."""
_MAX_TOOLS = 5
_LONGEST_NAME = 100


def call_parts(output: Output) -> list[CallPart]:
    """Give the first calls of an answer, in the order in which they ended; none for a prompt, whose one call it is."""
    return [_call_part(request) for request in output.requests[:MAX_CALLS]]


def _call_part(request: TracedRequest) -> CallPart:
    call = request.call
    usage = call.counted_usage if call is not None else None
    return CallPart(
        model=shorten(call.model, _LONGEST_NAME) if call is not None else "",
        status=request.status,
        started_s=request.started_s,
        took_s=request.ended_s - request.started_s,
        first_byte_s=request.first_byte_s,
        input_tokens=None if usage is None else usage.input_tokens,
        output_tokens=None if usage is None else usage.output_tokens,
        cost_usd=None if call is None else call.counted_usd,
        told=call is None or call.usage is not None,
        cached=call is not None and call.cached,
        tools=[shorten(tool.name, _LONGEST_NAME) for tool in request.tool_calls[:_MAX_TOOLS]],
        failure="" if request.failure is None else request.failure.kind.value,
    )
