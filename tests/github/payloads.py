"""The real payloads beside this file, and small edits of them."""

import copy
import json
from pathlib import Path
from typing import Any

from evaluator.github.activity import Activity, Request, choose
from evaluator.github.event import Pull, read_event

FOLDER = Path(__file__).parent / "events"
HEAD = "ec26c3e57ca3a959ca5aad62de7213c562f8c821"
BASE = "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"
MERGE = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = "Codertocat/Hello-World"
GONE = object()
"""In `edited`: the key is taken out."""

EVENT_OF = {path.name: path.name.split(".")[0] for path in sorted(FOLDER.glob("*.json"))}
"""Payload file -> name of its event."""


def payload(name: str) -> dict[str, Any]:
    """Load `name.json`."""
    loaded: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return loaded


def edited(document: dict[str, Any], **changes: object) -> dict[str, Any]:
    """Copy a payload with other values at some paths; `pull_request__head__sha` is a path."""
    changed = copy.deepcopy(document)
    for path, value in changes.items():
        *way, last = path.split("__")
        place = changed
        for key in way:
            place = place[key]
        if value is GONE:
            del place[last]
        else:
            place[last] = value
    return changed


def pull_in(document: dict[str, Any]) -> Pull:
    """The pull request of a payload."""
    subject = read_event("pull_request", document).subject
    assert isinstance(subject, Pull)
    return subject


def request(**fields: Any) -> Request:
    """What the job says, for the repository that most of the payloads are of."""
    return Request(**{"repository": REPOSITORY, "sha": MERGE, "ref": "refs/heads/master", **fields})


def decide(name: str, document: dict[str, Any], inputs: dict[str, Any] | None = None, /, **changes: Any) -> Activity:
    """Read an edited payload and choose."""
    return choose(read_event(name, edited(document, **changes)), request=request(**(inputs or {})))
