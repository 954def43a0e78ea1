"""Where a worker's apps live: in a copy of the checkouts of its own, so that no worker's app is in another's way."""

import platform
import secrets
import shutil
from dataclasses import replace
from pathlib import Path

from evaluator.errors import InfrastructureError
from evaluator.records import Side
from evaluator.wiring.prepare import RunRequest

MARK = "ray-mark"
"""File in the run's folder by which a worker knows that it sees the same folder as the driver."""


def machine() -> str:
    """What tells this machine from others: its kernel's start, else its name."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return platform.node()


def leave_mark(scratch: Path) -> str:
    """Leave a mark in the run's folder; gives what is in it."""
    mark = secrets.token_hex(16)
    (scratch / MARK).write_text(mark, "ascii")
    return mark


def own_copy(request: RunRequest, own: Path) -> RunRequest:
    """The request of a worker that works in a folder of its own.

    The apps of a process target get a copy of their checkout there: each worker's apps are a user of their own, whose
    checkout must be. A prompt is read where it is.

    Args:
        request: As the driver has it.
        own: The worker's folder, empty.

    Raises:
        InfrastructureError: The checkouts cannot be copied.
    """
    if request.loaded.config.target.process is None:
        return replace(request, scratch=own)
    roots: dict[Side, Path] = {}
    for side, root in request.roots.items():
        roots[side] = _copied(side, root.resolve(), request.scratch.resolve(), own.resolve())
    return replace(request, scratch=own.resolve(), roots=roots)


def _copied(side: Side, root: Path, scratch: Path, own: Path) -> Path:
    """The app's folder in a copy of its checkout; where it is already, if the checkout is none that we made."""
    if not root.is_relative_to(scratch):
        return root
    # `sources-XXXX/head`, below the run's folder, and then the app's folder.
    parts = root.relative_to(scratch).parts
    checkout = scratch.joinpath(*parts[:2])
    copy = own / f"sources-{side}" / side
    try:
        shutil.copytree(checkout, copy, symlinks=True)
    except (OSError, shutil.Error) as error:
        raise InfrastructureError(
            f"the checkout of {side} cannot be copied for a worker: {error.strerror or 'some files could not be read'}",
            hint="free some space, or set TMPDIR to a larger disk",
        ) from None
    return copy.joinpath(*parts[2:])
