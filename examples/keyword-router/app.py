"""Reads one message a line as JSON, answers with the department that it is for."""

import json
import sys

KEYWORDS = {
    "billing": ("charged", "invoice", "refund", "price"),
    "shipping": ("parcel", "delivery", "arrived", "courier"),
    "account": ("password", "login", "e-mail address"),
}


def route(message: str) -> str:
    """The first department of which a keyword is in the message."""
    words = message.lower()
    return next((name for name, keys in KEYWORDS.items() if any(key in words for key in keys)), "other")


for line in sys.stdin:
    question = json.loads(line)
    print(json.dumps({"id": question["id"], "output": route(question["input"])}), flush=True)
