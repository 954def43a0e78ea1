"""Imports a `.prompt.yml` of GitHub Models: the prompt stays where it is, test data and evaluators are taken over."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluator.errors import TargetError
from evaluator.records import JsonValue
from evaluator.starter.assemble import Shared, Test, assemble
from evaluator.starter.checks import TextCheck
from evaluator.starter.files import as_text, read_yaml, short, to_json
from evaluator.starter.interface import MAX_CASES, Imported, Note, Prompt
from evaluator.starter.templating import TemplateProblem, fill, is_template, variables_of
from evaluator.target.prompt_file import load_prompt

KIND = "GitHub Models"
_STRINGS: dict[str, tuple[Any, bool]] = {
    "equals": ("equals", False),
    "contains": ("contains", True),
    "startsWith": ("starts_with", True),
    "endsWith": ("ends_with", True),
}
"""Its word -> our kind of check, and whether it ignores case."""
_JUDGED = ("github/similarity", "github/relevance", "github/coherence", "github/fluency")
_GROUNDED = "github/groundedness"


def import_prompt_file(root: Path, path: str) -> Imported:
    """Read a prompt file with its `testData` and `evaluators`.

    Args:
        root: The repository's root.
        path: The file, relative to it.

    Raises:
        EvalGateError: The file cannot be read, or is no YAML.
    """
    data = to_json(read_yaml(root, path))
    where = short(path, 200)
    if not isinstance(data, dict) or not isinstance(data.get("messages"), list):
        note = Note(where, "the file", "it has no list of `messages`, so it is no prompt file")
        return Imported(path, KIND, left_out=(note,))
    left_out: list[Note] = []
    try:
        load_prompt(root / path, name=where)
        names = variables_of(_all_text(data["messages"]))
    except TemplateProblem as problem:
        return Imported(path, KIND, left_out=(Note(where, "the prompt", str(problem)),))
    except TargetError as error:
        return Imported(path, KIND, left_out=(Note(where, "the prompt", error.message),))
    rows = data.get("testData")
    rows = rows if isinstance(rows, list) else []
    if len(rows) > MAX_CASES:
        left_out.append(Note(where, f"{len(rows) - MAX_CASES} rows of testData", f"at most {MAX_CASES} are taken"))
    tests, shared, adapted, rubric_model = _tests(where, rows[:MAX_CASES], data.get("evaluators"), names, left_out)
    found = assemble(where, tests, shared)
    model = data.get("model")
    model = model if isinstance(model, str) and model else None
    provider = "github" if model and "/" in model else None
    return Imported(
        source=path,
        kind=KIND,
        cases=found.cases,
        scorers=found.scorers if found.cases else (),
        prompts=(Prompt(path, model=model, variables=names),),
        provider=provider,
        model=model,
        rubric=found.rubric,
        judge=("github", rubric_model) if rubric_model and "/" in rubric_model else None,
        left_out=(*left_out, *found.left_out),
        adapted=(*adapted, *found.adapted),
    )


def _all_text(messages: JsonValue) -> str:
    items = messages if isinstance(messages, list) else []
    contents = [message.get("content") for message in items if isinstance(message, dict)]
    return "\n".join(content for content in contents if isinstance(content, str))


def _tests(
    where: str, rows: list[JsonValue], evaluators: JsonValue, names: tuple[str, ...], left_out: list[Note]
) -> tuple[list[Test], Shared, list[Note], str | None]:
    """Give the tests, what all share, notes on what changes its form, and the model that judges."""
    adapted: list[Note] = []
    strings: list[tuple[str, TextCheck]] = []
    criteria: list[str] = []
    comparers: list[dict[str, JsonValue]] = []
    judge_model: str | None = None
    for number, evaluator in enumerate(evaluators if isinstance(evaluators, list) else [], start=1):
        if not isinstance(evaluator, dict):
            left_out.append(Note(where, f"evaluator {number}", "it is no object"))
            continue
        label = f"evaluator {short(evaluator.get('name') or number, 40)!r}"
        string, llm, uses = evaluator.get("string"), evaluator.get("llm"), evaluator.get("uses")
        if isinstance(string, dict) and (check := _string_check(string)):
            strings.append((label, check))
        elif isinstance(llm, dict) and isinstance(llm.get("prompt"), str):
            criteria.append(_criterion(llm))
            model = llm.get("modelId")
            judge_model = model if isinstance(model, str) and model else judge_model
            reason = "its prompt became a part of the judge's rubric, which has a scale of its own; read it over"
            adapted.append(Note(where, label, reason))
        elif uses in _JUDGED:
            comparers.append({"type": "judge"})
            adapted.append(Note(where, f"{label} ({uses})", "a judge with a rubric of ours measures it"))
        elif uses == _GROUNDED:
            reason = "it needs the passages that the app retrieved: see the scorer `faithfulness`"
            left_out.append(Note(where, f"{label} ({uses})", reason))
        else:
            known = f"`uses: {short(uses, 40)}` is not known" if uses else "it is none of string, llm, uses"
            left_out.append(Note(where, label, known))
    constant = tuple(check for _, check in strings if not any(is_template(value) for value in check.values))
    templated = [(label, check) for label, check in strings if check not in constant]
    tests = []
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            left_out.append(Note(where, f"testData {number}", "the row is no object"))
            continue
        test = _test(f"{where}, testData {number}", row, templated, names, left_out)
        if test is not None:
            tests.append(test)
    return tests, Shared(constant, tuple(criteria), None, tuple(comparers)), adapted, judge_model


def _string_check(string: Mapping[str, JsonValue]) -> TextCheck | None:
    # The tool looks at the first of these that is set.
    for word in ("equals", "contains", "startsWith", "endsWith"):
        value = string.get(word)
        if isinstance(value, str | int | float) and as_text(value):
            kind, ignore_case = _STRINGS[word]
            return TextCheck(kind, (as_text(value),), ignore_case=ignore_case)
    return None


def _criterion(llm: Mapping[str, JsonValue]) -> str:
    names = {"completion": "the ANSWER", "input": "the QUESTION", "expected": "EXPECTED"}
    text = "\n".join(str(llm[part]) for part in ("systemPrompt", "prompt") if isinstance(llm.get(part), str))
    for name, words in names.items():
        text = text.replace(f"{{{{{name}}}}}", words).replace(f"{{{{ {name} }}}}", words)
    choices = llm.get("choices")
    marks = [
        f"{choice.get('choice')} = {choice.get('score')}"
        for choice in (choices if isinstance(choices, list) else [])
        if isinstance(choice, dict)
    ]
    return text + (f"\n(Its choices were: {', '.join(marks)}; 1 is the best.)" if marks else "")


def _test(
    where: str,
    row: Mapping[str, JsonValue],
    templated: list[tuple[str, TextCheck]],
    names: tuple[str, ...],
    left_out: list[Note],
) -> Test | None:
    missing = [name for name in names if name not in row]
    if missing:
        left_out.append(Note(where, "the row", f"it has no value for {{{{{short(missing[0], 40)}}}}}"))
        return None
    checks = []
    for label, check in templated:
        try:
            values = tuple(fill(value, row) for value in check.values)
        except TemplateProblem as problem:
            left_out.append(Note(where, label, str(problem)))
            continue
        if all(values):
            checks.append(TextCheck(check.kind, values, ignore_case=check.ignore_case))
    expected = row.get("expected")
    extra = {key: value for key, value in row.items() if key not in names and key != "expected"}
    given: JsonValue = {name: row[name] for name in names}
    if names == ("input",) and isinstance(row["input"], str):
        given = row["input"]
    elif not names:
        given = where if row.get("input") is None else row["input"]
        extra.pop("input", None)
    return Test(
        where=where,
        input=given,
        checks=tuple(checks),
        reference=as_text(expected) if isinstance(expected, str | int | float) and expected != "" else None,
        metadata=extra,
    )
