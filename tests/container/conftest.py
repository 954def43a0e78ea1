"""One engine, one base image and one action image for all tests of the container; a scene for each test that asks."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from tests.container.contained import NODE_IMAGE, RUNTIMES, left
from tests.container.engine import Engine, copy_action, running_engine
from tests.container.scene import Scene, make_scene

SUITE = os.environ.get("LLM_EVAL_GATE_DEBIAN", "trixie")
GATE_IMAGE = "llm-eval-gate:test"


def uncaptured(request: pytest.FixtureRequest) -> AbstractContextManager[Any]:
    """Let what takes minutes be seen while it happens."""
    capture = request.config.pluginmanager.getplugin("capturemanager")
    return nullcontext() if capture is None else capture.global_and_fixture_disabled()


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with uncaptured(request):
        starting = running_engine()
        running = starting.__enter__()
    try:
        yield running
    finally:
        starting.__exit__(None, None, None)


@pytest.fixture
def clean(engine: Engine) -> Iterator[None]:
    """Nothing of ours is there before and after, running or not."""
    assert left(engine) == []
    yield
    assert left(engine) == []


@pytest.fixture(scope="session")
def base_image(request: pytest.FixtureRequest, engine: Engine) -> str:
    """A bare Debian: base of the action's image, and what stands for GitHub's runner."""
    with uncaptured(request):
        return engine.base_image(SUITE)


@pytest.fixture(scope="session")
def node_image(engine: Engine, base_image: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the apps in containers of their own are built from."""
    folder = tmp_path_factory.mktemp("runtimes")
    (folder / "Dockerfile").write_text(RUNTIMES.format(base=base_image), "utf-8")
    engine.build(folder, NODE_IMAGE)
    return NODE_IMAGE


@pytest.fixture(scope="session")
def action_folder(tmp_path_factory: pytest.TempPathFactory, base_image: str) -> Path:
    """All that the action consists of; `uses:` it and act builds its Dockerfile."""
    return copy_action(tmp_path_factory.mktemp("action") / "llm-eval-gate", base_image)


@pytest.fixture(scope="session")
def gate_image(request: pytest.FixtureRequest, engine: Engine, action_folder: Path) -> str:
    """The image that the real Dockerfile makes."""
    with uncaptured(request):
        engine.build(action_folder, GATE_IMAGE)
    return GATE_IMAGE


@pytest.fixture(scope="session")
def released_action(tmp_path_factory: pytest.TempPathFactory, action_folder: Path, gate_image: str) -> Path:
    """The action as a release has it: action.yml names an image that is ready."""
    folder = tmp_path_factory.mktemp("released")
    text = (action_folder / "action.yml").read_text("utf-8")
    assert text.count("image: Dockerfile") == 1
    (folder / "action.yml").write_text(text.replace("image: Dockerfile", f"image: docker://{gate_image}"), "utf-8")
    return folder


@pytest.fixture
def scene(tmp_path: Path, engine: Engine, base_image: str, gate_image: str, released_action: Path) -> Iterator[Scene]:
    with make_scene(tmp_path, engine, runner_image=base_image, gate_image=gate_image, action=released_action) as made:
        yield made
