"""Copies `templates/` and `examples/` into the built package; everything else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithResources(build_py):
    """The package with the folders that its code reads at run time."""

    def run(self) -> None:
        """Build as usual, then copy."""
        super().run()
        for name in ("templates", "examples"):
            target = Path(self.build_lib) / "evaluator" / "_resources" / name
            shutil.copytree(name, target, dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithResources})
