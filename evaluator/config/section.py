"""What every section of the config file is made of: the strict base model and the fields with units."""

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from evaluator.config.units import parse_duration

Duration = Annotated[
    float, BeforeValidator(parse_duration), WithJsonSchema({"type": ["number", "string"], "examples": ["800ms", "2s"]})
]
RepoPath = Annotated[str, Field(min_length=1, max_length=400)]


class Section(BaseModel):
    """Base of every section: unknown keys are refused and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)
