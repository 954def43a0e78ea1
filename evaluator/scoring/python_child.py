"""The child side of the `python` scorer: runs the user's function in a process of its own.

Started as a script by the interpreter of the app under test, so it uses the standard library alone (Python >= 3.8) and
never imports the evaluator:

    python python_child.py evals/own.py function

One JSON question a line on stdin: {"id", "case", "output"}, or {"id", "ready": true}. One JSON answer a line on what
was stdout at the start: {"id", "value", "reason"} or {"id", "error"}. Whatever the function prints goes to stderr.
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import json
import math
import os
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any


def main() -> None:
    """Load the function, then answer questions until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)  # prints of the function, also those of C code, must not end up among the answers
    sys.stdout = sys.stderr
    questions = os.fdopen(os.dup(0), "r", encoding="utf-8", newline="\n")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # nor may it read our questions
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    function, problem = load(sys.argv[1], sys.argv[2])
    for line in questions:
        question = json.loads(line)
        answer = {"error": problem} if problem else reply(function, question, loop)
        try:
            text = json.dumps({"id": question["id"], **answer}, ensure_ascii=True, allow_nan=False)
        except (TypeError, ValueError) as error:
            text = json.dumps({"id": question["id"], "error": f"the function's value is not JSON: {error}"})
        answers.write(text + "\n")
        answers.flush()


def load(path: str, name: str) -> tuple[Any, str]:
    """Import the file and find the function; (function, "") or (None, what is wrong)."""
    # The first entry is this script's own folder, whose names must not shadow the user's modules.
    sys.path[0] = str(Path(path).resolve().parent)
    sys.path.insert(1, str(Path.cwd()))
    try:
        spec = importlib.util.spec_from_file_location(Path(path).stem, path)
        if spec is None or spec.loader is None:
            return None, f"cannot import {path}: it is no Python file"
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    except BaseException as error:  # also SystemExit: the process must live to say so
        return None, f"cannot import {path}: {describe(error)}"
    function = getattr(module, name, None)
    if not callable(function):
        found = sorted(key for key, value in vars(module).items() if inspect.isfunction(value))
        return None, f"{path} has no function {name!r}; it has {', '.join(found) or 'none'}"
    return function, ""


def reply(function: Callable[..., Any], question: dict[str, Any], loop: asyncio.AbstractEventLoop) -> dict[str, Any]:
    """Call the function for one question and put its value into the form of an answer."""
    if question.get("ready"):
        return {"value": None}
    try:
        value = function(question["case"], question["output"])
        if inspect.isawaitable(value):
            value = loop.run_until_complete(wait_for(value))
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        return {"error": f"the function raised {describe(error)}"}
    return read_value(value)


def read_value(value: Any) -> dict[str, Any]:
    """Check what the function gave: a number, True or False, or a dict of them that may have a `reason`."""
    reason = ""
    if isinstance(value, dict):
        value = dict(value)
        reason = value.pop("reason", "")
        if not isinstance(reason, str):
            return {"error": f"the function's `reason` must be text, found {type(reason).__name__}"}
        columns = {}
        for key, item in value.items():
            number, problem = read_number(item)
            if problem:
                return {"error": f"the function's value under {key!r}: {problem}"}
            columns[str(key)] = number
        return {"value": columns, "reason": reason}
    number, problem = read_number(value)
    return {"error": f"the function's value: {problem}"} if problem else {"value": number, "reason": reason}


def read_number(value: Any) -> tuple[float | None, str]:
    """Give (number, "") or (None, what is wrong). Numbers of numpy and the like count: they can be made a float."""
    if value is None or isinstance(value, (str, bytes, list, tuple, set, complex)):
        return None, f"expected a number, True or False, found {type(value).__name__}"
    try:
        number = float(value)
    except Exception:
        return None, f"expected a number, True or False, found {type(value).__name__}"
    if not math.isfinite(number):
        return None, f"expected a finite number, found {number}"
    return number, ""


async def wait_for(awaitable: Awaitable[Any]) -> Any:
    """Turn any awaitable into a coroutine."""
    return await awaitable


def describe(error: BaseException) -> str:
    """Write an error as its type, its text and the user's line, in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {str(error)[:1000]}{where}"


if __name__ == "__main__":
    main()
