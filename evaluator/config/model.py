"""The config file as pydantic models: what may be written in `llm-eval-gate.yml`.

The models say the shape; `loading.py` turns their complaints into errors with file and line, and `objectives.py`
binds the objectives to the metrics that the scorers give.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, field_validator, model_validator

from evaluator.config.scorers import AnyScorerOptions, Name, scorer_shorthand
from evaluator.config.units import Amount, parse_amount, parse_duration, parse_money

_AMOUNT_SCHEMA = {"type": ["number", "string"], "examples": ["5%", "2pp", "$0.01", "800ms", 4.0]}
AmountField = Annotated[Any, BeforeValidator(parse_amount), WithJsonSchema(_AMOUNT_SCHEMA)]
Money = Annotated[
    float, BeforeValidator(parse_money), WithJsonSchema({"type": ["number", "string"], "examples": ["$0.01"]})
]
Duration = Annotated[
    float, BeforeValidator(parse_duration), WithJsonSchema({"type": ["number", "string"], "examples": ["800ms", "2s"]})
]
RepoPath = Annotated[str, Field(min_length=1, max_length=400)]


class Section(BaseModel):
    """Base of every section: unknown keys are refused and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class DatasetSection(Section):
    """The golden set."""

    path: RepoPath = Field(description="JSONL, CSV, YAML, JSON or Parquet file in the repository.")
    fields: dict[str, str] = Field(
        default_factory=dict, description="Our name -> the file's column, e.g. `input: question`."
    )


class CommandSection(Section):
    """A target in any language, as a program that speaks JSON Lines."""

    run: tuple[str, ...] = Field(min_length=1, description="Program and arguments; no shell.")
    mode: Literal["worker", "per_case"] = "worker"
    start_timeout: Duration = 60.0
    timeout: Duration = 120.0
    env: tuple[str, ...] = Field(default=(), description="Names of environment variables to hand on.")

    @field_validator("run", mode="before")
    @classmethod
    def _split(cls, found: object) -> object:
        """Accept a command line as one string, split by a shell's quoting rules but run without one."""
        if isinstance(found, str):
            import shlex

            return tuple(shlex.split(found))
        return found


class TargetSection(Section):
    """The system under test."""

    prompt: RepoPath | None = Field(default=None, description="A `.prompt.yml` or a Jinja2 text file.")
    command: CommandSection | None = None
    provider: Name = "openai"
    model: str | None = Field(default=None, min_length=1, description="Fills in where the prompt file names no model.")
    params: dict[str, Any] = Field(default_factory=dict, description="Fields of the request, e.g. `temperature: 0`.")

    @field_validator("command", mode="before")
    @classmethod
    def _command_line(cls, found: object) -> object:
        """`command: python app.py` is short for `command: {run: python app.py}`."""
        return {"run": found} if isinstance(found, str | list) else found

    @model_validator(mode="after")
    def _one_kind(self) -> "TargetSection":
        kinds = [kind for kind in ("prompt", "command") if getattr(self, kind) is not None]
        if len(kinds) != 1:
            found = "none" if not kinds else " and ".join(kinds)
            raise ValueError(f"expected exactly one of prompt, command; found {found}")
        return self


class JudgeSection(Section):
    """The model that judges, and its rubric."""

    model: str = Field(min_length=1)
    provider: Name = "openai"
    rubric: RepoPath | None = Field(default=None, description="Text file that says what a good answer is.")
    scale: tuple[int, int] = (1, 5)
    repeats: int = Field(default=1, ge=1, le=9)
    params: dict[str, Any] = Field(default_factory=dict)

    @field_validator("scale")
    @classmethod
    def _ascending(cls, found: tuple[int, int]) -> tuple[int, int]:
        if not found[0] < found[1]:
            raise ValueError(f"expected two ascending whole numbers such as [1, 5], found {list(found)}")
        return found


class ProviderSection(Section):
    """A model provider with an OpenAI-compatible API."""

    base_url: str = Field(pattern=r"^https?://[^\s]+$")
    api_key_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    timeout: Duration = 120.0
    price_provider: str | None = Field(default=None, description="Name of the provider in the price list.")


class PriceSection(Section):
    """The price of a model, per million tokens."""

    input: Money
    output: Money
    cached_input: Money | None = None


