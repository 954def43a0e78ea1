"""Builds what a judge is asked: instructions, and the material in blocks that it cannot break out of."""

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from evaluator.gateway.interface import ChatRequest
from evaluator.records import Case, Output
from evaluator.scoring.answer import as_text, expected_texts, find_answer
from evaluator.scoring.judge.defaults import TEMPLATES, JudgeSettings

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

Block = tuple[str, str]
"""(name in capitals, untrusted text)."""


def make_question(
    settings: JudgeSettings,
    *,
    task: str,
    rules: Sequence[str],
    blocks: Sequence[Block],
    request: str,
    schema: dict[str, object],
) -> ChatRequest:
    """Render the two messages of a judgement and bind its answer to a schema.

    Args:
        settings: Which model, and with which parameters.
        task: What to do, in a sentence; our own text, as are `rules` and `request`.
        rules: Further rules for the system message.
        blocks: The material, in order.
        request: The last line: what to give back.
        schema: JSON Schema of the answer's members, in their order; all are required and no others are allowed.
    """
    nonce = delimiter(blocks)
    environment = _environment()
    system = environment.get_template("system.j2").render(task=task, rules=rules, nonce=nonce)
    user = environment.get_template("blocks.j2").render(blocks=blocks, request=request, nonce=nonce)
    return ChatRequest(
        provider=settings.provider,
        model=settings.model,
        params=settings.params,
        purpose="judge",
        messages=({"role": "system", "content": system.strip()}, {"role": "user", "content": user.strip()}),
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "judgement", "strict": True, "schema": strict_object(schema)},
        },
    )


def delimiter(blocks: Sequence[Block]) -> str:
    """Give a code that occurs in none of the blocks.

    It is a digest of their content: the same material gives the same prompt (so that answers can be cached), yet a text
    cannot hold the code of a prompt that it is itself part of; should it do so by chance, the next digest is taken.
    """
    content = json.dumps([list(block) for block in blocks]).encode("utf-8")
    for attempt in range(1_000_000):
        code = hashlib.sha256(b"block %d " % attempt + content).hexdigest()[:16]
        if not any(code in text for _, text in blocks):
            return code
    raise AssertionError("a million digests all occur in one text")


def strict_object(properties: dict[str, object]) -> dict[str, object]:
    """Give a JSON Schema of an object with just these members, as strict structured output demands."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def case_blocks(case: Case, rubric: str | None, path: str | None) -> list[Block]:
    """Give the blocks on the case: the rubric, the question, and the expected answer where there is one."""
    blocks = [("RUBRIC", rubric)] if rubric is not None else []
    blocks.append(("QUESTION", as_text(case.input)))
    expected = expected_texts(case, path)
    if len(expected) == 1:
        blocks.append(("EXPECTED", expected[0]))
    elif expected:
        blocks.append(("EXPECTED (any of these)", "\n".join(f"- {text}" for text in expected)))
    return blocks


def answer_block_text(output: Output, path: str | None) -> str:
    """Write an answer for a judge: its text or JSON, and the tools that it called.

    Raises:
        MissingAnswerError: The answer lacks the field.
    """
    value = find_answer(output, path)
    parts = [] if value is None else [as_text(value)]
    if path is None:
        parts += [f"[calls the tool {call.name} with {as_text(call.arguments)}]" for call in output.tool_calls]
    return "\n".join(parts)


@lru_cache(maxsize=1)
def _environment() -> "SandboxedEnvironment":
    from jinja2 import FileSystemLoader, StrictUndefined  # heavy, and needed by judges alone
    from jinja2.sandbox import SandboxedEnvironment

    # Prompts are plain text: HTML escapes would change what the judge reads.
    return SandboxedEnvironment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
