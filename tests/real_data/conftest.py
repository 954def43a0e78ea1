"""Where the real datasets are. They are not part of the repository: `make test-data DATA=folder`."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

VARIABLE = "LLM_EVAL_GATE_DATA"

DataFile = Callable[[str], Path]
Rows = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def data_file() -> DataFile:
    """Give the path of a file of the data folder; without it the test fails rather than skips."""

    def find(name: str) -> Path:
        folder = os.environ.get(VARIABLE)
        if not folder:
            pytest.fail(f"{VARIABLE} is not set: run `make test-data DATA=folder`")
        path = Path(folder) / name
        if not path.is_file():
            pytest.fail(f"{path} is missing: {VARIABLE} must name the folder with the real datasets")
        return path

    return find


@pytest.fixture(scope="session")
def rows(data_file: DataFile) -> Rows:
    """Give the rows of a JSON Lines file as they are."""

    def read(name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in data_file(name).read_text("utf-8").splitlines()]

    return read
