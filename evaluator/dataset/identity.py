"""Which case is which: the id made from an input, and a small table of the ids already seen."""

import hashlib
import json
import unicodedata
from array import array

from evaluator.records import JsonValue

_HEX_DIGITS = 12
_FIRST_SLOTS = 1024


def normalised(value: JsonValue) -> JsonValue:
    """Bring all text in a value, keys too, into Unicode normal form C (UAX 15), and sort the keys of objects."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, list):
        return [normalised(item) for item in value]
    if isinstance(value, dict):
        # Sorted before and after, so that keys that differ only in their normal form always resolve alike.
        pairs = {unicodedata.normalize("NFC", key): normalised(value[key]) for key in sorted(value)}
        return dict(sorted(pairs.items()))
    return value


def canonical_text(value: JsonValue) -> str:
    """Write a value as JSON in one fixed way: normal form C, sorted keys, no spaces."""
    return json.dumps(normalised(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def input_id(value: JsonValue) -> str:
    """Make a case's id from its input: "h-" and the first 12 hexadecimal digits of SHA-256 of its canonical text.

    The same for any order of keys and any Unicode normal form.
    """
    return "h-" + hashlib.sha256(canonical_text(value).encode()).hexdigest()[:_HEX_DIGITS]


class SeenNames:
    """Remembers on which line a name first stood, in 18 to 36 bytes a name.

    An open-addressing table of 64-bit digests; two of a million names collide with a chance of 3 in 100 million.
    """

    def __init__(self) -> None:
        """Start empty."""
        self._digests = array("Q", [0]) * _FIRST_SLOTS
        self._lines = array("I", [0]) * _FIRST_SLOTS
        self._used = 0

    def first_line(self, name: str, line: int) -> int | None:
        """Give the line on which the name stood before; remember this line and give None if it is new."""
        digest = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little") or 1
        slot = self._slot(digest)
        if self._digests[slot]:
            return self._lines[slot]
        self._digests[slot] = digest
        self._lines[slot] = line
        self._used += 1
        if self._used * 3 > len(self._digests) * 2:
            self._grow()
        return None

    def _slot(self, digest: int) -> int:
        """Give the slot that holds a digest, or the free one where it belongs (0 marks a free slot)."""
        digests = self._digests
        mask = len(digests) - 1
        slot = digest & mask
        while digests[slot] and digests[slot] != digest:
            slot = (slot + 1) & mask
        return slot

    def _grow(self) -> None:
        old_digests, old_lines = self._digests, self._lines
        self._digests = array("Q", [0]) * (2 * len(old_digests))
        self._lines = array("I", [0]) * (2 * len(old_lines))
        for digest, line in zip(old_digests, old_lines, strict=True):
            if digest:
                slot = self._slot(digest)
                self._digests[slot] = digest
                self._lines[slot] = line
