"""Each class of failure: asked again or not, charged or not, whose fault. The table in docs/pace.md says the same."""

import asyncio
import itertools
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from evaluator.errors import EvalGateError
from evaluator.gateway.budget import Budget
from evaluator.gateway.gateway import ProviderDown
from evaluator.gateway.pace import Limits, Told
from evaluator.gateway.pace.told import Left
from evaluator.gateway.retry import RetryPolicy, with_retries
from evaluator.gateway.transport import AttemptFailed, Exchange
from evaluator.records import INFRASTRUCTURE_KINDS, FailureKind
from tests.gateway.test_gateway import ask, gateway_to
from tests.standin.provider import Said, completion, fault

ATTEMPTS = 3
POLICY = RetryPolicy(attempts=ATTEMPTS, first_wait_s=0.001, longest_wait_s=0.01)
WORST_USD = 300 / 1e6
"""More than a call of `ask` can cost: what is charged in full is below."""
DOCS = Path(__file__).parents[2] / "docs" / "pace.md"


async def hang() -> Said:
    await asyncio.sleep(5)
    return "late"


class Reset(web.StreamResponse):
    """Drops the connection."""

    async def prepare(self, request: web.BaseRequest) -> None:
        assert request.transport is not None
        request.transport.abort()

    async def write_eof(self, data: bytes = b"") -> None:
        return


def half() -> web.Response:
    return web.Response(body=b'{"choices": [{"mess', content_type="application/json")


def empty() -> web.Response:
    told = completion("m", "ok", sent="hello")
    return web.json_response({**told, "choices": []})


@dataclass(frozen=True)
class Class:
    """What is expected of one class."""

    name: str
    """As the table has it."""
    fails: Callable[[], Said | Awaitable[Said]]
    kind: FailureKind
    again: bool
    charged: str
    """`no`; `its tokens`; or `in full`, as far as the provider does not tell."""


CLASSES = (
    Class("rate limit", lambda: fault(429), FailureKind.RATE_LIMIT, True, "no"),
    Class("server", lambda: fault(503), FailureKind.SERVER, True, "no"),
    Class("server", lambda: fault(529), FailureKind.SERVER, True, "no"),
    Class("time-out", hang, FailureKind.TIMEOUT, True, "in full"),
    Class("network", Reset, FailureKind.NETWORK, True, "in full"),
    Class("invalid answer", half, FailureKind.INVALID_ANSWER, True, "in full"),
    Class("invalid answer", empty, FailureKind.INVALID_ANSWER, True, "its tokens"),
    Class("refused", lambda: fault(400, code="content_filter"), FailureKind.REFUSED, False, "in full"),
    Class(
        "context too long",
        lambda: fault(400, code="context_length_exceeded"),
        FailureKind.CONTEXT_TOO_LONG,
        False,
        "no",
    ),
    Class("invalid request", lambda: fault(400), FailureKind.INVALID_REQUEST, False, "no"),
    Class("authentication", lambda: fault(401), FailureKind.AUTHENTICATION, False, "no"),
    Class("authentication", lambda: fault(429, code="insufficient_quota"), FailureKind.AUTHENTICATION, False, "no"),
)


@pytest.mark.parametrize("wanted", CLASSES, ids=lambda wanted: f"{wanted.name}-{wanted.kind}")
async def test_a_class_of_failures_is_asked_again_and_charged_as_the_table_says(tmp_path: Path, wanted: Class) -> None:
    budget = Budget(max_usd=1.0)
    async with gateway_to(
        lambda body, n: wanted.fails(), tmp_path, budget=budget, policy=POLICY, timeout_s=0.2,
        limits=Limits(patience_s=0.3),
    ) as (gateway, server):  # fmt: skip
        with pytest.raises(EvalGateError) as caught:
            await gateway.caller().chat(ask())
    kind = getattr(caught.value, "kind", None)
    if wanted.kind in (FailureKind.AUTHENTICATION, FailureKind.RATE_LIMIT):
        assert isinstance(caught.value, ProviderDown)  # the run ends
    else:
        assert kind is wanted.kind
    sent = len(server.requests)
    if wanted.kind is FailureKind.RATE_LIMIT:
        assert sent > ATTEMPTS  # bounded by patience
    else:
        assert sent == (ATTEMPTS if wanted.again else 1)
    answered = completion("m", "ok", sent="hello")["usage"]
    told = (answered["prompt_tokens"] + 2 * answered["completion_tokens"]) / 1e6
    if wanted.charged == "no":
        assert budget.spent_usd == 0
    elif wanted.charged == "its tokens":
        assert budget.spent_usd == pytest.approx(sent * told)
    else:
        assert sent * told < budget.spent_usd <= sent * WORST_USD


@pytest.mark.parametrize("wanted", [one for one in CLASSES if one.again], ids=lambda wanted: f"{wanted.name}")
async def test_what_passes_is_answered_in_the_end(tmp_path: Path, wanted: Class) -> None:
    def twice(body: object, number: int) -> Said | Awaitable[Said]:
        return wanted.fails() if number < 2 else "ok"

    async with gateway_to(twice, tmp_path, policy=POLICY, timeout_s=0.2) as (gateway, server):
        answer = await gateway.caller().chat(ask())
    assert (answer.text, answer.call.attempts, len(server.requests)) == ("ok", 3, 3)


@pytest.mark.parametrize(
    ("kind", "turned_away", "left", "after_s", "waits"),
    [
        (FailureKind.SERVER, False, True, None, True),  # a broken server that tells its limits as always
        (FailureKind.SERVER, True, True, None, True),
        (FailureKind.INVALID_ANSWER, False, True, None, True),
        (FailureKind.RATE_LIMIT, True, True, None, False),  # pace keeps it until there is room
        (FailureKind.SERVER, True, False, 1.0, False),  # pace keeps it as long as it was told
    ],
)
async def test_what_is_left_of_a_limit_takes_the_place_of_no_other_wait(
    monkeypatch: pytest.MonkeyPatch,
    kind: FailureKind,
    turned_away: bool,
    left: bool,
    after_s: float | None,
    waits: bool,
) -> None:
    told = Told(after_s, (Left("requests", 500.0, 499.0, 0.1),) if left else ())
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def attempt() -> Exchange:
        raise AttemptFailed("no", kind=kind, told=told, turned_away=turned_away)

    clock = itertools.count()
    monkeypatch.setattr("asyncio.sleep", sleep)
    with pytest.raises(AttemptFailed):
        await with_retries(attempt, RetryPolicy(attempts=2), patience_s=1.5, now=lambda: float(next(clock)))
    assert [seconds > 0 for seconds in slept] == [waits]


def test_the_table_in_the_docs_says_what_is_tested() -> None:
    rows = {
        cells[0]: cells[2:]
        for line in DOCS.read_text("utf-8").splitlines()
        if len(cells := [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]) == 5
    }
    for wanted in CLASSES:
        again, charged, whose = rows[wanted.name]
        assert again.startswith("yes" if wanted.again else "no"), wanted.name
        assert wanted.charged in charged, wanted.name
        assert whose.startswith("the provider" if wanted.kind in INFRASTRUCTURE_KINDS else "the app"), wanted.name
