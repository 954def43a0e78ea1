"""The JSON Schema of the config file, generated from the models; editors complete the file by it."""

import json
from typing import Any

from evaluator.config.model import Config


def config_schema() -> dict[str, Any]:
    """The schema of the file as it is written, short forms included."""
    schema = Config.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "llm-eval-gate.yml"
    properties = schema["properties"]
    properties["dataset"] = {"anyOf": [{"type": "string"}, properties["dataset"]]}
    properties["anchor"]["anyOf"].insert(0, {"type": "string"})
    full = properties["scorers"]["items"]
    short = {"type": "string", "description": "A scorer's type, or python:file.py:function"}
    keyed = {"type": "object", "minProperties": 1, "maxProperties": 1}
    properties["scorers"]["items"] = {"anyOf": [short, full, keyed]}
    command = schema["$defs"]["TargetSection"]["properties"]["command"]
    command["anyOf"].insert(0, {"type": "string"})
    return schema


def config_schema_text() -> str:
    """The schema as it is kept in the repository."""
    return json.dumps(config_schema(), indent=2, ensure_ascii=False) + "\n"
