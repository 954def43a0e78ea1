"""One arena for root and one for an ordinary user, for all attacks of the session."""

import os
from collections.abc import Iterator

import pytest

from tests.sandbox.arena import Arena, Outside, another_machine, arena, python_for_others

ROOT_ONLY = "needs root, to start programs as other users"


@pytest.fixture(scope="session")
def python() -> str:
    """A Python that every user can start."""
    found = python_for_others()
    if found is None:
        pytest.skip("no Python here that another user could start")
    return found


@pytest.fixture(scope="session")
def outside() -> Iterator[Outside | None]:
    """Another machine."""
    with another_machine() as machine:
        yield machine


@pytest.fixture(scope="session")
def as_root(python: str, outside: Outside | None) -> Iterator[Arena]:
    """A gate that runs as root and gives each side a user of its own."""
    if os.geteuid() != 0:
        pytest.skip(ROOT_ONLY)
    with arena(root=True, outside=outside, python=python) as made:
        yield made


@pytest.fixture(scope="session")
def as_container(python: str, outside: Outside | None) -> Iterator[Arena]:
    """The same with no more capabilities than root has in a container."""
    if os.geteuid() != 0:
        pytest.skip(ROOT_ONLY)
    with arena(root=True, contained=True, outside=outside, python=python) as made:
        yield made


@pytest.fixture(scope="session")
def as_user(python: str, outside: Outside | None) -> Iterator[Arena]:
    """A gate that runs as an ordinary user, as both sides do then."""
    if os.geteuid() != 0:
        pytest.skip(ROOT_ONLY)
    with arena(root=False, outside=outside, python=python) as made:
        yield made
