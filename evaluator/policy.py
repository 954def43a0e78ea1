"""Trust: config, golden set and rubric come from base; what head changes in them is told and takes effect later."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluator.config.loading import CONFIG_NAMES, LoadedConfig, find_config, parse_config
from evaluator.config.model import Config
from evaluator.config.targets import SandboxSection
from evaluator.dataset.load import load_cases
from evaluator.errors import ConfigError, DatasetError, EvalGateError
from evaluator.records import Case, Side
from evaluator.source.paths import read_text_below, resolve

MAX_CONFIG_BYTES = 1_000_000
_MOST_EDITS = 8
MOST_ADDED = 200
"""Cases of head's own that are run, and never more than base has: a change must not run up the bill."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something of the policy that head edits."""

    path: str
    what: str
    effect: str


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of a run and where they come from."""

    loaded: LoadedConfig
    root: Path
    side: Side
    """`head` only where base has no config at all: the change that introduces the gate."""
    changes: tuple[Change, ...]
    tree: str = ""
    """Git's hash of all files where the rules are; own scorers may read any of them."""

    @property
    def files(self) -> list[str]:
        """Paths of the files that the config reads."""
        return policy_files(self.loaded)


@dataclass(frozen=True, slots=True)
class GoldenSet:
    """The cases of a run."""

    cases: tuple[Case, ...]
    """Base's cases first, then those that head adds."""
    gated: frozenset[str]
    """Ids that count for the verdict: base's."""
    digest: str
    """SHA-256 of the file, hexadecimal."""
    changes: tuple[Change, ...]


def load_policy(base: Path, head: Path, *, name: str | None = None, left: Path | None = None) -> Policy:
    """Read the config from base, or from head where base has none at all.

    Args:
        base: Base's checkout.
        head: Head's checkout.
        name: The config's path in the repository; looked for in the usual places if None.
        left: Checkout of the commit where head left base: what head has not touched since is none of its changes.

    Raises:
        ConfigError: There is none, or it is wrong.
    """
    found = _config_name(base, name)
    if found is None:
        in_head = _config_name(head, name)
        if in_head is None:
            raise ConfigError(
                f"no config file was found at base or head (looked for {name or ', '.join(CONFIG_NAMES)})",
                hint="`llm-eval-gate init` writes one; commit it, or use --head WORKTREE to try it uncommitted",
            )
        return Policy(_parse(head, in_head), head, "head", ())
    loaded = _parse(base, found)
    changes = []
    in_head = _config_name(head, found)
    if _untouched(head, left, found):
        pass
    elif in_head is None:
        changes.append(Change(found, "the config file is removed", "base's config ruled here"))
    elif (head_text := _text_at_head(head, in_head)) != _text(base, found):
        changes.append(Change(found, _what_is_edited(loaded, head_text, found), "takes effect after the merge"))
    ruling = find_config(head) if name is None else found
    if ruling is not None and ruling != found:
        changes.append(Change(ruling, "another config file is added", f"it would rule after the merge, not {found}"))
    for path in policy_files(loaded):
        if _digest(base, path) != _digest(head, path) and not _untouched(head, left, path):
            changes.append(Change(path, "a file that the config reads is edited", "takes effect after the merge"))
    return Policy(loaded, base, "base", tuple(changes))


def refuse_keys_of_head(policy: Policy, environ: Mapping[str, str]) -> None:
    """In CI a config that nobody has merged yet must not choose where a key is sent, or what its own app may reach.

    Raises:
        ConfigError: Head's config describes a provider with a key, or opens the cage, and there are keys to protect.
    """
    if not environ.get("CI"):
        return
    loaded, config = policy.loaded, policy.loaded.config
    keyed = [name for name, section in config.providers.items() if section.api_key_env]
    if keyed:
        raise ConfigError(
            f"{loaded.where('providers', keyed[0])}: base has no config, and head's names a provider with a key",
            hint="merge the config first: in CI no key is sent where only the change itself says",
        )
    process, setup, sandbox = config.target.process, config.setup, config.sandbox
    names = (*(process.env if process is not None else ()), *(setup.env if setup is not None else ()), *sandbox.env)
    if names or sandbox.network == "allow" or sandbox.read or sandbox.shared:
        where = loaded.where("sandbox" if sandbox != SandboxSection() else "setup" if setup and setup.env else "target")
        raise ConfigError(
            f"{where}: base has no config, and head's opens the cage of its own app",
            hint="merge the config first: in CI what an app may reach is not for the change itself to say",
        )


def policy_files(loaded: LoadedConfig) -> list[str]:
    """Paths of rubrics, schemas and the user's own scorers: they rule a run as the config does."""
    config = loaded.config
    paths = [config.judge.rubric] if config.judge and config.judge.rubric else []
    for options in config.scorers:
        for name in ("rubric", "schema_path", "path"):
            value = getattr(options, name, None)
            if isinstance(value, str):
                paths.append(value.rpartition(":")[0] if name == "path" else value)
    return list(dict.fromkeys(paths))


def policy_digests(root: Path, paths: Sequence[str]) -> dict[str, str | None]:
    """SHA-256 of files of a checkout, by path; None for one that is not there."""
    return {path: _digest(root, path) for path in paths}


