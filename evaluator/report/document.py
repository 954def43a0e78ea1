"""The result document (`result.json`): the one source of every rendering, with reading, writing and its JSON Schema.

It does not render (see `markdown.py`, `html.py`, `junit.py`, `terminal.py`) and is not filled here (see `build.py`).
"""

import json
from pathlib import Path
from typing import Any, Literal, NoReturn

from pydantic import Field, ValidationError

from evaluator.errors import EvalGateError
from evaluator.report.document_parts import (
    CasePart,
    ConfigInfo,
    DatasetInfo,
    Distribution,
    EstimatePart,
    LabelTable,
    MetricRow,
    Part,
    PolicyChange,
    RefInfo,
    SlicePart,
    Spend,
    Text,
    VerdictPart,
)

SCHEMA_VERSION: Literal["1"] = "1"
SCHEMA_FILE = Path(__file__).with_name("result.schema.json")
"""The generated JSON Schema, kept beside the code and held equal to it by a test."""
SHOWN_PROBLEMS = 3


class Tool(Part):
    """Which program wrote the document."""

    name: Text = "llm-eval-gate"
    version: Text


class ResultDocument(Part):
    """Everything that a report shows about one run or comparison."""

    schema_version: Literal["1"] = SCHEMA_VERSION
    tool: Tool
    kind: Literal["gate", "run", "compare"]
    created_at: Text
    """ISO 8601."""
    duration_s: float = 0.0
    base: RefInfo | None = None
    """None for a run of a single ref."""
    head: RefInfo
    config: ConfigInfo | None = None
    dataset: DatasetInfo | None = None
    repeats: int = 1
    verdict: VerdictPart
    other_metrics: list[MetricRow] = []
    """Metrics without an objective."""
    slices: list[SlicePart] = []
    label_tables: list[LabelTable] = []
    distributions: list[Distribution] = []
    spend: Spend = Field(default_factory=Spend)
    estimate: EstimatePart | None = None
    """None where nothing could be estimated, or nothing is run."""
    timings: dict[Text, float] = {}
    """Phase -> seconds."""
    cases: list[CasePart] = []
    """Sorted by importance, worst first."""
    cases_total: int = 0
    cases_shown: int = 0
    policy_changes: list[PolicyChange] = []
    notes: list[Text] = []
    rerun: Text = ""
    """The command that repeats this run."""


def dump(document: ResultDocument) -> str:
    """Write a document as JSON text with a final newline. It never holds NaN or infinity."""
    return document.model_dump_json(indent=1, by_alias=True) + "\n"


def load(text: str) -> ResultDocument:
    """Read a document back.

    Raises:
        EvalGateError: If it is not JSON, has another schema version, or another shape; says where.
    """
    try:
        found = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise EvalGateError(
            f"The result document is not valid JSON: {error}",
            hint="Pass the result.json that `llm-eval-gate gate`, `run` or `compare` wrote.",
        ) from error
    version = found.get("schema_version") if isinstance(found, dict) else None
    if version != SCHEMA_VERSION:
        said = f"schema_version {version!r:.40}" if version is not None else "no schema_version"
        raise EvalGateError(
            f"The result document has {said}; this version reads {SCHEMA_VERSION!r}.",
            hint="Render it with the version of llm-eval-gate that wrote it, or run the evaluation again.",
        )
    try:
        return ResultDocument.model_validate(found)
    except (ValidationError, RecursionError) as error:
        raise EvalGateError(
            f"The result document has the wrong shape: {_problems(error)}",
            hint=f"Its JSON Schema is {SCHEMA_FILE.name}, beside the report code.",
        ) from error


def json_schema() -> dict[str, Any]:
    """Give the JSON Schema of the document, as `result.schema.json` holds it."""
    schema = ResultDocument.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "llm-eval-gate result", **schema}


def schema_text() -> str:
    """Give the exact text of `result.schema.json`."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _problems(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return "nested too deeply"
    found = error.errors(include_url=False, include_input=False, include_context=False)
    told = [f"{'.'.join(str(step)[:60] for step in item['loc'])}: {item['msg']}" for item in found[:SHOWN_PROBLEMS]]
    more = len(found) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more > 0 else "")
