"""The cage of each side's processes: what base's config lets them reach, and whose user they are."""

import os
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evaluator.config.targets import SandboxSection
from evaluator.records import Side
from evaluator.sandbox import Cage, Limits, not_held, prepare
from evaluator.stopping import blocking
from evaluator.wiring.programs import installations, reachable

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
    place: Place,
    section: SandboxSection,
    *,
    programs: Sequence[Path],
    setup_programs: Sequence[Path] = (),
    ports: Sequence[int] = (),
) -> tuple[Cage, tuple[str, ...]]:
    """The cage of a side's app, and what people should be told about it.

    It has a user of its own if we are root and the checkout is one that we made; else handing it over would take the
    user's files away.

    Args:
        place: Where the side lives.
        section: What base's config lets it reach.
        programs: Programs and files outside the checkout that it cannot do without.
        setup_programs: Those of its set-up, which is the same user's. They are not open to the app.
        ports: Ports of loopback that it may connect to.
    """
    notes: list[str] = []
    uid: int | None = None
    if os.geteuid() == 0 and place.root.resolve().is_relative_to(place.scratch.resolve()):
        closed = next((path for path in (*programs, *setup_programs) if not reachable(path)), None)
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


def cage_for_setup(cage: Cage, root: Path, home: Path, programs: Sequence[Path] = ()) -> Cage:
    """The cage of the set-up's commands: as the app's, but with the network, and no way to what the app leaves.

    Args:
        cage: The app's.
        root: Where the commands run.
        home: Their HOME.
        programs: Those that the commands name, outside of the checkout.
    """
    read = (*cage.read, *programs, *installations(programs))
    return replace(cage, root=root, home=home, read=read, network=True, ports=())


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
