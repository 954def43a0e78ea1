"""Imports a promptfoo config: its prompts, its first model, its tests with their variables and assertions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evaluator.errors import EvalGateError
from evaluator.records import JsonValue
from evaluator.starter.assemble import Shared, Test, assemble
from evaluator.starter.checks import TextCheck
from evaluator.starter.files import beside, read_yaml, short, to_json
from evaluator.starter.interface import MAX_CASES, Imported, Note
from evaluator.starter.promptfoo_asserts import Found, NoCounterpart, read_assertion
from evaluator.starter.promptfoo_prompts import provider_of, read_model, read_prompts
from evaluator.starter.promptfoo_tests import RawTest, read_tests, variables_of_test
from evaluator.starter.templating import TemplateProblem

KIND = "promptfoo"
_LOST = {
    "scenarios": "scenarios are not carried over",
    "redteam": "attacks are not generated here",
    "extensions": "code is not run",
    "nunjucksFilters": "filters of your own are code",
    "transform": "code is not run",
    "derivedMetrics": "a metric comes from a scorer here",
    "env": "environment variables belong in the workflow",
}
_LOST_OPTIONS = ("transform", "transformVars", "postprocess", "prefix", "suffix", "rubricPrompt", "storeOutputAs")


@dataclass(slots=True)
class _Reading:
    """What is gathered while the tests are read."""

    left_out: list[Note] = field(default_factory=list)
    adapted: dict[tuple[str, str], str] = field(default_factory=dict)
    """(kind of assertion, how it changes) -> the first place; one note for all."""
    comparers: list[dict[str, JsonValue]] = field(default_factory=list)
    limits: dict[str, float] = field(default_factory=dict)
    judge: str | None = None
    shared_checks: list[TextCheck] = field(default_factory=list)
    shared_criteria: list[str] = field(default_factory=list)


def import_config(root: Path, path: str) -> Imported:
    """Read a promptfoo config and the files below the root that it names.

    Args:
        root: The repository's root.
        path: The config, relative to it.

    Raises:
        EvalGateError: The config cannot be read, or is no plain YAML.
    """
    data = to_json(read_yaml(root, path))
    where = short(path, 200)
    if not isinstance(data, dict):
        return Imported(path, KIND, left_out=(Note(where, "the file", "it is no promptfoo config"),))
    reading = _Reading()
    for key, reason in _LOST.items():
        if data.get(key):
            reading.left_out.append(Note(where, f"`{key}`", reason))
    adapted: list[Note] = []
    prompts = read_prompts(root, path, data.get("prompts"), reading.left_out, adapted)
    model = read_model(path, data.get("providers", data.get("targets")), reading.left_out)
    defaults = _defaults(root, path, data.get("defaultTest"), reading)
    wanted = tuple(dict.fromkeys(name for prompt in prompts for name in prompt.variables))
    tests: list[Test] = []
    for raw in read_tests(root, path, data.get("tests"), reading.left_out):
        tests += _cases_of(root, raw, defaults, wanted, reading)
        if len(tests) >= MAX_CASES:
            reading.left_out.append(Note(raw.where, "all tests after this one", f"at most {MAX_CASES} are taken"))
            break
    shared = Shared(
        checks=tuple(reading.shared_checks),
        criteria=tuple(reading.shared_criteria),
        comparers=tuple(reading.comparers),
    )
    found = assemble(where, tests[:MAX_CASES], shared)
    adapted += [Note(place, kind, how) for (kind, how), place in reading.adapted.items()]
    judge = provider_of(reading.judge)
    return Imported(
        source=path,
        kind=KIND,
        cases=found.cases,
        scorers=found.scorers,
        prompts=tuple(prompts),
        provider=model.provider,
        model=model.name,
        params=model.params,
        limits={name: f"${most:g}" if "cost" in name else f"{most:g}s" for name, most in reading.limits.items()},
        rubric=found.rubric,
        judge=(judge.provider, judge.name) if judge and judge.provider and judge.name else None,
        left_out=(*reading.left_out, *found.left_out),
        adapted=(*adapted, *found.adapted),
    )


def _defaults(root: Path, path: str, found: JsonValue, reading: _Reading) -> Mapping[str, JsonValue]:
    where = f"{short(path, 200)}, defaultTest"
    if isinstance(found, str):
        try:
            found = to_json(read_yaml(root, beside(path, found)))
        except EvalGateError as error:
            reading.left_out.append(Note(where, "the defaults", error.message))
    defaults = found if isinstance(found, dict) else {}
    _note_options(where, defaults, reading)
    return defaults


def _note_options(where: str, test: Mapping[str, JsonValue], reading: _Reading) -> None:
    options = test.get("options")
    for key in options if isinstance(options, dict) else {}:
        if key in _LOST_OPTIONS:
            reading.left_out.append(Note(where, f"the option `{key}`", "put it into the prompt or the app"))
    if isinstance(options, dict) and (provider := options.get("provider")) is not None and reading.judge is None:
        identity = provider.get("id") if isinstance(provider, dict) else provider
        reading.judge = identity if isinstance(identity, str) else None
    if test.get("threshold") is not None:
        reading.adapted.setdefault(("`threshold` of tests", "each scorer is a metric with bounds of its own"), where)
    if test.get("provider") is not None:
        reading.left_out.append(Note(where, "a provider of its own", "one target asks one model"))


def _cases_of(
    root: Path, raw: RawTest, defaults: Mapping[str, JsonValue], wanted: tuple[str, ...], reading: _Reading
) -> list[Test]:
    _note_options(raw.where, raw.data, reading)
    default_variables = defaults.get("vars")
    base = default_variables if isinstance(default_variables, dict) else {}
    options = raw.data.get("options")
    plain = isinstance(options, dict) and options.get("disableDefaultAsserts") is True
    own = raw.data.get("assert")
    inherited = defaults.get("assert") if not plain else None
    metadata = raw.data.get("metadata")
    extra: dict[str, JsonValue] = dict(metadata) if isinstance(metadata, dict) else {}
    if raw.data.get("description"):
        extra["description"] = raw.data["description"]
    tests = []
    for variables in variables_of_test(root, raw, base, reading.left_out):
        gathered = _Gathered()
        for items, is_default in ((inherited, True), (own, False)):
            for item in items if isinstance(items, list) else []:
                _gather(item, raw.where, variables, gathered, reading, is_default=is_default)
        given, rest = _split(variables, wanted)
        tests.append(
            Test(
                where=raw.where,
                input=raw.where if given == {} else given,
                checks=tuple(gathered.checks),
                reference=gathered.reference,
                criteria=tuple(gathered.criteria),
                json_schema=gathered.json_schema,
                metadata={**rest, **extra},
            )
        )
    return tests


def _split(variables: Mapping[str, JsonValue], wanted: tuple[str, ...]) -> tuple[JsonValue, dict[str, JsonValue]]:
    """Give the case's input, and the variables that no prompt takes: often the right answer, which no judge may see."""
    if not wanted:
        return dict(variables), {}
    # A name that a test does not set is empty there, as it is in the tool's own templates.
    given = {name: variables.get(name, "") for name in wanted}
    rest = {name: value for name, value in variables.items() if name not in given}
    return (given["input"] if wanted == ("input",) and isinstance(given["input"], str) else dict(given)), rest


