"""Decides what the first files hold: target, golden set, scorers, objectives. Writes nothing."""

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluator.config.loading import parse_config
from evaluator.dataset.load import load_cases
from evaluator.errors import UsageError
from evaluator.records import Case, JsonValue
from evaluator.source import resolve
from evaluator.starter.files import short
from evaluator.starter.golden import example_cases, examples_left, fitting_scorers, golden_text
from evaluator.starter.interface import Imported, NewCase, Note, Prompt
from evaluator.starter.providers import KNOWN_PROVIDERS
from evaluator.starter.render import render
from evaluator.starter.scan import Choice

CONFIG_PATH = "llm-eval-gate.yml"
GOLDEN_PATH = "evals/golden.jsonl"
RUBRIC_PATH = "evals/rubric.md"
WORKFLOW_PATH = ".github/workflows/llm-eval-gate.yml"
EXAMPLE_PROMPT_PATH = "prompts/answer.prompt.yml"

_MAX_DROP = "5%"
_BUDGET_USD = 5
_FEWEST_CALLS = 1000


@dataclass(frozen=True, slots=True)
class Answers:
    """What the user wants."""

    choice: Choice
    provider: str
    model: str | None
    """None if the prompt file names it."""
    dataset: str | None = None
    """An existing golden set."""
    replace: bool = False
    """True if files that are there may be replaced."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The files to write, and what to say about them."""

    files: Mapping[str, str]
    """Path relative to the root -> text."""
    notes: tuple[str, ...]
    left_out: tuple[Note, ...]
    adapted: tuple[Note, ...]


def example_choice() -> Choice:
    """The target where no prompt was found: an example to be replaced."""
    return Choice(Prompt(EXAMPLE_PROMPT_PATH, render("prompt.yml.j2")))


def make_plan(root: Path, answers: Answers) -> Plan:
    """Make the first files.

    Args:
        root: The repository's root.
        answers: What the user wants.

    Returns:
        A plan whose config and golden set have been read back and are valid.

    Raises:
        EvalGateError: The named dataset is wrong.
    """
    files: dict[str, str] = {}
    notes: list[str] = []
    prompt = answers.choice.prompt
    imported = answers.choice.imported or Imported(prompt.path, "")
    if prompt.text is not None:
        files[prompt.path] = prompt.text
        if answers.choice.imported is None:
            notes.append(f"{prompt.path} is an example: replace it by your prompt")
    dataset, cases, is_import = _golden(root, answers, imported, files, notes)
    scorers = imported.scorers if is_import and imported.scorers else fitting_scorers(cases)
    judge = _judge(answers, imported, scorers, is_import=is_import)
    if judge is not None and is_import and imported.rubric is not None:
        files[RUBRIC_PATH] = imported.rubric
        judge["rubric"] = RUBRIC_PATH
    if answers.provider == "local" and judge is not None:
        notes.append("the embedded model is too small to judge: name another provider under `judge:`")
    model = answers.model or prompt.model or ""
    priced = _has_price(answers.provider, model)
    calls = len(cases) * 2 * (1 + sum(scorer["type"] in _JUDGES for scorer in scorers))
    provider_sections = _provider_sections({answers.provider, str((judge or {}).get("provider", "openai"))})
    limits = {name: most for name, most in imported.limits.items() if priced or not name.startswith("cost")}
    if len(limits) < len(imported.limits):
        notes.append(f"{short(model)} has no known price, so its cost is not bounded: add it under `prices:`")
    text = render(
        "llm-eval-gate.yml.j2",
        dataset=dataset,
        dataset_comment=_comment(cases),
        prompt=prompt.path,
        provider=answers.provider,
        model=answers.model,
        params=dict(imported.params),
        judge=judge,
        scorers=[_shortest(scorer) for scorer in scorers],
        objectives=_objectives(scorers, limits, priced=priced),
        budget={"max_usd": _BUDGET_USD} if priced else {"max_calls": max(_FEWEST_CALLS, _round_up(calls * 1.5))},
        providers=provider_sections,
    )
    parse_config(text, CONFIG_PATH)
    files[CONFIG_PATH] = text
    used = {answers.provider, str((judge or {}).get("provider", answers.provider)), *_scorer_providers(scorers)}
    names = [KNOWN_PROVIDERS[name].api_key_env for name in sorted(used) if name in KNOWN_PROVIDERS]
    secrets = sorted({name for name in names if name})
    files[WORKFLOW_PATH] = render("workflow.yml.j2", provider=answers.provider, secrets=secrets)
    for name in secrets:
        elsewhere = "GitHub sets it" if name == "GITHUB_TOKEN" else "on GitHub it must be a secret of the repository"
        notes.append(f"{name} must be set in the environment; {elsewhere}")
    return Plan(files, tuple(notes), imported.left_out, imported.adapted)


_JUDGES = ("judge", "judge_pairwise", "faithfulness", "context_recall")


