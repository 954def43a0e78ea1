"""Each example answers its golden set as a program of its own, without a gate: it needs nothing of ours."""

from pathlib import Path

import pytest

from tests.examples.apps import NAMES, ask, copied
from tests.examples.minds import EXAMPLES, golden, is_right, mind_of, topic_of
from tests.examples.scripted_provider import running

CALLS_A_CASE = {"rag-python": 2, "shell-curl": 1}


def sample(example: str) -> list[dict[str, object]]:
    """All cases; of the app that is started for each case every fifth, which has each label."""
    return golden(example)[:: 5 if example == "shell-curl" else 1]


@pytest.mark.parametrize("example", NAMES)
def test_an_example_answers_its_golden_set(example: str, tmp_path: Path) -> None:
    rows = sample(example)
    with running(mind_of(example), topic_of) as provider:
        replies = ask(copied(example, tmp_path), example, rows, provider)
    wrong = [(row["input"], said.text) for row, said in zip(rows, replies, strict=True) if not is_right(row, said.text)]
    assert wrong == []
    assert {answered.key for answered in provider.log} == {"Bearer sk-example"}
    if example in CALLS_A_CASE:
        assert len(provider.log) == CALLS_A_CASE[example] * len(rows)


@pytest.mark.parametrize("example", NAMES)
def test_the_harmless_change_keeps_the_answers_and_the_other_loses_many(example: str, tmp_path: Path) -> None:
    rows = sample(example)
    right = {}
    for change in ("harmless", "regression"):
        with running(mind_of(example), topic_of) as provider:
            replies = ask(copied(example, tmp_path, change), example, rows, provider)
        right[change] = sum(is_right(row, said.text) for row, said in zip(rows, replies, strict=True))
    assert right["harmless"] == len(rows)
    assert right["regression"] < 0.8 * len(rows)


def test_the_agent_calls_the_tools_that_the_golden_set_names_and_stops_after_four_turns(tmp_path: Path) -> None:
    rows = golden("agent-node")
    with running(mind_of("agent-node")) as provider:
        replies = ask(copied("agent-node", tmp_path), "agent-node", rows, provider)
    for row, said in zip(rows, replies, strict=True):
        assert list(said.tools) == [call["name"] for call in row["metadata"]["tools"]]
    assert len(provider.log) == sum(len(said.tools) + 1 for said in replies)
    assert max(len(said.tools) for said in replies) == 3


def test_the_rag_app_tells_the_passages_that_it_used(tmp_path: Path) -> None:
    rows = [row for row in golden("rag-python") if "cluster" in row]
    with running(mind_of("rag-python"), topic_of) as provider:
        replies = ask(copied("rag-python", tmp_path), "rag-python", rows, provider)
    for row, said in zip(rows, replies, strict=True):
        assert len(said.contexts) == 3
        document = EXAMPLES / "rag-python" / "documents" / f"{row['cluster']}.md"
        assert document.read_text("utf-8") in said.contexts


@pytest.mark.parametrize("example", NAMES)
def test_an_example_knows_nothing_of_us_and_its_golden_set_is_large_enough(example: str) -> None:
    folder = EXAMPLES / example
    rows = golden(example)
    assert len(rows) >= 40
    assert sum("ko" in row["tags"] for row in rows) >= 10
    assert len({row["id"] for row in rows}) == len({row["input"] for row in rows}) == len(rows)
    code = [path for path in folder.iterdir() if path.suffix in {".py", ".mjs", ".sh"} or path.name == "Dockerfile"]
    assert code
    for path in code:
        text = path.read_text("utf-8").lower()
        assert "eval" not in text
        assert "gate" not in text
