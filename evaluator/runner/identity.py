"""What a run and its answers hang on: equal parts, equal run. What changed since a run that was left, in words."""

from collections.abc import Mapping
from pathlib import Path

from evaluator import __version__
from evaluator.journal.folder import Left
from evaluator.policy import GoldenSet, Policy, policy_digests
from evaluator.runner.baselines import content_key
from evaluator.source.checkout import Sources

_ANSWERS_HANG_ON = {"dataset", "target", "judge", "scorers", "providers", "prices", "setup", "sandbox"}
"""Parts of a config that change answers and scores; with others changed, a run goes on where it was."""
_WORDS = {
    "base": "what is at base",
    "head": "what is at head",
    "rules": "files that the config names",
    "dataset": "the golden set",
    "cases": "the golden set",
    "environ": "the environment that the app is given",
    "version": "the version of llm-eval-gate",
    "server": "OPENAI_BASE_URL",
    "use_cache": "--no-cache",
    "repeats": "--repeats",
}


def content_of(policy: Policy, golden: GoldenSet, root: Path, tree: str, environ: Mapping[str, str]) -> str:
    """Key of all that answers and scores of a checkout hang on, for `Baselines`.

    Args:
        policy: The rules.
        golden: The cases.
        root: The checkout.
        tree: Git's hash of all its files.
        environ: Our environment.
    """
    prompt = policy.loaded.config.target.prompt
    # A prompt file can include no other; a process may read any file of its checkout.
    app = policy_digests(root, [prompt]) if prompt is not None else tree
    return content_key({**_rules(policy, golden, environ), "app": app})


def run_parts(
    sources: Sources,
    policy: Policy,
    golden: GoldenSet,
    environ: Mapping[str, str],
    *,
    pair: bool,
    use_cache: bool,
    repeats: int,
) -> dict[str, object]:
    """All that a run's identity is made of.

    Args:
        sources: The checkouts.
        policy: The rules.
        golden: The cases.
        environ: Our environment.
        pair: Whether base is run too.
        use_cache: Whether answers of earlier runs count.
        repeats: Answers a case, of one ref alone.
    """
    return {
        **_rules(policy, golden, environ),
        "base": sources.base.tree if pair else None,
        "head": sources.head.tree,
        "cases": [case.id for case in golden.cases],
        "use_cache": use_cache,
        "repeats": repeats,
    }


def named_parts(parts: Mapping[str, object], policy: Policy) -> dict[str, object]:
    """The parts of a run as people are told of them: a config by its sections."""
    found: dict[str, list[object]] = {}
    for name, part in parts.items():
        if name in _WORDS:
            found.setdefault(_WORDS[name], []).append(part)
    config = policy.loaded.config.model_dump(mode="json", include=_ANSWERS_HANG_ON)
    found["`engine:`"] = [policy.loaded.config.engine == "batch"]
    return {**found, **{f"`{name}:` of the config": section for name, section in config.items()}}


def told_of_left(left: Left, *, cached: bool) -> str:
    """One line about a run that the same command began and did not finish.

    Args:
        left: That run.
        cached: Whether the app's answers in it count for this one.
    """
    *most, last = left.changed or ("something",)
    changed = f"{', '.join(most)} and {last}" if most else last
    answers = f"{left.answers} answer" + ("s" if left.answers != 1 else "")
    told = (
        f"an unfinished run of this command has {answers} ({left.run_id}), but {changed} changed since:"
        f" this is a new run, and {'goes on from cached answers alone' if cached else 'asks the app anew'}"
    )
    if left.batches:
        out = ", ".join(name[:80] for name in left.batches)
        told += f"; what it has sent in batches is paid for and nobody collects it: cancel {out} at the provider"
    return told


def _rules(policy: Policy, golden: GoldenSet, environ: Mapping[str, str]) -> dict[str, object]:
    config = policy.loaded.config
    own = any(options.type == "python" for options in config.scorers)
    process = config.target.process
    names = (*process.env, *config.sandbox.env) if process is not None else ()
    return {
        # A scorer of the user's own may import whatever lies beside it, and a program may do as its environment says.
        "tree": policy.tree if own else None,
        "environ": {name: environ.get(name) for name in names},
        "version": __version__,
        "config": policy.loaded.config.model_dump_json(include=_ANSWERS_HANG_ON),
        "rules": policy_digests(policy.root, policy.files),
        "dataset": golden.digest,
        "cases": sorted(golden.gated),
        "server": environ.get("OPENAI_BASE_URL"),
        # A batch costs half and has no latencies; the other engines give what this process would.
        **({"engine": "batch"} if policy.loaded.config.engine == "batch" else {}),
    }
