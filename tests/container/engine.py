"""A real Docker Engine of our own, and the images that the tests run. What fails here fails the tests; nothing is skipped."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENGINE = str(ROOT / "scripts" / "docker-engine")
BASE_IMAGE = str(ROOT / "scripts" / "docker-base-image")
ACTION_FILES = ("action.yml", "Dockerfile", ".dockerignore", "entrypoint.py")
ACTION_FOLDERS = ("evaluator", "templates", "examples", "requirements")
BASE_ARGUMENT = "ARG BASE_IMAGE="


@dataclass(frozen=True)
class Done:
    """A program that has ended."""

    exit_code: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Engine:
    """A running engine."""

    host: str
    """Its address, for DOCKER_HOST."""
    buildkit: bool = False
    """Whether it builds with BuildKit, as on GitHub; act uses the classic builder."""

    @property
    def environ(self) -> dict[str, str]:
        """The environment of a program that is to talk to this engine."""
        return {**os.environ, "DOCKER_HOST": self.host, "DOCKER_BUILDKIT": str(int(self.buildkit))}

    def docker(self, *words: str, check: bool = True) -> Done:
        """Run the Docker client."""
        ran = subprocess.run(
            [ENGINE, "client", *words], env=self.environ, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        done = Done(ran.returncode, ran.stdout.decode("utf-8", "replace"), ran.stderr.decode("utf-8", "replace"))
        if check and done.exit_code != 0:
            raise AssertionError(f"docker {' '.join(words)} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        return done

    def run(
        self,
        image: str,
        *words: str,
        entrypoint: str | None = None,
        environ: Mapping[str, str] | None = None,
        mounts: Mapping[Path, str] | None = None,
        directory: str | None = None,
        network: str = "host",
        check: bool = True,
    ) -> Done:
        """Run a container to its end, as the runner runs an action's: on the host's network unless one is made for it."""
        options = ["--rm", "--network", network]
        options += ["--entrypoint", entrypoint] if entrypoint else []
        options += ["--workdir", directory] if directory else []
        for name, value in (environ or {}).items():
            options += ["--env", f"{name}={value}"]
        for source, target in (mounts or {}).items():
            options += ["--volume", f"{source}:{target}"]
        return self.docker("run", *options, image, *words, check=check)

    def shell(self, image: str, script: str) -> str:
        """Run a bash script in a container and give its stdout."""
        return self.run(image, "-euo", "pipefail", "-c", script, entrypoint="bash").stdout

    def build(self, folder: Path, tag: str, *options: str) -> None:
        """Build an image and say how long it took."""
        start = time.monotonic()
        say(f"Building {tag} (a minute or two the first time) ...")
        self.docker("build", "--network", "host", "--tag", tag, *options, str(folder))
        say(f"Built {tag} in {time.monotonic() - start:.0f} s")

    def base_image(self, suite: str) -> str:
        """Make a bare Debian image of a suite (`trixie`, `bookworm`) and give its name."""
        name = f"llm-eval-gate-base:{suite}"
        subprocess.run([BASE_IMAGE, suite, name], env=self.environ, check=True)
        return name


@contextmanager
def running_engine() -> Iterator[Engine]:
    """Start an engine for as long as the block lasts, or use the one that LLM_EVAL_GATE_DOCKER_HOST names."""
    named = os.environ.get("LLM_EVAL_GATE_DOCKER_HOST")
    if named:
        yield Engine(named)
        return
    # Not below pytest's own folder: the path of a socket must be short.
    folder = tempfile.mkdtemp(prefix="gate-docker-")
    try:
        started = subprocess.run([ENGINE, "start", folder], stdout=subprocess.PIPE, text=True, check=False)
        if started.returncode != 0:
            raise AssertionError("These tests need a Docker Engine, and there is none; see above for the reason.")
        yield Engine(started.stdout.strip())
    finally:
        subprocess.run([ENGINE, "stop", folder], check=False)


def copy_action(target: Path, base_image: str) -> Path:
    """Copy all that the action consists of, with another default for its base image: act builds without arguments.

    Args:
        target: Folder to make.
        base_image: Name of an image that the engine has.
    """
    target.mkdir(parents=True)
    for name in ACTION_FILES:
        shutil.copy2(ROOT / name, target / name)
    for name in ACTION_FOLDERS:
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    lines = (target / "Dockerfile").read_text("utf-8").splitlines(keepends=True)
    swapped = [f"{BASE_ARGUMENT}{base_image}\n" if line.startswith(BASE_ARGUMENT) else line for line in lines]
    assert sum(before != after for before, after in zip(lines, swapped, strict=True)) == 1
    (target / "Dockerfile").write_text("".join(swapped), "utf-8")
    return target


def say(text: str) -> None:
    """Tell of a step that takes long."""
    print(text, file=sys.stderr, flush=True)