def load_golden_set(
    policy: Policy, head: Path | None, *, left: Path | None = None, most: int | None = None
) -> GoldenSet:
    """Read base's golden set, and of head's what it adds.

    Args:
        policy: The rules, with the dataset's path.
        head: Head's checkout, where there is a second one.
        left: As for `load_policy`.
        most: Most cases that are run: a sample, drawn by a hash of the ids, so that it is the same from run to run.

    Raises:
        ConfigError: The dataset's path is wrong.
        DatasetError: The dataset is wrong.
    """
    section = policy.loaded.config.dataset
    try:
        path = resolve(policy.root, section.path, key="dataset")
    except EvalGateError as error:
        where = policy.loaded.where("dataset", "path")
        raise ConfigError(f"{where}: {error.message}", hint=error.hint) from None
    everything = load_cases(path, name=section.path, fields=section.fields)
    cases = _sample(everything, most)
    gated = frozenset(case.id for case in cases)
    digest = _file_digest(path)
    same = head is None or _digest(head, section.path) == digest or _untouched(head, left, section.path)
    if head is None or policy.side == "head" or same:
        return GoldenSet(tuple(cases), gated, digest, ())
    return _with_additions(policy, head, cases, digest, frozenset(case.id for case in everything))


def _sample(cases: list[Case], most: int | None) -> list[Case]:
    if most is None or len(cases) <= most:
        return cases
    kept = sorted(cases, key=lambda case: hashlib.sha256(case.id.encode("utf-8", "surrogatepass")).digest())[:most]
    ids = {case.id for case in kept}
    return [case for case in cases if case.id in ids]


def _with_additions(policy: Policy, head: Path, cases: list[Case], digest: str, known: frozenset[str]) -> GoldenSet:
    section = policy.loaded.config.dataset
    gated = frozenset(case.id for case in cases)
    try:
        in_head = load_cases(resolve(head, section.path, key="dataset"), name=section.path, fields=section.fields)
    except OSError as error:
        change = Change(section.path, f"the golden set cannot be read: {error.strerror}", "base's golden set was used")
        return GoldenSet(tuple(cases), gated, digest, (change,))
    except DatasetError as error:
        first = error.message.splitlines()[0]
        change = Change(section.path, f"the golden set has a mistake: {first}", "mend it before the merge")
        return GoldenSet(tuple(cases), gated, digest, (change,))
    except EvalGateError:
        change = Change(section.path, "the golden set is removed", "base's golden set was used")
        return GoldenSet(tuple(cases), gated, digest, (change,))
    by_id = {case.id: case for case in in_head}
    news = [case for case in in_head if case.id not in known]
    added = news[: min(MOST_ADDED, len(cases))]
    removed = sum(case.id not in by_id for case in cases)
    edited = sum(_content(case) != _content(by_id[case.id]) for case in cases if case.id in by_id)
    changes = []
    if news:
        what = f"{len(news)} cases are added"
        what += f", of which the first {len(added)} were run" if len(news) > len(added) else ""
        changes.append(Change(section.path, what, "run and reported here, gated after the merge"))
    if removed or edited:
        what = " and ".join(
            f"{count} cases are {word}" for count, word in ((edited, "edited"), (removed, "removed")) if count
        )
        changes.append(Change(section.path, what, "base's version was used; takes effect after the merge"))
    if not changes:
        changes.append(Change(section.path, "the file is edited, its cases are the same", "none"))
    return GoldenSet((*cases, *added), gated, digest, tuple(changes))


def _content(case: Case) -> tuple[object, ...]:
    return case.input, case.expected, case.tags, dict(case.metadata), case.cluster


def _config_name(root: Path, name: str | None) -> str | None:
    if name is None:
        return find_config(root)
    try:
        resolve(root, name, key="config")
    except EvalGateError:
        return None
    return name


def _parse(root: Path, name: str) -> LoadedConfig:
    return parse_config(_text(root, name), name)


def _text(root: Path, name: str) -> str:
    return read_text_below(root, name, max_bytes=MAX_CONFIG_BYTES, key="config")


def _text_at_head(root: Path, name: str) -> str:
    """Head's config as far as it can be read: it rules nothing, so a broken one is only told."""
    try:
        return _text(root, name)
    except EvalGateError as error:
        return f"\x00 {error.message}"


def _what_is_edited(base: LoadedConfig, text: str, name: str) -> str:
    """In words what head's config does differently: its bounds one by one, the rest by name."""
    try:
        head = parse_config(text, name).config
    except EvalGateError as error:
        return f"the config file is edited, and has a mistake: {error.message.splitlines()[0]}"
    told = _bounds_edited(base.config, head)
    told += [
        field for field in Config.model_fields
        if field != "objectives" and getattr(base.config, field) != getattr(head, field)
    ]  # fmt: skip
    shown = ", ".join(told[:_MOST_EDITS]) + (f" and {len(told) - _MOST_EDITS} more" if len(told) > _MOST_EDITS else "")
    return f"the config file is edited: {shown}" if told else "the config file is edited, what it says is the same"


def _bounds_edited(base: Config, head: Config) -> list[str]:
    found = []
    for name in dict.fromkeys((*base.objectives, *head.objectives)):
        old, new = base.objectives.get(name), head.objectives.get(name)
        if old is None or new is None:
            found.append(f"objective {name} is {'added' if old is None else 'removed'}")
            continue
        before, after = old.amounts(), new.amounts()
        for kind in dict.fromkeys((*before, *after)):
            if before.get(kind) != after.get(kind):
                found.append(f"{name}.{kind} {before.get(kind, 'none')} → {after.get(kind, 'none')}")
    return found


def _digest(root: Path, relative: str) -> str | None:
    try:
        return _file_digest(resolve(root, relative))
    except (EvalGateError, OSError):
        return None


def _untouched(head: Path, left: Path | None, path: str) -> bool:
    """Whether a file is at head as it was where head left base."""
    return left is not None and _digest(head, path) == _digest(left, path)


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
