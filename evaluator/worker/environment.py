"""What a child process may see of our environment: an allow-list, never the providers' keys."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SYSTEMROOT")
"""Names that every child gets when they are set."""


def child_environment(
    environ: Mapping[str, str],
    *,
    home: Path,
    names: Iterable[str] = (),
    extra: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Make a child's environment from an allow-list.

    Args:
        environ: Our own environment.
        home: A private directory, already made; it becomes HOME and TMPDIR, so that the child cannot read the user's
            dot files and its left-overs go when the directory goes.
        names: Further names to pass on where they are set: those that the config names.
        extra: Names and values to set last.

    Returns:
        The whole environment for the child. Python children write UTF-8 without buffering, so that an answer is not
        held back.
    """
    child = {name: environ[name] for name in (*PASSED_ON, *names) if name in environ}
    child.setdefault("PATH", os.defpath)
    child.setdefault("LANG", "C.UTF-8")
    child |= {"HOME": str(home), "TMPDIR": str(home), "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
    return child | dict(extra or {})
