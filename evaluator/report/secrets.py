"""Strikes known keys out of a result document, which a provider may repeat; tells secrets by name."""

import base64
import json
import re
from collections.abc import Iterable

from evaluator.report.document import ResultDocument, dump

STRUCK = "***"
_SHORTEST = 8
"""Shorter keys are no secrets, and striking them would strike words."""
_SOUNDS_SECRET = re.compile(r"key|token|secret|passw|credential|auth", re.I)


def sounds_secret(name: str) -> bool:
    """Whether an environment variable of this name is likely to hold a secret."""
    return _SOUNDS_SECRET.search(name) is not None


def without_keys(document: ResultDocument, keys: Iterable[str]) -> ResultDocument:
    """The same document with every key, and its base64 form, struck out wherever it stands."""
    text = before = dump(document)
    for key in keys:
        if len(key) < _SHORTEST:
            continue
        for form in (key, base64.b64encode(key.encode()).decode().rstrip("=")):
            text = text.replace(json.dumps(form, ensure_ascii=False)[1:-1], STRUCK)
    return document if text == before else ResultDocument.model_validate_json(text)
