"""What the tests of the first steps hand around: sample folders, a run of the command, a folder's content."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Told:
    """What a run of the command said."""

    code: int
    out: str
    questions: tuple[str, ...]


RunInit = Callable[..., Told]
Sample = Callable[[str], Path]
Tree = Callable[[Path], dict[str, bytes]]
