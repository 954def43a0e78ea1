"""The config file as pydantic models: what may be written in `llm-eval-gate.yml`.

The models say the shape; `loading.py` turns their complaints into errors with file and line, and `objectives.py`
binds the objectives to the metrics that the scorers give.
"""

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from evaluator.config.scorers import AnyScorerOptions, Name, scorer_shorthand
from evaluator.config.section import Duration as Duration
from evaluator.config.section import RepoPath as RepoPath
from evaluator.config.section import Section as Section
from evaluator.config.targets import COMMAND_SCHEMA, SandboxSection, SetupSection, also_written
from evaluator.config.targets import CommandSection as CommandSection
from evaluator.config.targets import TargetSection as TargetSection
from evaluator.config.units import Amount, parse_amount, parse_money, parse_share
from evaluator.config.variables import ToldNames

_AMOUNT_SCHEMA = {"type": ["number", "string"], "examples": ["5%", "2pp", "$0.01", "800ms", 4.0]}
AmountField = Annotated[Any, BeforeValidator(parse_amount), WithJsonSchema(_AMOUNT_SCHEMA)]
Money = Annotated[
    float, BeforeValidator(parse_money), WithJsonSchema({"type": ["number", "string"], "examples": ["$0.01"]})
]
Share = Annotated[
    float, BeforeValidator(parse_share), WithJsonSchema({"type": ["number", "string"], "examples": ["60%", 0.6]})
]


EngineName = Literal["local", "batch", "ray"]


class DatasetSection(Section):
    """The golden set."""

    path: RepoPath = Field(description="JSONL, CSV, YAML, JSON or Parquet file in the repository.")
    fields: dict[str, str] = Field(
        default_factory=dict, description="Our name -> the file's column, e.g. `input: question`."
    )


class JudgeSection(Section):
    """The model that judges, and its rubric."""

    model: str = Field(min_length=1)
    provider: Name = "openai"
    rubric: RepoPath | None = Field(default=None, description="Text file that says what a good answer is.")
    scale: tuple[int, int] = (1, 5)
    repeats: int = Field(default=1, ge=1, le=9)
    params: dict[str, Any] = Field(default_factory=dict)
    canaries: Literal["warn", "fail", "off"] = Field(
        default="warn", description="What happens if the judge obeys the answers that it judges."
    )

    @field_validator("canaries", mode="before")
    @classmethod
    def _off_unquoted(cls, found: object) -> object:
        """YAML 1.1 reads `off` as false."""
        return "off" if found is False else found

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
    url_env: ToldNames = Field(
        default=(), description="Variables in which an app finds this provider's address at the gateway."
    )
    key_env: ToldNames = Field(default=(), description="Variables in which an app finds its throw-away token.")
    max_in_flight: int | None = Field(default=None, ge=1, description="Most calls to a model at once.")
    requests_per_minute: float | None = Field(default=None, gt=0, description="Of a model; else as answers tell.")
    tokens_per_minute: float | None = Field(default=None, gt=0, description="Of a model; else as answers tell.")
    patience: Duration = Field(default=600.0, description="How long it may say `wait` before it counts as down.")


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
    max_time: Duration | None = Field(
        default=None, description="Of the whole run; past it the run ends without a verdict, as an error."
    )
    max_usd_per_case: Money | None = Field(default=None, description="Of an app that asks models itself.")
    max_calls_per_case: int | None = Field(default=None, ge=1, description="Likewise: stops an agent that loops.")


class RaySection(Section):
    """How `engine: ray` runs: workers that share the concurrency, and where they are."""

    workers: int = Field(default=2, ge=1, le=1000, description="Processes that ask and score, each with its own apps.")
    address: str = Field(
        default="local",
        pattern=r"^(local|auto|[A-Za-z0-9.\-]{1,253}:[0-9]{1,5})$",
        description="`local` starts Ray on this machine; `auto` or `host:port` joins a cluster that is there.",
    )


class AnchorSection(Section):
    """A pinned state of the app that every change is compared with too, so that slow rot is seen."""

    ref: Annotated[str, Field(min_length=1, max_length=250)] = Field(
        description="`last-release`, or a tag, branch or commit."
    )
    share: Share = Field(default=0.6, description="Of each bound on a change: how far head may be from the anchor.")


class SlicesSection(Section):
    """Which slices, by tag, may fail the gate; the others are only reported."""

    gate: Literal["all"] | tuple[str, ...] = Field(default=(), description="`all`, or a list of tags.")

    @field_validator("gate", mode="before")
    @classmethod
    def _all_or_tags(cls, found: object) -> object:
        listed = isinstance(found, list | tuple) and all(isinstance(tag, str) for tag in found)
        if found != "all" and not listed:
            raise ValueError(f"expected `all` or a list of tags such as [billing, ko], found {str(found)[:40]!r}")
        return found


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
    max_age: Duration = Field(
        default=86_400.0, description="Older runs are not used: providers drift, and head is measured now."
    )


class Config(Section):
    """The whole file."""

    version: Literal[1]
    dataset: DatasetSection
    target: TargetSection
    setup: SetupSection | None = Field(
        default=None,
        description="Commands that make a ref's checkout ready.",
        json_schema_extra=also_written({"type": "string"}, {"type": "array", "items": COMMAND_SCHEMA, "minItems": 1}),
    )
    sandbox: SandboxSection = Field(default_factory=SandboxSection)
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
    engine: EngineName = Field(
        default="local",
        description="Who runs the cases: this process, a provider's batches at half the price, or a Ray cluster.",
    )

    ray: RaySection = Field(default_factory=RaySection)

    @field_validator("providers")
    @classmethod
    def _told_once(cls, found: dict[str, ProviderSection]) -> dict[str, ProviderSection]:
        """One variable has one value."""
        told = Counter(name for section in found.values() for name in (*section.url_env, *section.key_env))
        for name, times in told.items():
            if times > 1:
                raise ValueError(f"expected each variable of `url_env` and `key_env` once; {name} stands there twice")
        return found

    @field_validator("dataset", mode="before")
    @classmethod
    def _path_alone(cls, found: object) -> object:
        """`dataset: evals/golden.jsonl` is short for `dataset: {path: ...}`."""
        return {"path": found} if isinstance(found, str) else found

    @field_validator("setup", mode="before")
    @classmethod
    def _commands_alone(cls, found: object) -> object:
        """`setup: [uv pip install -r requirements.txt]` is short for `setup: {run: [...]}`; so is one command."""
        return {"run": [found] if isinstance(found, str) else found} if isinstance(found, str | list) else found

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

    def first_bounded(self, kind: str) -> str | None:
        """The first objective of a kind, such as `latency_p95` of `latency`; None if nothing of it is bounded."""
        return next((name for name in self.objectives if name.startswith(kind)), None)


class ObjectivesOnly(Section):
    """A file with nothing but bounds, for comparing scores that another tool made."""

    version: Literal[1] = 1
    objectives: dict[str, ObjectiveSection] = Field(min_length=1)
    on_inconclusive: Literal["warn", "fail", "pass"] = "warn"
