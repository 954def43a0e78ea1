"""What several tests of this room need: a fresh interpreter."""

import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest


class RunPython(Protocol):
    """Runs code in a fresh interpreter that can import the package, and gives what it prints."""

    def __call__(self, code: str, *arguments: Path) -> str: ...


@pytest.fixture
def run_python() -> RunPython:
    """Give the means to measure memory and imports apart from the test run's own."""

    def run(code: str, *arguments: Path) -> str:
        # The shell stands between: Linux hands the peak memory of the process that forks on to the one that it starts.
        command = ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-c", code, *map(str, arguments)]
        root = Path(__file__).parents[2]
        environment = {"PYTHONPATH": str(root)}
        result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root, env=environment)
        return result.stdout

    return run
