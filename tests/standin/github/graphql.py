"""The few GraphQL operations that have no counterpart in REST: who am I, minimise a comment and show it again.

GitHub's API description does not cover GraphQL: the shapes are those of its documentation.
"""

import re
from collections.abc import Mapping
from typing import Any

from tests.standin.github.access import Refused, Token
from tests.standin.github.api import Answer
from tests.standin.github.state import Comment, Repository
from tests.standin.github.world import World

REASONS = {"ABUSE", "DUPLICATE", "LOW_QUALITY", "OFF_TOPIC", "OUTDATED", "RESOLVED", "SPAM"}
VIEWER = re.compile(r"\s*(query\s*\w*\s*)?\{\s*viewer\s*\{\s*login\s*\}\s*\}\s*")
MUTATION = re.compile(
    r"\s*mutation\b.*?\b(minimizeComment|unminimizeComment)\s*\(\s*input\s*:\s*\$input\s*\).*", re.DOTALL
)


class NotKnown(Exception):
    """The stand-in does not know the operation."""


def answer_graphql(world: World, token: Token | None, body: object) -> Answer:
    """Answer a GraphQL request; errors have status 200, as GraphQL has it."""
    if not isinstance(body, Mapping) or not isinstance(body.get("query"), str) or body.keys() - {"query", "variables"}:
        raise NotKnown("a GraphQL request has `query` and `variables`")
    if token is None:
        raise Refused(401, "This endpoint requires you to be authenticated.")
    if VIEWER.fullmatch(body["query"]):
        return Answer(200, {"data": {"viewer": {"login": token.user.login}}})
    if match := MUTATION.fullmatch(body["query"]):
        given = (body.get("variables") or {}).get("input")
        if not isinstance(given, Mapping) or "subjectId" not in given:
            raise NotKnown(f"{match[1]} needs variables.input.subjectId")
        return _minimize(world, token, match[1], given)
    raise NotKnown(f"the stand-in does not know the GraphQL operation {body['query']!r}")


def _minimize(world: World, token: Token, name: str, given: Mapping[str, Any]) -> Answer:
    hides = name == "minimizeComment"
    if hides and given.get("classifier") not in REASONS:
        raise NotKnown(f"classifier is one of {', '.join(sorted(REASONS))}")
    found = _comment(world, given["subjectId"])
    if found is None:
        message = f"Could not resolve to a node with the global id of '{given['subjectId']}'"
        return _failed(name, "NOT_FOUND", message)
    repository, comment = found
    if world.rank(repository, token) < world.WRITES:
        return _failed(name, "FORBIDDEN", "Resource not accessible by integration")
    comment.minimized = given["classifier"].lower().replace("_", "-") if hides else None
    shown = {"isMinimized": hides, "minimizedReason": comment.minimized}
    return Answer(200, {"data": {name: {f"{'un' if not hides else ''}minimizedComment": shown}}})


def _comment(world: World, node: str) -> tuple[Repository, Comment] | None:
    for repository in world.repositories.values():
        for comment in repository.comments.values():
            if f"IC_{comment.id}" == node:
                return repository, comment
    return None


def _failed(name: str, kind: str, message: str) -> Answer:
    return Answer(200, {"data": {name: None}, "errors": [{"type": kind, "path": [name], "message": message}]})
