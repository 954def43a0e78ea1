"""What the scripted model knows of each example: enough to answer its golden set, if the app asks it properly.

A reader knows which document a question is about, and finds the answer only in passages that hold it; an agent plans the
golden tools and reads the last result aloud; a labeller uses only labels that the prompt names. So a change that makes
the app worse makes the answers worse, for the reason that it would have with a real model.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.examples.scripted_provider import Mind, Says

EXAMPLES = Path(__file__).parents[2] / "examples"
Row = dict[str, Any]


def golden(example: str) -> list[Row]:
    """The golden set of an example."""
    lines = (EXAMPLES / example / "evals" / "golden.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def mind_of(example: str) -> Mind:
    """The mind for an example."""
    rows = {row["input"]: row for row in golden(example)}
    return {"rag-python": _reader, "agent-node": _agent, "shell-curl": _labeller}[example](rows)


@cache
def _titles() -> Mapping[str, str]:
    """Title of the document that answers a question, by question."""
    documents = EXAMPLES / "rag-python" / "documents"
    rows = [row for row in golden("rag-python") if "cluster" in row]
    return {row["input"]: _first_line((documents / f"{row['cluster']}.md").read_text("utf-8")) for row in rows}


def topic_of(text: str) -> str:
    """What a text of the RAG app is about: a document its title, a question the title of what answers it."""
    return _titles().get(text, _first_line(text))


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def accepted(row: Row) -> list[str]:
    """The acceptable answers of a case."""
    expected = row["expected"]
    return list(expected) if isinstance(expected, list) else [expected]


def is_right(row: Row, answer: str) -> bool:
    """Whether an answer holds an acceptable one."""
    return any(text.lower() in answer.lower() for text in accepted(row))


def _said(body: Mapping[str, Any], role: str) -> str:
    return next((str(message["content"]) for message in body["messages"] if message["role"] == role), "")


def _reader(rows: Mapping[str, Row]) -> Mind:
    def read(question: str, passages: str) -> str:
        korean = bool(re.search("[가-힣]", question))
        found = [text for text in accepted(rows[question]) if text.lower() in passages.lower()]
        no_idea = "모르겠습니다." if korean else "I don't know."
        if not found or "unanswerable" in rows[question]["tags"]:
            return no_idea
        return f"답은 {found[0]}입니다." if korean else f"It is {found[0]}."

    def judge(message: str) -> str:
        """Faithfulness: an answer is one claim, and holds if the passages have what it says."""
        blocks = dict(re.findall(r"<<<\S+ ([^\n]+)\n(.*?)\n\S+>>>", message, re.DOTALL))
        passages = " ".join(text for name, text in blocks.items() if name.startswith("CONTEXT"))
        row = rows.get(blocks["QUESTION"])
        if row is None:  # a question of somebody else: nothing here supports it
            return _claims([(blocks["ANSWER"], False)])
        if "know" in blocks["ANSWER"] or "모르" in blocks["ANSWER"]:
            return _claims([])
        held = any(text in passages for text in accepted(row) if text in blocks["ANSWER"])
        return _claims([(blocks["ANSWER"], held)])

    def mind(body: Mapping[str, Any]) -> Says:
        if "response_format" in body:
            return Says(judge(_said(body, "user")))
        return Says(read(_said(body, "user"), _said(body, "system").partition("\n\nPassage 1:")[2]))

    return mind


def _claims(claims: list[tuple[str, bool]]) -> str:
    return json.dumps({"claims": [{"claim": text, "reason": "read", "supported": held} for text, held in claims]})


def _agent(rows: Mapping[str, Row]) -> Mind:
    talk = {"talk-1": "I can look up products and orders.", "talk-2": "You are welcome!"}
    talk |= {"talk-3": "주문과 상품을 찾아 드릴 수 있어요.", "talk-4": "천만에요!"}

    def mind(body: Mapping[str, Any]) -> Says:
        row = rows[_said(body, "user")]
        plan = row["metadata"]["tools"]
        results = [message["content"] for message in body["messages"] if message["role"] == "tool"]
        offered = {tool["function"]["name"] for tool in body["tools"]}
        if len(results) < len(plan):
            step = plan[len(results)]
            assert step["name"] in offered
            return Says(tools=((step["name"], step["arguments"]),))
        return Says(f"I found this: {results[-1]}" if results else talk[row["id"]])

    return mind


def _labeller(rows: Mapping[str, Row]) -> Mind:
    def mind(body: Mapping[str, Any]) -> Says:
        label = rows[_said(body, "user")]["expected"]
        named = re.findall(r"\b(praise|complaint|question|order)\b", _said(body, "system"))
        return Says(label if label in named else named[0])

    return mind
