"""What we do to our own process before a program of somebody else's runs beside it."""

import contextlib
import sys

_HIDDEN: list[bool] = []


def hide_our_memory() -> None:
    """Close our /proc/<pid>/environ, mem and fd to other processes of our user, which a caged program may be.

    It costs core dumps and debuggers of our own user. Children that we start are not affected. Does nothing the second
    time, and where there is no Linux.
    """
    if _HIDDEN or not sys.platform.startswith("linux"):
        return
    from evaluator.sandbox.identity import hide_memory

    with contextlib.suppress(OSError):
        hide_memory()
    _HIDDEN.append(True)