class ObjectiveSection(Section):
    """The bounds of one metric."""

    min: AmountField | None = None
    max: AmountField | None = None
    max_drop: AmountField | None = None
    max_increase: AmountField | None = None

    @model_validator(mode="after")
    def _some_bound(self) -> "ObjectiveSection":
        if not self.amounts():
            raise ValueError("expected at least one of min, max, max_drop, max_increase; found none")
        return self

    def amounts(self) -> dict[str, Amount]:
        """The bounds that are set, by name."""
        names = ("min", "max", "max_drop", "max_increase")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


class BudgetSection(Section):
    """Caps on what a run may spend."""

    max_usd: Money | None = None
    max_calls: int | None = Field(default=None, ge=1)


class AnchorSection(Section):
    """A pinned state of the app that every change is compared with too, so that slow rot is seen."""

    ref: Annotated[str, Field(min_length=1, max_length=250)] = Field(
        description="`last-release`, or a tag, branch or commit."
    )
    share: float = Field(
        default=0.6, gt=0, le=3, description="Of each bound on a change: how far head may be from the anchor."
    )


class SlicesSection(Section):
    """Which slices, by tag, may fail the gate; the others are only reported."""

    gate: Literal["all"] | tuple[str, ...] = Field(default=(), description="`all`, or a list of tags.")


class WhenSection(Section):
    """Which pull requests are evaluated; the others pass, and the check says why."""

    paths: tuple[RepoPath, ...] = Field(
        default=(), description="Only if a changed file matches one: `prompts/**`, `*.md`. Empty: any."
    )
    drafts: bool = Field(default=True, description="Whether drafts are evaluated.")
    labels: tuple[str, ...] = Field(default=(), description="Only with one of these labels. Empty: any.")
    skip_labels: tuple[str, ...] = Field(default=(), description="Not with one of these labels.")


class BaselineSection(Section):
    """Earlier runs of base's content alone (`llm-eval-gate run`), whose values stand in for asking base again."""

    pool: int = Field(default=8, ge=0, le=100, description="Most earlier runs that are pooled; 0 always asks base.")
    max_age: Duration = Field(default=7 * 86_400.0, description="Older runs are not used: providers change models.")


class Config(Section):
    """The whole file."""

    version: Literal[1]
    dataset: DatasetSection
    target: TargetSection
    judge: JudgeSection | None = None
    scorers: tuple[AnyScorerOptions, ...] = Field(min_length=1)
    objectives: dict[str, ObjectiveSection] = Field(min_length=1)
    budget: BudgetSection = Field(default_factory=BudgetSection)
    providers: dict[Name, ProviderSection] = Field(default_factory=dict)
    prices: dict[str, PriceSection] = Field(default_factory=dict)
    max_repeats: int = Field(
        default=3, ge=1, le=20, description="Most answers per case and side, asked for while an objective is undecided."
    )
    anchor: AnchorSection | None = Field(default=None, description="A pinned state to compare with beside base.")
    slices: SlicesSection = Field(default_factory=SlicesSection)
    baseline: BaselineSection = Field(default_factory=BaselineSection)
    when: WhenSection = Field(default_factory=WhenSection)
    early_stop: bool = Field(default=True, description="Stop before all cases are run, once all is decided.")
    strict: bool = Field(default=False, description="Pass only what is shown to keep its bound (non-inferiority).")
    concurrency: int = Field(default=8, ge=1, le=1000, description="Cases in flight at once.")
    on_inconclusive: Literal["warn", "fail", "pass"] = "warn"

    @field_validator("dataset", mode="before")
    @classmethod
    def _path_alone(cls, found: object) -> object:
        """`dataset: evals/golden.jsonl` is short for `dataset: {path: ...}`."""
        return {"path": found} if isinstance(found, str) else found

    @field_validator("anchor", mode="before")
    @classmethod
    def _ref_alone(cls, found: object) -> object:
        """`anchor: last-release` is short for `anchor: {ref: last-release}`."""
        return {"ref": found} if isinstance(found, str) else found

    @field_validator("scorers", mode="before")
    @classmethod
    def _short_scorers(cls, found: object) -> object:
        if isinstance(found, str | dict):
            found = [found]
        return [scorer_shorthand(item) for item in found] if isinstance(found, list) else found


class ObjectivesOnly(Section):
    """A file with nothing but bounds, for comparing scores that another tool made."""

    version: Literal[1] = 1
    objectives: dict[str, ObjectiveSection] = Field(min_length=1)
    on_inconclusive: Literal["warn", "fail", "pass"] = "warn"
