"""What is to be set up, and what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evaluator.records import Side


@dataclass(frozen=True, slots=True)
class SetupRequest:
    """One ref's set-up."""

    side: Side
    root: Path
    """The app's folder in the ref's checkout: where the commands run, unless they only install packages."""
    commands: tuple[tuple[str, ...], ...]
    interpreter: str
    """The Python of the environment: a path, or a name on PATH."""
    timeout_s: float
    """For all commands together."""
    env: Mapping[str, str]
    """The commands' environment but for what `set_up` adds: `worker.child_environment`, without keys."""
    folder: Path
    """A private folder of this side, already made, for the environment and all that the commands leave; it is their
    HOME."""
    kept: Path
    """Where environments are kept from run to run."""
    other_user: bool = False
    """Whether the app will run as a user who can write none of our files: then it may share a kept one's."""


@dataclass(frozen=True, slots=True)
class Ready:
    """An environment that is set up."""

    venv: Path
    kept: bool
    """Whether it was there from an earlier set-up."""
    notes: tuple[str, ...] = ()
    """What people should be told."""

    @property
    def python(self) -> str:
        """Its interpreter."""
        return str(self.venv / "bin" / "python")

    def environment(self, path: str) -> dict[str, str]:
        """Variables that make programs use it.

        Args:
            path: The PATH so far.
        """
        return venv_environment(self.venv, path)


def venv_environment(venv: Path, path: str) -> dict[str, str]:
    """Variables that make programs use an environment: PATH, and what pip, uv and poetry read."""
    return {
        "VIRTUAL_ENV": str(venv),
        "UV_PROJECT_ENVIRONMENT": str(venv),
        "PATH": f"{venv / 'bin'}:{path}",
    }
