"""The one tree of errors that a user can meet; each says what, where and what to do.

    EvalGateError                 exit code 2 unless a subclass says otherwise
    ├── UsageError                the command line
    ├── ConfigError               the config file (file:line, found, expected, nearest name)
    ├── DatasetError              the golden set or a file of scores (file:line)
    ├── SourceError               git: a ref that is missing, a checkout that failed
    ├── TargetError               a target that cannot be started or is described wrongly
    ├── ScorerError               a scorer that cannot be set up
    ├── RunSubmitted              exit code 4: no verdict yet, a later run goes on
    └── InfrastructureError       exit code 3: provider, disk, embedded model
        ├── ProviderError         one call to a model provider that failed for good
        └── BudgetError           the next call would pass the spending cap

A failing *case* is not an exception: it is a `records.Failure` on its output or score.
"""

from enum import IntEnum


class ExitCode(IntEnum):
    """The process's exit codes, which continuous integration reads."""

    PASS = 0
    FAIL = 1
    USAGE = 2
    INFRASTRUCTURE = 3
    SUBMITTED = 4


class EvalGateError(Exception):
    """Base of all errors shown to a user without a traceback.

    Args:
        message: What was found and where, in one sentence.
        hint: What to do about it; empty if the message says it all.
        exit_code: The exit code of a process that ends on this error; the class's own if None.
    """

    exit_code: int = ExitCode.USAGE

    def __init__(self, message: str, *, hint: str = "", exit_code: int | None = None) -> None:
        """Store the message; see the class for the arguments."""
        super().__init__(message)
        self.message = message
        self.hint = hint
        if exit_code is not None:
            self.exit_code = exit_code

    def __str__(self) -> str:
        """Give the message, and the hint on a line of its own."""
        return f"{self.message}\n  hint: {self.hint}" if self.hint else self.message


class UsageError(EvalGateError):
    """The command line asks for something that cannot be done."""


class ConfigError(EvalGateError):
    """The config file, or a file that it names, is wrong."""


class DatasetError(EvalGateError):
    """The golden set, or a file of scores, is wrong."""


class SourceError(EvalGateError):
    """Git could not give a ref that is needed."""


class TargetError(EvalGateError):
    """The target cannot be set up at a ref."""


class ScorerError(EvalGateError):
    """A scorer cannot be set up."""


class RunSubmitted(EvalGateError):
    """No verdict yet, and nothing is wrong: requests are with a provider as a batch, and a later run goes on."""

    exit_code = ExitCode.SUBMITTED


class InfrastructureError(EvalGateError):
    """Something outside the change under test failed: a provider, the disk, the embedded model."""

    exit_code = ExitCode.INFRASTRUCTURE


class ProviderError(InfrastructureError):
    """One call to a model provider that failed for good, after its retries.

    Args:
        message: What the provider said.
        kind: The class of the failure; one of `records.FailureKind`.
        hint: What to do about it.
    """

    def __init__(self, message: str, *, kind: str, hint: str = "") -> None:
        """Store the failure's class beside the message."""
        super().__init__(message, hint=hint)
        self.kind = kind


class BudgetError(InfrastructureError):
    """The next call could pass the spending cap, so it was not made.

    Args:
        needs: Which cap must be raised, and to how much: "`max_usd` to at least $0.0260"; empty if that is not known.
    """

    def __init__(self, message: str, *, hint: str = "", exit_code: int | None = None, needs: str = "") -> None:
        """Store the message; see the class for the arguments."""
        super().__init__(message, hint=hint, exit_code=exit_code)
        self.needs = needs
