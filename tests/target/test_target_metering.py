"""What was metered wins over what an app tells; a case's time is its own, and a failure outside it is no fault of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from evaluator.errors import BudgetError, ConfigError
from evaluator.records import Call, Case, Failure, FailureKind, Output, ToolCall, TracedRequest, Usage
from evaluator.target import CommandTarget
from evaluator.target.metering import Meter, Metering, costs_unknown, metered, queued_s, reason


def asked(since_s: float, waited_s: float) -> TracedRequest:
    """A request that waited for us as soon as it came."""
    waits = ((since_s, since_s + waited_s),)
    return TracedRequest("POST", "/chat/completions", 200, since_s, since_s + 9.0, waits, 0.1, False, call(), 0.0)


@dataclass
class Scripted:
    """A trace."""

    calls: tuple[Call, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    requests: Sequence[TracedRequest] = ()
    failure: Failure | None = None
    refused: BudgetError | None = None
    charged_usd: float = 0.0
    began: float = 0.0
    in_flight: int = 0
    begun: Callable[[], bool] | None = None

    async def settled(self, timeout_s: float) -> bool:
        return True


@dataclass
class Slot:
    """A slot whose cases all have the same trace."""

    name: str
    trace: Scripted
    outside: Scripted = field(default_factory=Scripted)
    cases: list[tuple[str, int, str | None]] = field(default_factory=list)

    def environment(self) -> Mapping[str, str]:
        return {"TOKEN": f"token-{self.name}"}

    @contextmanager
    def case(self, case_id: str, repeat: int, scope: str | None) -> Iterator[Scripted]:
        self.cases.append((case_id, repeat, scope))
        yield self.trace


def call(cost: float | None = 0.5, *, cached: bool = False) -> Call:
    return Call("openai", "m", Usage(10, 2), cost, 0.2, cached=cached, measured_in="r")


TOLD = Output(text="x", latency_s=3.0, usage=Usage(1, 1), cost_usd=9.0)


def test_metered_calls_win_over_what_the_app_tells() -> None:
    output = metered(TOLD, Scripted((call(), call(0.25)), (ToolCall("find"),)))
    assert (output.usage, output.cost_usd, output.latency_s) == (Usage(20, 4), 0.75, 3.0)
    assert output.calls == (call(), call(0.25))
    assert output.tool_calls == (ToolCall("find"),)


def test_an_app_that_asks_no_model_costs_nothing_unless_it_tells_otherwise() -> None:
    output = metered(Output(text="x", latency_s=3.0), Scripted())
    assert (output.cost_usd, output.usage, output.latency_s) == (0.0, Usage(), 3.0)
    assert metered(TOLD, Scripted()) == TOLD
    silent = Output(text="x", usage=Usage(1, 1))
    assert metered(silent, Scripted()) == silent
    unmetered = Output(text="x")
    assert Meter(None, "head-0").add(unmetered, Scripted()) == unmetered


def test_what_has_not_ended_or_was_not_told_makes_cost_and_tokens_unknown() -> None:
    for trace in (Scripted(in_flight=1), Scripted((call(),), in_flight=1)):
        output = metered(Output(text="x"), trace)
        assert (output.cost_usd, output.usage) == (None, None)
    given_up = Call("openai", "m", None, None, 0.2)
    assert metered(TOLD, Scripted((call(), given_up))).usage is None
    assert metered(TOLD, Scripted((call(), given_up))).cost_usd is None
    assert metered(TOLD, Scripted((call(), call(None)))).usage == Usage(20, 4), "tokens are known without a price"


def test_a_call_whose_tokens_nobody_told_counts_with_the_most_that_it_allowed() -> None:
    silent = Call("openai", "m", None, None, 0.2, most_usage=Usage(100, 50), most_usd=4.0)
    output = metered(TOLD, Scripted((call(), silent)))
    assert (output.usage, output.cost_usd) == (Usage(110, 52), 4.5)
    unpriced = Call("openai", "x", None, None, 0.2, most_usage=Usage(100, 50))
    output = metered(TOLD, Scripted((call(), unpriced)))
    assert (output.usage, output.cost_usd) == (Usage(110, 52), None)


def test_one_unknown_cost_makes_the_cost_unknown_and_one_cached_answer_the_latency() -> None:
    assert metered(TOLD, Scripted((call(), call(None)))).cost_usd is None
    assert metered(TOLD, Scripted((call(), call(cached=True)))).latency_s is None


def test_what_requests_waited_for_us_is_not_the_apps_time() -> None:
    requests = [asked(1.0, 0.5), asked(0.0, 0.25), asked(1.25, 0.5), asked(5.0, 0.0)]
    assert queued_s(requests, 0.0, 9.0) == pytest.approx(1.0)
    assert queued_s(requests, 0.2, 1.5) == pytest.approx(0.55)
    assert metered(TOLD, Scripted((call(),), requests=[asked(0.5, 2.0)])).latency_s == pytest.approx(1.0)


def test_requests_that_cost_nothing_hide_no_time() -> None:
    free = replace(asked(0.5, 2.0), call=None)  # a list of models, or what the provider refuses
    assert metered(TOLD, Scripted((call(),), requests=[free])).latency_s == 3.0


def test_a_wait_that_is_not_in_the_latency_is_not_taken_from_it() -> None:
    late = Scripted((call(),), requests=[asked(3.5, 2.0)])
    assert metered(TOLD, late).latency_s == 3.0
    across = Scripted((call(),), requests=[asked(2.5, 2.0)])
    assert metered(TOLD, across).latency_s == pytest.approx(2.5)
    early = Scripted((call(),), requests=[asked(0.5, 1.0)], began=100.0)
    assert metered(TOLD, early, asked_s=2.0).latency_s == 3.0
    meter = Meter(Metering(lambda name: Slot(name, early)), "head-0")
    assert meter.add(TOLD, early, asked_at=101.0).latency_s == pytest.approx(2.5)


def test_a_failure_outside_the_app_is_the_reason_of_its_own() -> None:
    crashed = Output(failure=Failure(FailureKind.CRASH, "exited"))
    outage = Failure(FailureKind.RATE_LIMIT, "slow down")
    trace = Scripted((call(),), failure=outage, requests=[asked(0.0, 0.0)])
    output = Meter(Metering(lambda name: Slot(name, trace)), "head-0").add(crashed, trace)
    assert output.failure == Failure(FailureKind.RATE_LIMIT, "slow down; then the app: exited")
    assert output.calls == (call(),)
    assert metered(TOLD, Scripted((call(),), failure=outage)).failure is None
    capped = Scripted(failure=Failure(FailureKind.BUDGET, "cap"), refused=BudgetError("the cap of a case is used up"))
    app = Failure(FailureKind.CRASH, "exited")
    told = reason(app, capped, Scripted())
    assert told == Failure(FailureKind.CRASH, "the cap of a case is used up; then the app: exited")


@pytest.mark.parametrize(("began", "kind"), [(10.0, FailureKind.SERVER), (12.0, FailureKind.CRASH)])
def test_an_outage_while_the_app_starts_again_is_the_reason_too(began: float, kind: FailureKind) -> None:
    outside = Scripted(failure=Failure(FailureKind.SERVER, "down"), requests=[asked(2.0, 0.0)], began=9.0)
    assert reason(Failure(FailureKind.CRASH, "exited"), Scripted(began=began), outside).kind is kind


async def test_each_process_has_a_token_of_its_own_and_its_cases_are_told_to_it(tmp_path: Path) -> None:
    slots: list[Slot] = []

    def slot(name: str) -> Slot:
        slots.append(Slot(name, Scripted((call(),), charged_usd=1.0), Scripted(charged_usd=0.5)))
        return slots[-1]

    metering = Metering(slot, scope="s")
    (tmp_path / "app.sh").write_text('read -r line; printf \'{"output": "%s"}\' "$TOKEN"')
    target = CommandTarget(
        "head", ["sh", "app.sh"], cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, mode="per_case", slots=2,
        start_timeout_s=9, case_timeout_s=9, metering=metering,
    )  # fmt: skip
    await target.start()
    outputs = [await target.answer(Case(f"c{number}", "q"), repeat=number) for number in range(2)]
    await target.close()
    assert [slot.name for slot in slots] == ["head-0", "head-1"]
    assert {output.text for output in outputs} <= {"token-head-0", "token-head-1"}
    assert sorted(row for slot in slots for row in slot.cases) == [("c0", 0, "s"), ("c1", 1, "s")]
    assert all(output.cost_usd == 0.5 for output in outputs)


async def test_calls_that_cannot_be_accounted_for_stop_the_run(tmp_path: Path) -> None:
    def check(requests: Sequence[TracedRequest], failure: Failure | None) -> None:
        if any(costs_unknown(request) for request in requests):
            raise ConfigError("no price")

    unpriced = Call("openai", "m", None, None, 0.2)
    nameless = replace(asked(0.0, 0.0), path="/images", call=replace(unpriced, model=""))
    requests = (replace(asked(0.0, 0.0), call=unpriced), asked(0.0, 0.0), nameless)
    metering = Metering(lambda name: Slot(name, Scripted((unpriced,), requests=requests)), check=check)
    target = CommandTarget(
        "head", ["echo", "x"], cwd=tmp_path, env={"PATH": "/usr/bin:/bin"}, mode="per_case", slots=1,
        start_timeout_s=9, case_timeout_s=9, metering=metering,
    )  # fmt: skip
    with pytest.raises(ConfigError, match="no price"):
        await target.answer(Case("c", "q"))
    assert metering.unpriced == ["m", "POST /images"]


async def test_the_cases_whose_cap_refused_a_call_are_known_though_the_app_answers(tmp_path: Path) -> None:
    refused = iter([None, BudgetError("the cap of a case"), BudgetError("the cap of a case"), None])
    metering = Metering(lambda name: Slot(name, Scripted(refused=next(refused))))
    for number in (0, 1, 1, 2):  # each case has a meter of its own here, and the second is asked twice
        meter = Meter(metering, f"head-{number}")
        async with meter.case(Case(f"c{number}", "q"), 0):
            pass
    assert metering.capped == {"c1"}
