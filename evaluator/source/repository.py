"""Fresh repositories that borrow another one's objects: with none of its configuration, filters or hooks."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evaluator.errors import SourceError
from evaluator.source.git import Git, GitFailed


@dataclass(frozen=True, slots=True)
class Lender:
    """What fresh repositories need to know of the one whose objects they borrow."""

    objects: Path
    object_format: str
    shallow: bytes
    """The list of commits whose parents are not there; empty for a whole history."""


def lender_of(git: Git) -> Lender:
    """Look at the repository that lends its objects.

    Raises:
        SourceError: Its path cannot be written down for git.
    """

    def path_of(name: str) -> Path:
        return Path(
            os.fsdecode(git.run(["rev-parse", "--path-format=absolute", "--git-path", name]).removesuffix(b"\n"))
        )

    objects, shallow = path_of("objects"), path_of("shallow")
    if "\n" in str(objects):
        raise SourceError("the repository's path has a line break", hint="move the repository to a plainer path")
    return Lender(
        objects,
        git.text(["rev-parse", "--show-object-format"]),
        shallow.read_bytes() if shallow.exists() else b"",
    )


def new_repository(path: Path, lender: Lender, sha: str, environ: Mapping[str, str]) -> Git:
    """Make an empty repository at `path`, a new or empty folder, whose HEAD is `sha`; no file is checked out yet.

    Raises:
        SourceError: Git cannot.
    """
    path.mkdir(exist_ok=True)
    git = Git(path, environ)
    try:
        git.run(["init", "--quiet", "--template=", "--initial-branch=none", f"--object-format={lender.object_format}"])
        alternates = path / ".git" / "objects" / "info" / "alternates"
        alternates.parent.mkdir(exist_ok=True)
        alternates.write_bytes(os.fsencode(lender.objects) + b"\n")
        if lender.shallow:
            (path / ".git" / "shallow").write_bytes(lender.shallow)
        git.run(["update-ref", "--no-deref", "HEAD", sha])
    except GitFailed as failure:
        raise failure.as_error(f"cannot set up a checkout of {sha[:12]}") from failure
    return git
