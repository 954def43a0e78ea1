"""What can go wrong between us and GitHub.

GitHubError                 exit code 3, with the HTTP status if there was an answer
├── PermissionDenied        the token may not do it: a fallback for publishers, never a crash
└── AnswerLost              no answer, or a server error: a write may have been executed all the same
"""

from evaluator.errors import InfrastructureError


class GitHubError(InfrastructureError):
    """GitHub refused a request, or could not be reached.

    Args:
        message: What was asked for and what GitHub said.
        status: HTTP status of the last answer; None if there was none.
        hint: What to do about it.
    """

    def __init__(self, message: str, *, status: int | None = None, hint: str = "") -> None:
        """Store the status beside the message."""
        super().__init__(message, hint=hint)
        self.status = status


class PermissionDenied(GitHubError):
    """The token may not do this: 401 or 403, or the 404 that hides from a writer what it may not touch."""


class AnswerLost(GitHubError):
    """No usable answer after all tries. Whoever wrote must read before it writes again."""
