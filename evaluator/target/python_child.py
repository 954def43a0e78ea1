"""The child side of the `python` target: runs the app's function in a process of its own.

Started as a script by the app's interpreter in the ref's checkout, so it uses the standard library alone
(Python >= 3.8) and never imports the evaluator:

    python python_child.py FOLDER MODULE FUNCTION

One JSON question a line on stdin: {"id", "case", "input", "repeat", "metadata"}, or {"id", "ready": true}. One JSON
answer a line on what was stdout at the start: {"id", "value"}, {"id", "raised"} or {"id", "broken"} (the function
cannot be called at all). Whatever the app prints goes to stderr.
"""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import inspect
import json
import os
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

NAMES = ("input", "metadata", "case")
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
LIMIT = 1_000


class Unusable(Exception):
    """The function cannot be found or called; the text says why."""


def main() -> None:
    """Load the function, then answer questions until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)  # what the app prints, also from C code and child processes, must not end up among the answers
    sys.stdout = sys.stderr
    questions = os.fdopen(os.dup(0), "r", encoding="utf-8", newline="\n")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # nor may it read our questions
    os.close(nothing)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    call: Callable[[dict[str, Any]], Any] | None = None
    problem = ""
    try:
        call = bind(load(*sys.argv[1:4]))
    except Unusable as error:
        problem = str(error)
    for line in questions:
        question = json.loads(line)
        answer = {"broken": problem} if call is None else reply(call, question, loop)
        answers.write(encode(question["id"], answer) + "\n")
        answers.flush()


def load(folder: str, module_name: str, name: str) -> Any:
    """Import the module and find the function.

    Raises:
        Unusable: It is not there, or importing it fails.
    """
    root = str(Path(folder).resolve())
    # The first entry is this script's own folder, whose names must not shadow the app's modules.
    sys.path[0] = root
    if str(Path.cwd()) != root:
        sys.path.insert(1, str(Path.cwd()))
    sys.argv = [module_name]
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        parents = [module_name.rsplit(".", count)[0] for count in range(module_name.count(".") + 1)]
        if error.name not in parents:  # the app's own import fails
            raise Unusable(f"cannot import {module_name}: {describe(error)}") from None
        files = sorted(path.stem for path in Path(root).glob("*.py"))[:10]
        raise Unusable(f"no module {module_name!r} in {folder!r}; it has {', '.join(files) or 'none'}") from None
    except BaseException as error:  # also SystemExit: the process must live to say so
        traceback.print_exc()
        raise Unusable(f"cannot import {module_name}: {describe(error)}") from None
    module = found
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            own = sorted(key for key, value in vars(module).items() if inspect.isfunction(value))
            has = ", ".join(own[:10]) or "none"
            raise Unusable(f"{module_name} has no function {name!r}; it has {has}") from None
    if not callable(found):
        raise Unusable(f"{module_name}:{name} is no function but {type(found).__name__}")
    return found


def bind(function: Any) -> Callable[[dict[str, Any]], Any]:
    """Find out once how the function wants to be called.

    Parameters called `input`, `metadata` and `case` get just that, as keywords. Otherwise the first one gets the
    input, and a second one the metadata if it has no default.

    Raises:
        Unusable: It has other parameters that must be given.
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # written in C
        return lambda question: function(question["input"])
    places: list[str] = []
    keywords: dict[str, str] = {}
    left = [name for name in ("input", "metadata") if name not in {parameter.name for parameter in parameters}]
    gap = False
    for parameter in parameters:
        positional = parameter.kind in POSITIONAL
        first = positional and left[:1] == ["input"]
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            places += ["input"] if not places and not keywords and "input" in left else []
        elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
            keywords.update({name: name for name in left} if not places and not keywords else {})
        elif parameter.name not in NAMES and parameter.default is not inspect.Parameter.empty and not first:
            gap = True
        elif parameter.name not in NAMES and not (positional and left):
            raise Unusable(
                f"the function's parameter {parameter.name!r} has no value: expected (input), (input, metadata), or"
                f" parameters called {', '.join(NAMES)}; found {signature_text(function)}"
            )
        else:
            wanted = parameter.name if parameter.name in NAMES else left.pop(0)
            if positional and not gap:
                places.append(wanted)
            else:
                keywords[parameter.name] = wanted
    if not places and not keywords:
        raise Unusable(f"the function takes no input: found {signature_text(function)}, expected (input)")
    return lambda question: function(
        *(pick(question, name) for name in places), **{key: pick(question, name) for key, name in keywords.items()}
    )


def pick(question: dict[str, Any], name: str) -> Any:
    """Give the value of a name: the case without what is expected of it."""
    if name == "case":
        return {
            "id": question["case"],
            "input": question["input"],
            "metadata": question.get("metadata", {}),
            "repeat": question["repeat"],
        }
    return question.get("metadata", {}) if name == "metadata" else question["input"]


def reply(
    call: Callable[[dict[str, Any]], Any], question: dict[str, Any], loop: asyncio.AbstractEventLoop
) -> dict[str, Any]:
    """Call the function for one question and put its value into the form of an answer."""
    if question.get("ready"):
        return {"value": True}
    try:
        value = call(question)
        if inspect.isawaitable(value):
            value = loop.run_until_complete(wait_for(value))
    except (Exception, SystemExit, asyncio.CancelledError) as error:
        traceback.print_exc()
        return {"raised": describe(error)}
    finally:
        sys.stderr.flush()
    return {"value": value}


async def wait_for(awaitable: Awaitable[Any]) -> Any:
    """Turn any awaitable into a coroutine."""
    return await awaitable


def encode(number: int, answer: dict[str, Any]) -> str:
    """Write an answer as one line of JSON."""
    try:
        return json.dumps({"id": number, **answer}, ensure_ascii=True, allow_nan=False, default=plain)
    except (TypeError, ValueError, RecursionError) as error:
        return json.dumps({"id": number, "raised": f"{type(error).__name__}: what it returned is not JSON: {error}"})


def plain(value: Any) -> Any:
    """Turn dataclasses and pydantic models into dicts.

    Raises:
        TypeError: It is neither.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dump(mode="json")
    raise TypeError(f"{type(value).__name__} is neither text nor JSON")


def signature_text(function: Any) -> str:
    """Write a function's parameters as its author did."""
    return str(inspect.signature(function))[:200]


def describe(error: BaseException) -> str:
    """Write an error as its type, its text and the app's line, in one line."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    own = [frame for frame in frames if not frame.filename.startswith("<frozen")]
    where = f" ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {str(error)[:LIMIT]}{where}"


if __name__ == "__main__":
    main()
