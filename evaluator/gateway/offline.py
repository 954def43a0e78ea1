"""A model caller that never calls: for checking that everything can be set up, before a run."""

from typing import NoReturn

from evaluator.errors import UsageError
from evaluator.gateway.interface import ChatRequest


class Offline:
    """A `ModelCaller` whose every call is an error."""

    async def chat(self, request: ChatRequest) -> NoReturn:
        """Refuse.

        Raises:
            UsageError: Always.
        """
        raise UsageError(f"model '{request.model[:80]}' was asked while nothing may be called")

    async def embed(self, texts: tuple[str, ...], *, provider: str, model: str) -> NoReturn:
        """Refuse, as `chat` does."""
        raise UsageError(f"model '{model[:80]}' was asked while nothing may be called")
