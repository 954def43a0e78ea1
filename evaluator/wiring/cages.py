"""The cage of each side's processes: what base's config lets them reach, and whose user they are."""

import os
import shutil
import stat
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evaluator.config.targets import SandboxSection
from evaluator.records import Side
from evaluator.sandbox import Cage, Limits, not_held, prepare
from evaluator.stopping import blocking

_FIRST_UID, _RUNS = 61_000, 2_000
"""Users of nobody else's: from 61,000 up, two a run."""
_PLACES: Mapping[Side, int] = {"base": 0, "head": 1}


def uid_of(side: Side, scratch: Path) -> int:
    """The user of one side of one run, so that neither can see the other's processes and files.

    Drawn from the run's own folder, so that the anchor's run beside it, and other runs on the machine, hardly ever
    have the same.
    """
    return _FIRST_UID + 2 * (zlib.crc32(str(scratch).encode()) % _RUNS) + _PLACES[side]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the processes of one side live."""

    side: Side
    root: Path
    """The app's folder in its checkout: their working directory."""
    scratch: Path
    """A private folder of the run; what lies below it is ours to hand over."""

    @property
    def home(self) -> Path:
        """HOME and TMPDIR of the app."""
        return self.scratch / f"home-{self.side}"

    @property
    def checkout(self) -> Path:
        """The whole checkout, of which the app's folder may be a part."""
        try:
            # `sources-XXXX/head`, below the run's folder; see `source/worktrees.py`.
            parts = self.root.resolve().relative_to(self.scratch.resolve()).parts
        except ValueError:
            return self.root
        return self.scratch.resolve().joinpath(*parts[:2]) if len(parts) > 2 else self.root


def make_cage(
    place: Place, section: SandboxSection, *, programs: Sequence[Path], ports: Sequence[int] = ()
) -> tuple[Cage, tuple[str, ...]]:
    """The cage of a side's app, and what people should be told about it.

    It has a user of its own if we are root and the checkout is one that we made; else handing it over would take the
    user's files away.

    Args:
        place: Where the side lives.
        section: What base's config lets it reach.
        programs: Programs and files outside the checkout that it cannot do without.
        ports: Ports of loopback that it may connect to.
    """
    notes: list[str] = []
    uid: int | None = None
    if os.geteuid() == 0 and place.root.resolve().is_relative_to(place.scratch.resolve()):
        closed = next((path for path in programs if not reachable(path)), None)
        if closed is None:
            uid = uid_of(place.side, place.scratch)
        else:
            notes.append(f"the app runs as our own user: no other can reach {closed}, which it needs")
    cage = Cage(
        root=place.checkout,
        home=place.home,
        read=(*programs, *installations(programs), *(Path(path) for path in section.read)),
        ports=tuple(ports),
        network=section.network == "allow",
        uid=uid,
        limits=limits_of(section),
        shared=section.shared,
    )
    return cage, tuple(notes)


def installations(programs: Sequence[Path]) -> tuple[Path, ...]:
    """The folders that programs were installed to, such as /opt/node of /opt/node/bin/node: its libraries are there."""
    folders = {path.resolve().parents[1] for path in programs if path.resolve().parent.name == "bin"}
    known = {Path("/"), Path("/usr"), Path.home(), Path.home() / ".local"}  # open already, or more than a program
    return tuple(sorted(folders - known))


def cage_for_setup(cage: Cage, root: Path, home: Path) -> Cage:
    """The cage of the set-up's commands: as the app's, but with the network, and no way to what the app leaves."""
    return replace(cage, root=root, home=home, network=True, ports=())


def prepared(cage: Cage, read: Sequence[str] = ()) -> tuple[str, ...]:
    """Hand the cage's folders over; gives what it cannot hold here.

    Args:
        cage: The cage.
        read: What the config opens: that its user cannot get there is told. All else it has been seen to reach.

    Raises:
        SandboxError: It cannot be entered at all.
    """
    with blocking():  # a walk over the whole checkout, and a trial of the cage
        prepare(cage)
        notes = not_held(cage)
    return tuple(note for note in notes if " cannot get to " not in note or any(f" {path}:" in note for path in read))


def limits_of(section: SandboxSection) -> Limits:
    """The limits that the config sets; the sandbox's own where it sets none."""
    limits = Limits()
    if section.processes is not None:
        limits = replace(limits, processes=section.processes)
    if section.memory is not None:
        limits = replace(limits, memory_bytes=section.memory)
    return limits


def find_program(program: str, root: Path, path: str) -> Path | None:
    """A program outside the checkout, as the system finds it; None for one of the checkout's own, or none at all.

    A link in the checkout is the checkout's, wherever it leads: head must not choose whose user it is.
    """
    if "/" in program and not program.startswith("/"):
        return None
    found = shutil.which(program, path=path)
    if found is None or Path(found).is_relative_to(root):
        return None
    return Path(found)


def reachable(path: Path) -> bool:
    """Whether any user can get to a file, through all of its links, and read it."""
    seen: set[Path] = set()
    while path not in seen:
        seen.add(path)
        try:
            mode = path.lstat().st_mode
            if not all(above.stat().st_mode & stat.S_IXOTH for above in path.parents):
                return False
            if not stat.S_ISLNK(mode):
                return bool(mode & stat.S_IROTH)
            path = Path(os.path.normpath(path.parent / path.readlink()))
        except OSError:
            return False
    return False
