"""The door's own errors, in the shape of the provider that the app believes to talk to."""

import json
from collections.abc import Mapping

from aiohttp import web

from evaluator.gateway.door.routes import Dialect

BUDGET_STATUS = 402
"""Past a cap: a status that no official client retries (they retry 408, 409, 429 and 5xx)."""


class Refused(Exception):
    """The door answers a request itself instead of the provider.

    Args:
        status: HTTP status.
        message: What is wrong; shown to the app.
        code: Short name of the reason.
        again: Whether asking again may help; told to clients by the header that they know.
    """

    def __init__(self, status: int, message: str, *, code: str, again: bool = False) -> None:
        """Store the parts; see the class."""
        super().__init__(message)
        self.status, self.message, self.code, self.again = status, message, code, again

    def response(self, dialect: Dialect) -> web.Response:
        """The answer that the app gets."""
        headers = {"x-should-retry": "true" if self.again else "false"}
        body = json.dumps(_shape(dialect, self.message, self.code)).encode()
        return web.Response(status=self.status, body=body, content_type="application/json", headers=headers)


def _shape(dialect: Dialect, message: str, code: str) -> Mapping[str, object]:
    if dialect is Dialect.ANTHROPIC:
        return {"type": "error", "error": {"type": code, "message": message}}
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code}}
