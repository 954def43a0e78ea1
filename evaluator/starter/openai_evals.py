"""Imports an eval of openai/evals: a registry file that names JSON Lines of messages (`input`) and answers."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluator.errors import EvalGateError
from evaluator.records import JsonValue
from evaluator.starter.assemble import Shared, Test, assemble
from evaluator.starter.checks import TextCheck
from evaluator.starter.files import as_text, beside, read_rows, read_yaml, short, to_json
from evaluator.starter.interface import MAX_CASES, Imported, Note, Prompt
from evaluator.starter.prompt_text import file_stem, prompt_yaml
from evaluator.starter.templating import is_template

KIND = "openai/evals"
_KINDS: dict[str, Any] = {"Match": "starts_with", "Includes": "contains", "FuzzyMatch": "contains", "JsonMatch": None}
_ROLES = ("system", "user", "assistant")

Messages = list[tuple[str, str]]
"""(role, content) in order."""


def import_registry_file(root: Path, path: str) -> list[Imported]:
    """Read every eval that a registry file describes.

    Args:
        root: The repository's root.
        path: A file such as `evals/registry/evals/arithmetic.yaml`, relative to it.

    Raises:
        EvalGateError: The file cannot be read, or is no YAML.
    """
    data = to_json(read_yaml(root, path))
    entries = data if isinstance(data, dict) else {}
    found = []
    for name, entry in entries.items():
        if isinstance(entry, dict) and isinstance(entry.get("class"), str):
            found.append(_import_eval(root, path, name, entry))
    if not found:
        note = Note(short(path, 200), "the file", "it describes no eval (an entry with `class`)")
        found.append(Imported(path, KIND, left_out=(note,)))
    return found


def _import_eval(root: Path, path: str, name: str, entry: dict[str, JsonValue]) -> Imported:
    where = f"{short(path, 200)}, {short(name)}"
    kind = str(entry["class"]).rpartition(":")[2]
    raw = entry.get("args")
    arguments = raw if isinstance(raw, dict) else {}
    samples = arguments.get("samples_jsonl")
    if not isinstance(samples, str) or "://" in samples:
        found = f"`samples_jsonl` is {short(samples)}" if samples else "it has no `samples_jsonl`"
        return Imported(path, KIND, left_out=(Note(where, "the eval", f"{found}; only files in this folder are read"),))
    left_out: list[Note] = []
    adapted: list[Note] = []
    # The registry's data stands beside its `evals` folder.
    file = beside(path, f"../data/{samples}")
    rows: list[tuple[str, Messages, JsonValue]] = []
    try:
        for line, value in read_rows(root, file):
            place = f"{short(file, 200)}:{line}"
            if isinstance(value, EvalGateError):
                left_out.append(Note(place, "the sample", value.message))
            elif len(rows) >= MAX_CASES:
                left_out.append(Note(place, "this sample and all after it", f"at most {MAX_CASES} are taken"))
                break
            elif (messages := _messages(value)) is None:
                left_out.append(Note(place, "the sample", "its `input` is neither text nor a list of chat messages"))
            else:
                rows.append((place, messages, to_json(value.get("ideal")) if isinstance(value, dict) else None))
    except EvalGateError as error:
        return Imported(path, KIND, left_out=(Note(where, f"its samples ({short(file, 200)})", error.message),))
    _note_arguments(where, arguments, left_out)
    check = _KINDS.get(kind)
    if kind not in _KINDS:
        reason = f"`{short(kind)}` is not carried over; a scorer was chosen by the look of `ideal`"
        left_out.append(Note(where, "the way of scoring", reason))
    elif kind == "FuzzyMatch":
        reason = "measured by `contains` in any case of letters: the ideal must be in the answer, not the reverse"
        adapted.append(Note(where, "FuzzyMatch", reason))
    elif kind == "JsonMatch":
        left_out.append(Note(where, "JsonMatch", "compare single fields instead: `exact_match` with `field`"))
    ignore_case = kind == "FuzzyMatch" or arguments.get("ignore_case") is True
    prompt, tests = _build(where, name, rows, check, ignore_case, left_out)
    found_all = assemble(where, tests, Shared())
    return Imported(
        source=path,
        kind=KIND,
        cases=found_all.cases,
        scorers=found_all.scorers,
        prompts=(prompt,) if prompt else (),
        left_out=(*left_out, *found_all.left_out),
        adapted=(*adapted, *found_all.adapted),
    )


def _messages(value: JsonValue) -> Messages | None:
    given = to_json(value.get("input")) if isinstance(value, dict) else None
    if isinstance(given, str):
        return [("user", given)]
    if not isinstance(given, list) or not given:
        return None
    messages: Messages = []
    for message in given:
        role, content = (message.get("role"), message.get("content")) if isinstance(message, dict) else (None, None)
        # Few-shot samples name the speaker of an example and give it the role of the system.
        if role not in _ROLES or not isinstance(content, str):
            return None
        messages.append((str(role), content))
    return messages


def _note_arguments(where: str, arguments: dict[str, JsonValue], left_out: list[Note]) -> None:
    for key in arguments:
        if key not in ("samples_jsonl", "ignore_case"):
            left_out.append(Note(where, f"`{short(key)}` under args", "there is nothing like it here"))


def _build(
    where: str,
    name: str,
    rows: Sequence[tuple[str, Messages, JsonValue]],
    check: Any,
    ignore_case: bool,
    left_out: list[Note],
) -> tuple[Prompt | None, list[Test]]:
    """Make one prompt of all samples: messages that are always the same stay in it, the others come from the case."""
    if not rows:
        return None, []
    shapes = Counter(tuple(role for role, _ in messages) for _, messages, _ in rows)
    shape = shapes.most_common(1)[0][0]
    for place, messages, _ in rows:
        if tuple(role for role, _ in messages) != shape:
            reason = f"its messages are {len(messages)}, in other roles than most samples'; one prompt cannot be both"
            left_out.append(Note(place, "the sample", reason))
    kept = [row for row in rows if tuple(role for role, _ in row[1]) == shape]
    # Text that looks like a template would be filled in; from the case it comes as it is.
    varying = [
        index
        for index in range(len(shape))
        if len({messages[index][1] for _, messages, _ in kept}) > 1 or is_template(kept[0][1][index][1])
    ] or [len(shape) - 1]
    names = {index: "input" if len(varying) == 1 else f"{shape[index]}_{index + 1}" for index in varying}
    first = kept[0][1]
    content = [f"{{{{{names[index]}}}}}" if index in names else first[index][1] for index in range(len(shape))]
    stem = file_stem(name)
    text = prompt_yaml(stem, list(zip(shape, content, strict=True)))
    prompt = Prompt(f"prompts/{stem}.prompt.yml", text, variables=tuple(names.values()))
    tests = []
    for place, messages, ideal in kept:
        values = {variable: messages[index][1] for index, variable in names.items()}
        given: JsonValue = values["input"] if "input" in values else dict(values)
        answers = tuple(as_text(answer) for answer in (ideal if isinstance(ideal, list) else [ideal])
                        if isinstance(answer, str | int | float) and answer != "")  # fmt: skip
        if not answers:
            left_out.append(Note(place, "`ideal`", "it holds no text; the case has no `expected`"))
        checks = (TextCheck(check, answers, every=False, ignore_case=ignore_case),) if check and answers else ()
        tests.append(Test(place, given, checks, reference=None if checks or not answers else answers[0]))
    return prompt, tests
