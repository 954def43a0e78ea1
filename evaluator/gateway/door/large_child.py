"""A process that reads large JSON texts for the door: one line of orders and a text in, one line and a text out.

Started by its path, so that it imports nothing of ours but `reading.py`, which lies beside it.
"""

import json
import os
import resource
import sys
from dataclasses import asdict, replace
from typing import BinaryIO

if __name__ == "__main__":
    from reading import NotJson, digest_of, json_object, pruned, read_request  # type: ignore[import-not-found]
else:
    from evaluator.gateway.door.reading import NotJson, digest_of, json_object, pruned, read_request

MOST_MEMORY = 1_000_000_000
"""A text of empty lists needs thirty times its size, one of long strings six times."""
_NICER = 5
"""Whoever waits for a large text can wait a little longer than those who wait for a small one."""


def main(orders: BinaryIO, answers: BinaryIO) -> None:
    """Read until there are no more."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    os.nice(_NICER)
    while line := orders.readline():
        order = json.loads(line)
        text = orders.read(order.pop("size"))
        try:
            told, sent = _read(order, text)
        except NotJson as error:
            told, sent = {"refused": str(error)}, b""
        except MemoryError:
            told, sent = {"refused": "the body holds too many values"}, b""
        answers.write(json.dumps({**told, "size": len(sent)}).encode() + b"\n" + sent)
        answers.flush()


def _read(order: dict[str, object], text: bytes) -> tuple[dict[str, object], bytes]:
    if order.pop("answer"):
        return {"fields": pruned(json_object(text, strict=False))}, b""
    asked, sent = read_request(text, **order)
    return {"asked": asdict(replace(asked, digest=digest_of(sent)))}, sent


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
