"""The bench that the tests of publishing work at; it fails a test that broke GitHub's API description."""

from collections.abc import Iterator

import pytest

from tests.github.workbench import Bench, bench
from tests.standin.github import running_github


@pytest.fixture
def at() -> Iterator[Bench]:
    with running_github() as github:
        yield bench(github)
        assert github.violations == []