def _golden(
    root: Path, answers: Answers, imported: Imported, files: dict[str, str], notes: list[str]
) -> tuple[str, Sequence[NewCase | Case], bool]:
    """Give the golden set's path, its cases, and whether they are the imported ones."""
    existing = answers.dataset or (GOLDEN_PATH if (root / GOLDEN_PATH).exists() else None)
    if answers.dataset is None and answers.replace and imported.cases:
        existing = None
    if existing is not None:
        cases = load_cases(resolve(root, existing, key="dataset"), name=existing)
        examples = examples_left(cases)
        if examples:
            notes.append(
                f"{short(existing, 200)} still holds {examples} examples: replace them by real cases, 100 or more"
            )
        notes += _unfilled(existing, cases, answers.choice.prompt.variables)
        if imported.cases:
            replaced = "leave --dataset out" if answers.dataset else "--force replaces it by them"
            notes.append(
                f"{existing} is used as it is; the {len(imported.cases)} cases of {short(imported.source, 200)}"
                f" are not imported ({replaced})"
            )
        return existing, cases, False
    made = list(imported.cases) or example_cases(answers.choice.prompt.variables)
    text = golden_text(made)
    files[GOLDEN_PATH] = text
    if not imported.cases:
        notes.append(f"{GOLDEN_PATH} holds {len(made)} examples: replace them by real cases, 100 or more")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "golden.jsonl"
        path.write_text(text, "utf-8")
        read_back = load_cases(path, name=GOLDEN_PATH)
    return GOLDEN_PATH, read_back, bool(imported.cases)


def _unfilled(name: str, cases: Sequence[Case], variables: Sequence[str]) -> list[str]:
    """Say which of the prompt's names the first case of an existing golden set does not fill."""
    given = cases[0].input if cases else None
    missing = [name for name in variables if name != "input" and not (isinstance(given, dict) and name in given)]
    shown = ", ".join(f"{{{{{short(variable, 40)}}}}}" for variable in missing[:5])
    return [f"the cases of {name} do not fill {shown} of the prompt"] if missing else []


def _comment(cases: Sequence[NewCase | Case]) -> str:
    if examples_left(cases):
        return "EXAMPLES: replace them by real cases; 100 or more see a drop of a few percent"
    return f"{len(cases)} cases; the more there are, the smaller a drop can be seen"


def _judge(
    answers: Answers, imported: Imported, scorers: Sequence[Mapping[str, JsonValue]], *, is_import: bool
) -> dict[str, JsonValue] | None:
    if not any(scorer["type"] in _JUDGES for scorer in scorers):
        return None
    provider, model = answers.provider, answers.model or answers.choice.prompt.model or ""
    known = KNOWN_PROVIDERS.get(provider)
    model = (known.judge if known else None) or model
    if is_import and imported.judge is not None and imported.judge[0] in KNOWN_PROVIDERS:
        provider, model = imported.judge
    return {"model": model, **({"provider": provider} if provider != "openai" else {})}


def _has_price(provider: str, model: str) -> bool:
    known = KNOWN_PROVIDERS.get(provider)
    if not model or provider == "local" or known is None:
        return False
    from evaluator.gateway.prices import Prices

    return Prices().known(model, price_provider=known.price_provider)


def _provider_sections(names: set[str]) -> dict[str, JsonValue]:
    sections: dict[str, JsonValue] = {}
    for name in sorted(names):
        known = KNOWN_PROVIDERS.get(name)
        if known is None or known.base_url is None:
            continue
        section: dict[str, JsonValue] = {"base_url": known.base_url}
        if known.api_key_env:
            section["api_key_env"] = known.api_key_env
        if known.price_provider:
            section["price_provider"] = known.price_provider
        sections[name] = section
    return sections


def _scorer_providers(scorers: Sequence[Mapping[str, JsonValue]]) -> set[str]:
    return {str(scorer.get("provider", "openai")) for scorer in scorers if scorer["type"] == "similarity"}


def _shortest(scorer: Mapping[str, JsonValue]) -> JsonValue:
    """`{type: f1}` is written `f1`."""
    return str(scorer["type"]) if list(scorer) == ["type"] else dict(scorer)


def _objectives(
    scorers: Sequence[Mapping[str, JsonValue]], limits: Mapping[str, str], *, priced: bool
) -> dict[str, dict[str, JsonValue]]:
    found: dict[str, dict[str, JsonValue]] = {}
    for scorer in scorers:
        name = str(scorer.get("name", scorer["type"]))
        for metric in ("accuracy", "macro_f1") if name == "classification" else (name,):
            found[metric] = {"max_drop": _MAX_DROP}
    if priced:
        found["cost_per_request"] = {"max_increase": "10%"}
    found["latency_p95"] = {"max_increase": "20%"}
    for name, most in limits.items():
        found[name] = {"max": most, **found.get(name, {})}
    return found


def _round_up(number: float) -> int:
    """Round up to a number of two digits and zeros."""
    step = int("1" + "0" * max(0, len(str(int(number))) - 2))
    return math.ceil(number / step) * step


def check_provider(name: str) -> None:
    """See that a provider can be written into a first config.

    Raises:
        UsageError: It is not known.
    """
    if name not in KNOWN_PROVIDERS:
        raise UsageError(
            f"provider {short(name)!r} is not known here (known: {', '.join(KNOWN_PROVIDERS)})",
            hint="take one of them, then describe your own in the config under `providers:`",
        )
