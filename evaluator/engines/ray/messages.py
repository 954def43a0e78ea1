"""What driver and workers send each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from evaluator import errors
from evaluator.errors import EvalGateError, InfrastructureError
from evaluator.gateway.budget import Account
from evaluator.records import Case, Output, Score, Side


@dataclass(frozen=True, slots=True)
class Task:
    """A unit for a worker, with what the journal holds of it already."""

    ticket: int
    case: Case
    repeat: int
    sides: tuple[Side, ...]
    """In the order in which they are asked."""
    outputs: Mapping[Side, Output] = field(default_factory=dict)
    scores: Mapping[Side, Mapping[str, Score]] = field(default_factory=dict)
    """By side and scorer."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An output is there."""

    ticket: int
    side: Side
    output: Output


@dataclass(frozen=True, slots=True)
class Scored:
    """A score is there."""

    ticket: int
    side: Side
    score: Score


@dataclass(frozen=True, slots=True)
class Finished:
    """A unit is answered and scored."""

    ticket: int
    values: Mapping[Side, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error that ends the run, as it travels from process to process."""

    kind: str
    """Name of its class in `evaluator.errors`; empty for a defect of ours."""
    message: str
    hint: str = ""

    def error(self) -> Exception:
        """The error again."""
        found = getattr(errors, self.kind, None) if self.kind else None
        if isinstance(found, type) and issubclass(found, EvalGateError):
            return found(self.message, hint=self.hint)
        return RuntimeError(self.message)


@dataclass(frozen=True, slots=True)
class Failed:
    """The run cannot go on."""

    trouble: Trouble


@dataclass(frozen=True, slots=True)
class Idle:
    """All units were ended, as asked for."""

    number: int


Event: TypeAlias = Answered | Scored | Finished | Failed | Idle


@dataclass(frozen=True, slots=True)
class Spent:
    """What a worker has spent in all since it began."""

    usd: float = 0.0
    calls: int = 0
    accounts: Mapping[str, Account] = field(default_factory=dict)
    """What of it each party has spent."""
    dearest: Mapping[str, float] = field(default_factory=dict)
    """As `Budget.dearest`."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What has happened at a worker since it was asked last."""

    events: tuple[Event, ...]
    spent: Spent
    notes: Mapping[Side, tuple[str, ...]]
    """What people should be told of each side's app."""


@dataclass(frozen=True, slots=True)
class About:
    """What a worker is."""

    version: str
    host: str
    pid: int
    sees: bool
    """Whether it finds the run's folder."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A worker is ready."""

    concurrency: int
    """Units that it runs at once."""


def trouble_of(error: EvalGateError) -> Trouble:
    """Write an error down: the nearest of its classes that a reader can make again."""
    known = (kind.__name__ for kind in type(error).__mro__ if vars(errors).get(kind.__name__) is kind)
    name = next(known, InfrastructureError.__name__)
    # A provider's error carries more than its words, which nobody needs any more: the run ends on it.
    return Trouble(InfrastructureError.__name__ if name == "ProviderError" else name, error.message, error.hint)
