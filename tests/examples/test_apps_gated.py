"""The gate runs each example as it is: verdicts, and calls, tokens and cost of every case as the provider billed them."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluator.records import Call, Output, Side, Usage
from evaluator.journal.journal import Journal
from tests.examples.apps import NAMES, repository
from tests.examples.minds import golden, mind_of, topic_of
from tests.examples.scripted_provider import Answered, Provider, running
from tests.pipeline.commands import command

ALL_OF_IT = "early_stop: false\nmax_repeats: 1\n"
"""So that a run has a fixed size."""


def outputs(home: Path) -> Iterator[tuple[str, Side, Output]]:
    """Every output of the one run of a home."""
    [path] = home.glob("runs/*/journal-1.sqlite")
    with Journal(path, identity=path.parent.name) as journal:
        for case_id, side, _, output in journal.all_outputs():
            yield case_id, side, output


def of_the_app(provider: Provider) -> list[Answered]:
    """What the app asked; a judge's requests demand a form."""
    return [answered for answered in provider.log if "response_format" not in answered.body]


def billed(answered: Answered) -> tuple[str, Usage]:
    return answered.body["model"], answered.usage


def metered(call: Call) -> tuple[str, Usage]:
    assert call.usage is not None
    return call.model, call.usage


@pytest.mark.parametrize("example", NAMES)
@pytest.mark.parametrize(("change", "code"), [("harmless", 0), ("regression", 1)])
def test_a_change_is_judged_and_every_case_is_metered_to_the_token(
    example: str, change: str, code: int, tmp_path: Path
) -> None:
    rows = {row["id"]: row for row in golden(example)}
    home = tmp_path / "home"
    with running(mind_of(example), topic_of) as provider:
        repo = repository(example, tmp_path, config=ALL_OF_IT)
        words = ["gate", "--repo", str(repo), "--base", "main", "--head", change, "--json"]
        said = command(home, *words, OPENAI_BASE_URL=provider.url, OPENAI_API_KEY="sk-real")
    assert said.code == code, said.err + said.out[:3000]
    assert {answered.key for answered in provider.log} == {"Bearer sk-real"}  # and the app never saw it

    paid: dict[str, Counter[tuple[str, Usage]]] = {case_id: Counter() for case_id in rows}
    for case_id, side, output in outputs(home):
        assert output.failure is None, (case_id, side, output.failure)
        assert output.usage == sum((metered(call)[1] for call in output.calls), Usage())
        known = {billed(answered): answered.usd for answered in of_the_app(provider)}
        assert output.cost_usd == pytest.approx(sum(known[metered(call)] for call in output.calls), rel=1e-9)
        traced = [request for request in output.requests if request.call is not None]
        assert [request.call for request in traced] == list(output.calls)
        assert all(0 <= request.started_s <= request.ended_s and request.status == 200 for request in traced)
        paid[case_id].update(metered(call) for call in output.calls if not call.cached)
        if side == "base":
            assert len(output.calls) == calls_a_case(example, rows[case_id])
    asked: dict[str, Counter[tuple[str, Usage]]] = {case_id: Counter() for case_id in rows}
    by_question = {row["input"]: case_id for case_id, row in rows.items()}
    for answered in of_the_app(provider):
        asked[by_question[answered.question]][billed(answered)] += 1
    assert paid == asked
    assert said.json["spend"]["real_usd"] == pytest.approx(sum(answered.usd for answered in provider.log), rel=1e-9)


def calls_a_case(example: str, row: dict[str, object]) -> int:
    """How often the app asks a model for one case."""
    if example == "agent-node":
        return len(row["metadata"]["tools"]) + 1  # type: ignore[index]
    return {"rag-python": 2, "shell-curl": 1}[example]


def test_the_labels_arrive_through_the_door_as_a_stream_and_usage_is_known_all_the_same(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with running(mind_of("shell-curl")) as provider:
        repo = repository("shell-curl", tmp_path, config=ALL_OF_IT)
        said = command(
            home, "run", "--repo", str(repo), "--ref", "main", "--json",
            OPENAI_BASE_URL=provider.url, OPENAI_API_KEY="sk-real",
        )  # fmt: skip
    assert said.code == 0, said.err
    assert all(answered.body["stream"] is True for answered in provider.log)
    assert all(answered.body["stream_options"] == {"include_usage": True} for answered in provider.log)
    labels = {row["id"]: row["expected"] for row in golden("shell-curl")}
    assert {case_id: output.text for case_id, _, output in outputs(home)} == labels
