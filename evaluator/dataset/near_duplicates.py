"""Finds inputs that are almost the same, in time that grows with the number of cases, not with its square.

MinHash signatures (Broder 1997) of the 5-byte shingles of each text, banded into buckets (Indyk and Motwani 1998); what
shares a bucket is compared exactly. Shingles of UTF-8 bytes suit every script: five letters of English, not quite two
syllables of Korean.
"""

import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evaluator.dataset.identity import canonical_text
from evaluator.records import JsonValue

THRESHOLD = 0.8
"""Smallest Jaccard similarity of the shingles of two near-duplicates."""

_WIDTH = 5
_MAX_BYTES = 20_000
_BANDS = 16
_ROWS = 4
_COMPARED = 4
"""Members of a bucket that a newcomer is compared with: keeps a large bucket linear."""

_MARGIN = 0.2
"""Four standard errors of a similarity of 0.8 estimated from 64 hash functions."""

Hashes = NDArray[np.uint64]


def near_duplicates(inputs: Sequence[JsonValue], *, threshold: float = THRESHOLD, seed: int = 0) -> list[list[int]]:
    """Group the inputs that are nearly the same.

    Objects are near-duplicates if they have the same keys and each value is nearly the same, so that questions about
    one long document are told apart. A pair at the threshold is found with a chance above 99.9 %.

    Args:
        inputs: Inputs of cases.
        threshold: Smallest Jaccard similarity (intersection over union) of the shingle sets, 0 to 1.
        seed: Seed of the hash functions.

    Returns:
        Groups of two or more indices into `inputs`, each sorted, in order of their first member.
    """
    generator = np.random.default_rng(seed)
    # Odd multipliers permute the 64-bit numbers.
    multipliers = generator.integers(0, 2**64, size=(_BANDS * _ROWS, 1), dtype=np.uint64) | np.uint64(1)
    buckets: dict[bytes, list[int]] = {}
    signatures: list[Hashes] = []
    parent = list(range(len(inputs)))
    for index, value in enumerate(inputs):
        parts = _parts(value)
        signature = _signature(parts, multipliers)
        candidates: set[int] = set()
        for key in _band_keys(parts, signature):
            bucket = buckets.setdefault(key, [])
            candidates.update(bucket)
            if len(bucket) < _COMPARED:
                bucket.append(index)
        for other in _likely(signature, sorted(candidates), signatures, threshold):
            if _root(parent, other) != _root(parent, index) and _similar(parts, _parts(inputs[other]), threshold):
                parent[_root(parent, index)] = _root(parent, other)
        signatures.append(signature)
    groups: dict[int, list[int]] = {}
    for index in range(len(inputs)):
        groups.setdefault(_root(parent, index), []).append(index)
    return sorted(group for group in groups.values() if len(group) > 1)


def _root(parent: list[int], index: int) -> int:
    while parent[index] != index:
        parent[index] = parent[parent[index]]
        index = parent[index]
    return index


def _parts(value: JsonValue) -> dict[str, bytes]:
    """Give the texts to compare, by key: one for each value of an object, one for anything else."""
    values = value if isinstance(value, dict) else {"": value}
    return {key: _folded(values[key]) for key in sorted(values)}


def _folded(value: JsonValue) -> bytes:
    """Fold away what makes no different text: case, compatibility forms, white space."""
    text = value if isinstance(value, str) else canonical_text(value)
    # A character becomes 18 at most (NFKC), so cut before the work and after it.
    folded = unicodedata.normalize("NFKC", text[:_MAX_BYTES]).casefold()
    return " ".join(folded.split()).encode()[:_MAX_BYTES]


def _shingles(text: bytes) -> Hashes:
    """Give the distinct runs of five bytes, well mixed (the finaliser of SplitMix64, Steele et al. 2014)."""
    codes = np.frombuffer(text.ljust(_WIDTH, b"\0"), dtype=np.uint8).astype(np.uint64)
    windows = len(codes) - _WIDTH + 1
    packed = np.zeros(windows, dtype=np.uint64)
    for offset in range(_WIDTH):
        packed = (packed << np.uint64(8)) | codes[offset : offset + windows]
    mixed = np.unique(packed) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _signature(parts: Mapping[str, bytes], multipliers: Hashes) -> Hashes:
    """Give the MinHash signature: shape (parts, hash functions)."""
    minima = [(_shingles(text)[np.newaxis, :] * multipliers).min(axis=1) for text in parts.values()]
    return np.stack(minima) if minima else np.zeros((1, len(multipliers)), dtype=np.uint64)


def _band_keys(parts: Mapping[str, bytes], signature: Hashes) -> list[bytes]:
    """Give a key for each band: four minima of every part, so that one equal part alone does not fill a bucket."""
    names = "\0".join(parts).encode()
    return [bytes([band]) + names + signature[:, band * _ROWS : (band + 1) * _ROWS].tobytes() for band in range(_BANDS)]


def _likely(signature: Hashes, candidates: list[int], signatures: list[Hashes], threshold: float) -> list[int]:
    """Drop the candidates whose signatures differ too much: the share of equal minima estimates the similarity."""
    if not candidates:
        return []
    shares = (np.stack([signatures[other] for other in candidates]) == signature).mean(axis=2).min(axis=1)
    return [other for other, share in zip(candidates, shares, strict=True) if share >= threshold - _MARGIN]


def _similar(first: Mapping[str, bytes], second: Mapping[str, bytes], threshold: float) -> bool:
    """Tell whether every part of two inputs reaches the Jaccard similarity."""
    if first.keys() != second.keys():
        return False
    for key, text in first.items():
        one, two = _shingles(text), _shingles(second[key])
        common = len(np.intersect1d(one, two, assume_unique=True))
        if common < threshold * (len(one) + len(two) - common):
            return False
    return True
