"""What a config names in the repository besides its files: tags of slices, the anchor's ref, patterns of paths.

A run finds a mistake there late or never: a pattern that matches nothing passes every pull request unseen.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from evaluator.action.when import matches
from evaluator.config.loading import LoadedConfig
from evaluator.errors import SourceError
from evaluator.gate.families import FEWEST_IN_SLICE
from evaluator.records import Case
from evaluator.results.slices import gating_tags
from evaluator.source.git import Git, GitFailed
from evaluator.source.refs import check_repository, resolve_commit
from evaluator.source.releases import LAST_RELEASE, last_release

_SHOWN = 10
_WILDCARDS = frozenset("*?")


@dataclass(frozen=True, slots=True)
class AnchorFound:
    """What the config's anchor is in this repository."""

    told: str
    """A sentence on it; quotes the config and the repository."""
    there: bool
    """Whether a run would ask it."""


def small_slices(loaded: LoadedConfig, cases: Sequence[Case]) -> list[str]:
    """Warnings of slices that are to gate and are too small to fail.

    Raises:
        UsageError: No case has a tag that is named.
    """
    units = {
        tag: len({case.cluster or (case.id,) for case in cases if tag in case.tags})
        for tag in gating_tags(loaded, cases)
    }
    small = [f"'{tag[:60]}' ({count})" for tag, count in units.items() if count < FEWEST_IN_SLICE]
    if not small:
        return []
    more = f" and {len(small) - _SHOWN} more" if len(small) > _SHOWN else ""
    return [
        f"{loaded.where('slices', 'gate')}: a slice with fewer than {FEWEST_IN_SLICE} cases is reported and cannot"
        f" fail: {', '.join(small[:_SHOWN])}{more}"
    ]


def find_anchor(loaded: LoadedConfig, root: Path, environ: Mapping[str, str]) -> AnchorFound | None:
    """What the anchor is, as far as this clone tells; None where the config names none.

    Raises:
        SourceError: The config names a ref that does not exist.
    """
    section = loaded.config.anchor
    if section is None:
        return None
    git, ref = Git(root.resolve(), environ), section.ref
    try:
        check_repository(git)
    except SourceError as error:
        return AnchorFound(f"anchor: {ref} cannot be looked up: {error.message}", there=True)
    if ref == LAST_RELEASE:
        released = last_release(root, "HEAD", environ)
        if released is None:
            told = (
                "there is no release yet (no tag such as v1.2.0 in the history of HEAD), so nothing is compared with it"
            )
            return AnchorFound(f"anchor: {told}", there=False)
        ref = released
    try:
        sha = resolve_commit(git, ref, side="anchor")
    except SourceError as error:
        raise SourceError(f"{loaded.where('anchor')}: {error.message}", hint=error.hint) from None
    named = ref if ref == section.ref else f"{section.ref} is {ref}"
    return AnchorFound(f"anchor: {named}, commit {sha[:12]}", there=True)


def idle_patterns(loaded: LoadedConfig, root: Path, environ: Mapping[str, str]) -> list[str]:
    """Warnings of patterns under `when.paths` that match no file of the checkout, with the nearest that would."""
    patterns = loaded.config.when.paths
    if not patterns:
        return []
    files = _files(root, environ)
    return [
        f"{loaded.where('when', 'paths')}: '{pattern[:120]}' matches no file here{_meant(pattern, files)}"
        for pattern in patterns
        if not any(matches(file, pattern) for file in files)
    ]


def _files(root: Path, environ: Mapping[str, str]) -> list[str]:
    """Paths of the checkout's files, those that git ignores left out."""
    try:
        listed = Git(root.resolve(), environ).items(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        return [path.decode("utf-8", "backslashreplace") for path in listed]
    except GitFailed:
        return [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]


def _meant(pattern: str, files: Iterable[str]) -> str:
    """`; did you mean '...'?` for the nearest pattern that matches, or an empty string."""
    plain = pattern.removeprefix("./").removeprefix("/").rstrip("/")
    there = list(files)
    for guess in (f"{plain}/**", f"**/{plain}"):
        if any(matches(file, guess) for file in there):
            return f"; did you mean '{guess}'?"
    parts = plain.split("/")
    fixed = next((place for place, part in enumerate(parts) if _WILDCARDS & set(part)), len(parts))
    folders = {str(folder) for file in there for folder in PurePosixPath(file).parents} - {"."}
    near = difflib.get_close_matches("/".join(parts[:fixed]), sorted({*folders, *there}), n=3, cutoff=0.6)
    guesses = ("/".join([name, *parts[fixed:]]) for name in near)
    fits = next((guess for guess in guesses if any(matches(file, guess) for file in there)), None)
    return f"; did you mean '{fits}'?" if fits else ""
