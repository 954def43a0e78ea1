"""Turns the errors of a model call into the failure of a score."""

from evaluator.errors import BudgetError, ProviderError
from evaluator.records import Failure, FailureKind


def failure_of(error: ProviderError | BudgetError) -> Failure:
    """Keep the class and the message of a call that failed, so that it counts as an error and never as a score."""
    if isinstance(error, BudgetError):
        return Failure(FailureKind.BUDGET, error.message)
    return Failure(FailureKind(error.kind), error.message)
