"""A disk that is too small, or that nobody may write to: a real file system in memory, mounted for a test."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(place: Path, kib: int) -> Iterator[Path]:
    """A file system of so many KiB; skips the test where none can be mounted."""
    place.mkdir()
    mounted = os.geteuid() == 0 and shutil.which("mount") is not None and mount(place, f"size={kib}k")
    if not mounted:
        pytest.skip("only root can mount a file system here")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def mount(place: Path, options: str) -> bool:
    """Mount it; False where that is not allowed."""
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=False, capture_output=True
    )
    return done.returncode == 0


def remount(place: Path, options: str) -> None:
    """Make it larger, or read-only."""
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True, capture_output=True)
