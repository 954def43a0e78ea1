"""The command `init` on copies of sample repositories, with its questions answered from a list."""

import argparse
import io
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from evaluator.cli import init
from evaluator.cli.world import World
from tests.starter.commands import RunInit, Sample, Told, Tree

SAMPLES = Path(__file__).parent / "samples"


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    """Copies a sample repository."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(SAMPLES / name, tmp_path / name))

    return copy


@pytest.fixture
def run_init() -> RunInit:
    """Runs the command in a folder; with `answers`, as if a person sat there."""

    def run(root: Path, *words: str, answers: Sequence[str] | None = None) -> Told:
        parser = argparse.ArgumentParser()
        init.add_command(parser.add_subparsers())
        arguments = parser.parse_args(["init", *words])
        out = io.StringIO()
        world = World({}, root, out, io.StringIO(), interactive=answers is not None)
        left = list(answers or [])
        questions: list[str] = []

        def ask(question: str) -> str:
            questions.append(question)
            return left.pop(0)

        code = init.run_init(arguments, world, ask)
        assert not left, f"answers that nobody asked for: {left}"
        return Told(code, out.getvalue(), tuple(questions))

    return run


@pytest.fixture
def tree() -> Tree:
    """Gives all files below a folder with their content."""

    def read(root: Path) -> dict[str, bytes]:
        files = [path for path in root.rglob("*") if path.is_file()]
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}

    return read
