"""The options of every scorer, as they are written under `scorers:` in the config file.

Only the shape of the options is known here; what a scorer does with them is in `scoring/`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,59}$")]


class Options(BaseModel):
    """Base of all options: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ScorerOptions(Options):
    """What every scorer has."""

    name: Name | None = Field(default=None, description="Name of the metric; the scorer's type if left out.")
    field: str | None = Field(
        default=None, description="Dotted path into a JSON answer (`answer.label`); the whole answer if left out."
    )

    @property
    def metric_name(self) -> str:
        """The name under which objectives find this scorer's metric."""
        return self.name or str(getattr(self, "type", ""))


class ExactMatchOptions(ScorerOptions):
    """1 if the answer equals one of the expected answers."""

    type: Literal["exact_match"] = "exact_match"
    normalize: bool = Field(default=True, description="Ignore case, punctuation, articles, extra spaces.")


class ContainsOptions(ScorerOptions):
    """1 if the answer contains the expected text."""

    type: Literal["contains"] = "contains"
    values: tuple[str, ...] | None = Field(default=None, description="Texts to look for; `expected` if left out.")
    mode: Literal["any", "all", "none"] = "any"
    ignore_case: bool = True


class RegexOptions(ScorerOptions):
    """1 if the pattern matches; with `compare`, 1 if its first group equals `expected`."""

    type: Literal["regex"] = "regex"
    pattern: str | None = Field(default=None, description="Pattern to search for; `expected` if left out.")
    compare: bool = Field(default=False, description="Compare the last match's first group with `expected`.")
    ignore_case: bool = False


class JsonSchemaOptions(ScorerOptions):
    """1 if the answer is JSON that fits the schema."""

    type: Literal["json_schema"] = "json_schema"
    schema_path: str | None = Field(default=None, alias="schema", description="Path of the schema in the repository.")
    inline: dict[str, object] | None = Field(default=None, description="The schema itself.")
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class F1Options(ScorerOptions):
    """SQuAD token F1 against the best of the expected answers; Unicode-aware."""

    type: Literal["f1"] = "f1"


class RougeLOptions(ScorerOptions):
    """ROUGE-L F-measure against the best of the expected answers."""

    type: Literal["rouge_l"] = "rouge_l"


class ClassificationOptions(ScorerOptions):
    """Accuracy, macro-F1, macro-precision and macro-recall of one label per case."""

    type: Literal["classification"] = "classification"
    labels: tuple[str, ...] | None = Field(default=None, description="All labels; those of the dataset if left out.")
    ignore_case: bool = True


class NumericOptions(ScorerOptions):
    """1 if the last number in the answer is within the tolerance of the expected number."""

    type: Literal["numeric"] = "numeric"
    pattern: str | None = Field(default=None, description="Its first group is the number; the last number if left out.")
    absolute: float = Field(default=1e-9, ge=0)
    relative: float = Field(default=0.0, ge=0)


class SimilarityOptions(ScorerOptions):
    """Cosine similarity of embeddings, through the gateway."""

    type: Literal["similarity"] = "similarity"
    model: str
    provider: str = "openai"


class ToolCallsOptions(ScorerOptions):
    """1 if the expected tools are called with the expected arguments."""

    type: Literal["tool_calls"] = "tool_calls"
    arguments: Literal["exact", "subset", "ignore"] = "exact"
    order: Literal["strict", "any"] = "strict"
    extra_calls: bool = Field(default=False, description="Allow calls that were not expected.")


class JudgeOptions(ScorerOptions):
    """A model's score by a rubric; model, rubric and scale come from `judge:` unless set here."""

    type: Literal["judge"] = "judge"
    rubric: str | None = Field(default=None, description="Path of a rubric in the repository.")
    model: str | None = None
    provider: str | None = None
    scale: tuple[int, int] | None = None
    repeats: int | None = Field(default=None, ge=1, le=9, description="Judgements of one answer, averaged.")


class JudgePairwiseOptions(JudgeOptions):
    """A model's preference between base's and head's answer, asked in both orders. Base counts 0.5."""

    type: Literal["judge_pairwise"] = "judge_pairwise"  # type: ignore[assignment]


class FaithfulnessOptions(JudgeOptions):
    """Share of the answer's claims that the retrieved contexts support."""

    type: Literal["faithfulness"] = "faithfulness"  # type: ignore[assignment]


class ContextRecallOptions(JudgeOptions):
    """Share of the expected answer that the retrieved contexts hold."""

    type: Literal["context_recall"] = "context_recall"  # type: ignore[assignment]


class PythonOptions(ScorerOptions):
    """The user's own function `score(case, output) -> number | dict`, run in a process of its own."""

    type: Literal["python"] = "python"
    path: str = Field(description="`file.py:function` in the repository; always taken from base.")
    higher_is_better: bool = True
    timeout: str | float = "10s"


AnyScorerOptions = Annotated[
    ExactMatchOptions
    | ContainsOptions
    | RegexOptions
    | JsonSchemaOptions
    | F1Options
    | RougeLOptions
    | ClassificationOptions
    | NumericOptions
    | SimilarityOptions
    | ToolCallsOptions
    | JudgeOptions
    | JudgePairwiseOptions
    | FaithfulnessOptions
    | ContextRecallOptions
    | PythonOptions,
    Field(discriminator="type"),
]

SCORER_TYPES: tuple[str, ...] = (
    "exact_match",
    "contains",
    "regex",
    "json_schema",
    "f1",
    "rouge_l",
    "classification",
    "numeric",
    "similarity",
    "tool_calls",
    "judge",
    "judge_pairwise",
    "faithfulness",
    "context_recall",
    "python",
)


def scorer_shorthand(found: object) -> object:
    """Turn the short ways of writing a scorer into the full one.

    `f1` -> `{type: f1}`; `python:evals/own.py:score` -> `{type: python, path: ...}`;
    `{regex: {pattern: x}}` -> `{type: regex, pattern: x}`. Anything else is returned as it is.
    """
    if isinstance(found, str):
        kind, _, rest = found.partition(":")
        return {"type": "python", "path": rest} if kind == "python" and rest else {"type": found}
    if isinstance(found, dict) and len(found) == 1 and "type" not in found:
        [(kind, options)] = found.items()
        if kind == "python" and isinstance(options, str):
            return {"type": "python", "path": options}
        if isinstance(options, dict):
            return {"type": kind, **options}
        if options is None:
            return {"type": kind}
    return found
