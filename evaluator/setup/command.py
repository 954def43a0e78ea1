"""Runs one command of a set-up to its end, and keeps the end of what it says."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from evaluator.errors import TargetError
from evaluator.records import Side
from evaluator.sandbox import Cage
from evaluator.worker import WorkerFailure, printable, speaks_of_a_closed_door
from evaluator.worker.child import start_child

_LAST_WORDS_S = 0.5
HINTS: Mapping[Side, str] = {
    "head": "the change breaks the app's set-up; run the command by hand in a fresh checkout",
    "base": "the app cannot be set up as it was before the change either; mend `setup:` or what it installs first. If"
    " base has moved on since the branch left it, rebase the branch: the config is that of base's tip",
}

CANNOT_START = 126
"""Exit code of shells, and of our launcher, for a program that is there and cannot be started."""
CLOSED_HINT = (
    "what the command starts is closed in the sandbox, or not executable; the program that a command names first is"
    " open, what else lies outside of the checkout is opened by `sandbox: {read: [...]}` in base's config"
)


async def run_command(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout_s: float, side: Side, cage: Cage | None
) -> None:
    """Run a command; nothing of it is left running, whatever happens.

    Raises:
        TargetError: It cannot be started, fails, or takes longer; with the last lines of its output.
    """
    named = f"setup failed at {side}: `{printable(' '.join(argv), 200)}`"
    try:
        child = await start_child(argv, cwd=cwd, env=env, cage=cage)
    except WorkerFailure as failure:
        raise TargetError(f"{named}: {failure.message}", hint=HINTS[side]) from None
    child.close_stdin()
    reading = asyncio.create_task(child.drain())
    try:
        async with asyncio.timeout(timeout_s):
            code = await asyncio.shield(child.exit_code)
        if code != 0:
            await asyncio.wait([reading], timeout=_LAST_WORDS_S)  # they may still be in the pipe
            said = await child.describe_exit()
            closed = cage is not None and code == CANNOT_START and speaks_of_a_closed_door(said)
            raise TargetError(f"{named}: {_of_both(said)}", hint=CLOSED_HINT if closed else HINTS[side])
    except TimeoutError:
        text = f"{named} did not end within {timeout_s:g} s{_of_both(child.last_words())}"
        raise TargetError(text, hint="raise `setup: {timeout: ...}` in the config, or make it faster") from None
    finally:
        await asyncio.shield(child.stop(0))
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


def _of_both(said: str) -> str:
    """Call the end of stdout and stderr together by a name that fits."""
    return said.replace("its stderr ends:", "its output ends:", 1).replace("nothing on stderr", "nothing")