@dataclass(slots=True)
class _Gathered:
    checks: list[TextCheck] = field(default_factory=list)
    criteria: list[str] = field(default_factory=list)
    reference: str | None = None
    json_schema: JsonValue = None


def _gather(
    item: JsonValue,
    where: str,
    variables: Mapping[str, JsonValue],
    gathered: _Gathered,
    reading: _Reading,
    *,
    is_default: bool,
) -> None:
    kind = short(item.get("type", "assertion") if isinstance(item, dict) else "assertion")
    what = f"{kind}: {short(item.get('value', ''), 50)}" if isinstance(item, dict) and item.get("value") else kind
    try:
        found = read_assertion(item, variables)
    except (NoCounterpart, TemplateProblem) as problem:
        note = Note(f"{where}, assert" if not is_default else "defaultTest, assert", what, str(problem))
        if note not in reading.left_out:
            reading.left_out.append(note)
        return
    if found.adapted:
        reading.adapted.setdefault((kind, found.adapted), where)
    reading.judge = found.judge or reading.judge
    if found.limit is not None:
        metric, most = found.limit
        reading.limits[metric] = max(most, reading.limits.get(metric, 0.0))
    if found.json_schema is not None:
        gathered.json_schema = found.json_schema
    _place(found, what, where, gathered, reading, shared=is_default and found.same_everywhere)


def _place(found: Found, what: str, where: str, gathered: _Gathered, reading: _Reading, *, shared: bool) -> None:
    if found.check is not None:
        checks = reading.shared_checks if shared else gathered.checks
        if found.check not in checks:
            checks.append(found.check)
    if found.criterion is not None:
        criteria = reading.shared_criteria if shared else gathered.criteria
        if found.criterion not in criteria:
            criteria.append(found.criterion)
    if found.reference is not None and found.comparer is not None:
        if gathered.reference not in (None, found.reference):
            reading.left_out.append(Note(where, what, "a case has one model answer to compare with: the first"))
            return
        gathered.reference = found.reference
        if dict(found.comparer) not in reading.comparers:
            reading.comparers.append(dict(found.comparer))
